"""Prints what Python reads from one model file, in the notation of expected.json.

    python spell.py model.joblib

Classes other than numpy's and Python's own are replaced by stand-ins that remember how they were made, so that no
scikit-learn is needed and nothing of the file is run. Only for files that are known to be harmless.
"""

import codecs
import collections
import json
import pickle
import sys

import joblib.numpy_pickle
import numpy as np

import make

REAL = {"collections", "copyreg", "copy_reg", "_codecs"}


class StandIn:
    """An instance of a class, or the result of a function, that was not imported."""

    def __new__(cls, *args):
        self = super().__new__(cls)
        self.args, self.state, self.items, self.pairs = args, None, [], {}
        return self

    def __setstate__(self, state):
        self.state = state

    def append(self, item):
        self.items.append(item)

    def extend(self, items):
        self.items.extend(items)

    def __setitem__(self, key, value):
        self.pairs[key] = value


def find_class(module, name):
    if module in REAL or module == "joblib.numpy_pickle" or (module.startswith("numpy") and not inert(module, name)):
        if name == "_ufunc_reconstruct":
            return lambda module, name: find_class(module, name)
        return pickle._Unpickler.find_class(unpickler, module, name)
    if module in ("builtins", "__builtin__") and name in ("bytearray", "bytes", "set", "frozenset"):
        return pickle._Unpickler.find_class(unpickler, module, name)
    module, name = {"__builtin__": "builtins"}.get(module, module), {"long": "int", "unicode": "str"}.get(name, name)
    return type(name, (StandIn,), {"__module__": module, "__qualname__": name})


def inert(module, name):
    real = ("dtype", "_reconstruct", "scalar", "_frombuffer", "ndarray", "_ufunc_reconstruct")
    return name not in real


class Unpickler(joblib.numpy_pickle.NumpyUnpickler):
    find_class = staticmethod(find_class)


class Inner(pickle._Unpickler):
    find_class = staticmethod(find_class)


class Pickle:
    """Stands in for the module pickle where joblib reads the pickle of an object array."""

    load = staticmethod(lambda f, **_: Inner(f).load())


def spell(v):
    if isinstance(v, StandIn):
        return {
            "object": type(v).__module__ + "." + type(v).__qualname__,
            "args": [spell(x) for x in v.args],
            "state": spell(v.state),
            "items": [spell(x) for x in v.items],
            "pairs": spell(v.pairs),
        }
    if isinstance(v, np.dtype):
        return {"dtype": make.code(v)}
    return plain(v)


plain, make.spell = make.spell, spell

path = sys.argv[1]
with open(path, "rb") as f:
    reader = joblib.numpy_pickle._read_fileobject if hasattr(joblib.numpy_pickle, "_read_fileobject") else None
    joblib.numpy_pickle.pickle = Pickle
    joblib.numpy_pickle.Unpickler = Unpickler
    from joblib.numpy_pickle_utils import _detect_compressor, _COMPRESSORS

    compressor = _detect_compressor(f)
    if compressor in _COMPRESSORS:
        f = _COMPRESSORS[compressor].decompressor_file(f)
    unpickler = Unpickler(path, f, ensure_native_byte_order=False) if "ensure_native_byte_order" in Unpickler.__init__.__code__.co_varnames else Unpickler(path, f)
    value = unpickler.load()
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        pass
json.dump(spell(value), sys.stdout)
