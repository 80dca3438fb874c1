"""Writes the samples that TestSamples compares with Python: values of every kind, in every protocol and container.

    python make.py          # in this folder; needs numpy, joblib and lz4

Each sample is a file; expected.json holds what Python reads from it, spelled out so that nothing is left to a JSON
reader's idea of numbers: an int as decimal text, a float in hexadecimal, an array with its type, shape and elements.
"""

import collections
import json
import os
import pickle

import joblib
import numpy as np


def spell(v):
    """Returns a value in the notation of expected.json."""
    if isinstance(v, np.generic):  # first: some are subclasses of Python's own types
        return {"scalar": code(v.dtype), "value": spell(v.item())}
    if v is None or isinstance(v, str):
        return v
    if isinstance(v, bool):
        return {"bool": v}
    if isinstance(v, int):
        return {"int": str(v)}
    if isinstance(v, float):
        return {"float": v.hex()}
    if isinstance(v, (bytes, bytearray)):
        return {"bytes": bytes(v).hex()}
    if isinstance(v, (list, tuple)):
        return {type(v).__name__: [spell(x) for x in v]}
    if isinstance(v, (set, frozenset)):
        return {"set": sorted((spell(x) for x in v), key=json.dumps)}
    if isinstance(v, dict):
        return {"dict": [[spell(k), spell(x)] for k, x in v.items()]}
    if isinstance(v, np.ndarray):
        return {"array": code(v.dtype), "shape": list(v.shape), "values": values(v)}
    if isinstance(v, type):
        return {"name": v.__module__ + "." + v.__qualname__}
    raise TypeError(type(v))


def code(dtype):
    """Kind and size; protocol 5 turns big-endian arrays into native ones, so the order is left out."""
    return "record" if dtype.names else f"{dtype.kind}{dtype.itemsize}"


def values(array):
    if array.dtype.names:
        return {name: values(array[name]) for name in array.dtype.names}
    return [spell(x) for x in array.reshape(-1).tolist()]


def arrays():
    """Arrays of every kind that is read, and the scalars that go with them."""
    for kind in "b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 >i4 >f8 >f4 >u2".split():
        yield kind, np.array([0, 1, 2, 100, 255, 7]).astype(kind)
    yield "extremes", np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7976931348623157e308])
    yield "halves", np.array([0, 1, 5.96e-8, 65504, -1.5, np.inf, np.nan], dtype="f2")
    yield "signed", np.array([-(2**63), 2**63 - 1, -1], dtype="i8")
    yield "text", np.array(["", "a", "Grüße", "漢字", "😀"])
    yield "text_big_endian", np.array(["a", "bcd"]).astype(">U5")
    yield "octets", np.array([b"a", b"bc\x00d", b""])
    yield "record", np.array([(1, 2.5, 3), (-4, np.nan, 250)], dtype=[("left", "<i8"), ("threshold", "<f8"), ("missing", "u1")])
    yield "aligned_record", np.array([(1, 2.5)], dtype=np.dtype([("a", "u1"), ("b", "<f8")], align=True))
    yield "columns_first", np.asfortranarray(np.arange(12.0).reshape(3, 4))
    yield "columns_first_3d", np.asfortranarray(np.arange(24, dtype="i4").reshape(2, 3, 4))
    yield "transposed_text", np.array([["a", "b", "c"], ["d", "e", "f"]]).T
    yield "strided", np.arange(10.0)[::3]
    yield "no_dimension", np.array(3.5)
    yield "none", np.zeros((0, 3))
    yield "objects", np.array(["a", 1, 2.5, None, True, np.float64(7), (1, 2)], dtype=object)
    yield "objects_2d", np.asfortranarray(np.array([["a", 1], ["b", 2], ["c", None]], dtype=object))
    inner = np.empty(2, dtype=object)
    inner[:] = [np.arange(3), np.array(["x", None], dtype=object)]
    yield "objects_of_arrays", inner
    for scalar in [np.float64(0.1), np.float32(0.1), np.int64(-5), np.uint8(200), np.bool_(True), np.str_("né"), np.bytes_(b"xy")]:
        yield "scalar_" + type(scalar).__name__, scalar


def plain():
    """What Python itself has."""
    yield "numbers", [0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63), 2**63, -(2**100), 0.1, -0.0, float("inf"), float("nan")]
    yield "words", ["", "a", "é", "漢字", "😀", "line\nbreak", "back\\slash", "\\u0041", "nul\x00", "'\"", "x" * 300, "\x80\xff"]
    yield "octets", [b"", b"a", bytes(range(256)), b"y" * 300, bytearray(b"abc"), bytearray()]
    yield "nests", [[], (), {}, (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [[1], [2, [3]]], {"a": {"b": [None, True, False]}}]
    yield "sets", [set(), {1, 2, 3}, frozenset("ab")]
    yield "keys", {"s": 1, 2: 3, 2.5: 4, None: 5, True: 6, (1, "t"): 7, b"b": 8}
    yield "long_dict", {f"key {i}": i for i in range(40)}
    yield "ordered", collections.OrderedDict([("b", 1), ("a", 2)])
    shared = ["shared"]
    yield "shared", [shared, shared, {"again": shared}]
    yield "types", [np.float64, int, str]


def main():
    expected = {}

    def keep(name, value):
        expected[name] = spell(value)
        assert os.path.getsize(name) < 20_000, name

    everything = {**{"array " + n: v for n, v in arrays()}, **{"plain " + n: v for n, v in plain()}}
    for protocol in range(6):
        name = f"pickle-{protocol}.pkl"
        with open(name, "wb") as f:
            pickle.dump(everything, f, protocol=protocol)
        with open(name, "rb") as f:
            keep(name, pickle.load(f))
        name = f"joblib-{protocol}.joblib"
        joblib.dump(everything, name, protocol=protocol)
        keep(name, joblib.load(name))
    for method in ("zlib", "gzip", "bz2", "xz", "lzma", "lz4"):
        for level in (1, 9):
            name = f"joblib-{method}-{level}.joblib"
            joblib.dump(everything, name, compress=(method, level))
            keep(name, joblib.load(name))
    assert all(v == expected["pickle-4.pkl"] for v in expected.values())
    with open("expected.json", "w") as f:
        json.dump({"versions": {"numpy": np.__version__, "joblib": joblib.__version__}, "value": expected["pickle-4.pkl"], "files": sorted(expected)}, f, indent=None, ensure_ascii=True)


if __name__ == "__main__":
    main()
