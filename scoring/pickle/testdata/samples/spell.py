"""Prints what Python reads from model files, one line for each, in the notation of expected.json.

    python spell.py model.joblib …          # needs numpy, joblib from 1.6 on, and lz4

Classes other than numpy's arrays and Python's own containers are replaced by stand-ins that remember how they were
made, so that no scikit-learn is needed and no code of the file is run. For files that are known to be harmless.
"""

import importlib
import json
import sys

import joblib
import joblib.numpy_pickle
import lz4.frame  # noqa: F401, joblib asks for it only when it meets such a file
import numpy as np
from joblib.numpy_pickle_utils import _COMPRESSORS, _detect_compressor

import make

REAL = {
    "numpy": {"dtype", "ndarray", "_reconstruct", "scalar", "_frombuffer"},
    "joblib": {"NumpyArrayWrapper"},
    "builtins": {"bytearray", "bytes", "set", "frozenset", "object"},
    "collections": {"OrderedDict", "defaultdict"},
    "copyreg": {"_reconstructor"},
    "_codecs": {"encode"},
}
RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class StandIn:
    """An instance of a class, or the result of a function, that was not imported."""

    def __new__(cls, *args):
        self = super().__new__(cls)
        self.args, self.state, self.items, self.pairs = args, None, [], {}
        return self

    def __init__(self, *args):
        pass

    def __setstate__(self, state):
        self.state = state

    def append(self, item):
        self.items.append(item)

    def extend(self, items):
        self.items.extend(items)

    def __setitem__(self, key, value):
        self.pairs[key] = value


def find_class(module, name):
    module = RENAMED.get(module, module)
    if name == "_ufunc_reconstruct":
        return find_class
    if name in REAL.get(module.split(".")[0], ()):
        return getattr(importlib.import_module(module), name)
    name = {"long": "int", "unicode": "str"}.get(name, name)
    return type(name, (StandIn,), {"__module__": module, "__qualname__": name})


class Unpickler(joblib.numpy_pickle.NumpyUnpickler):
    find_class = staticmethod(find_class)


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

if tuple(map(int, joblib.__version__.split(".")[:2])) < (1, 6):
    sys.exit("joblib %s reads object arrays past find_class: 1.6 or later is needed" % joblib.__version__)

for path in sys.argv[1:]:
    with open(path, "rb") as f:
        compressor = _COMPRESSORS.get(_detect_compressor(f))
        if compressor:
            f = compressor.decompressor_file(f)
        value = Unpickler(path, f, ensure_native_byte_order=False).load()
    print(json.dumps(spell(value)))
