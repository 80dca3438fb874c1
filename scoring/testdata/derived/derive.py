"""Derived features as pandas computes them, for the tests: python derive.py SEED > derived.json

Every case is a rule, the dtype of the column, raw events, and what pandas made of them (null: missing).
"""

import json
import sys

import numpy as np
import pandas as pd

ZONES = [None, "UTC", "Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
         "Pacific/Apia", "America/Sao_Paulo"]  # whose rules have long been settled
# Nights on which clocks change, the turns of days, years and eras.
EDGES = ["2026-03-29T00:59:59.999999Z", "2026-03-29T01:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z",
         "2026-03-08T06:59:59Z", "2026-03-08T07:00:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z",
         "2011-12-30T09:59:59Z", "2011-12-30T10:00:00Z", "2024-02-29T23:59:59.999999Z", "2025-12-31T23:59:59Z",
         "1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z", "2026-01-03T23:30:00-05:00", "2026-01-05T00:30:00+05:30",
         "2000-01-01T00:00:00Z", "2036-07-01T12:00:00Z"]


def times(rng, n):
    micros = rng.integers(-int(2e14), int(2.05e15), n)  # 1963 to 2034
    drawn = [pd.Timestamp(int(m), unit="us", tz="UTC").isoformat() for m in micros]
    return EDGES + drawn + [None]


def instants(texts):
    return pd.Series(pd.to_datetime([t and pd.Timestamp(t) for t in texts], utc=True))


def numbers(rng, n):
    drawn = np.concatenate([rng.lognormal(3, 2, n).round(2), rng.normal(0, 50, n), [0.0, 1e-9, 1e15, 0.1, 3.0, np.nan]])
    return drawn


def column(values, dtype):
    """As astype does, missing values kept."""
    if dtype.startswith("int"):
        values = values.where(values.notna())
        return [None if pd.isna(v) else int(v) for v in values]
    return [None if pd.isna(v) else float(np.dtype(dtype).type(v)) for v in values.astype(object).where(values.notna())]


def clocks(rng):
    for zone in ZONES:
        texts = times(rng, 20)
        local = instants(texts).dt.tz_convert(zone or "UTC")
        weekday = local.dt.day_of_week
        for op, values in (("hour", local.dt.hour), ("weekday", weekday), ("day", local.dt.day),
                           ("month", local.dt.month), ("is_weekend", (weekday >= 5).astype(float).where(weekday.notna()))):
            rule = {"op": op, "of": ["event_time"], **({"zone": zone} if zone else {})}
            yield rule, "int64", [{"event_time": t} for t in texts], column(values, "int64")


def spans(rng):
    texts, before = times(rng, 100), times(rng, 100)[::-1]
    at, since = (instants(t) for t in (texts, before))
    events = [{"event_time": t, "opened": b} for t, b in zip(texts, before)]
    for dtype in ("float64", "int64", "float32"):
        yield ({"op": "seconds_between", "of": ["opened", "event_time"]}, dtype, events,
               column((at - since).dt.total_seconds(), dtype))
    epoch = at - pd.Timestamp(0, tz="UTC")
    yield {"op": "epoch_s", "of": ["event_time"]}, "float64", events, column(epoch.dt.total_seconds(), "float64")
    yield {"op": "epoch_s", "of": ["event_time"]}, "int64", events, column(epoch // pd.Timedelta(seconds=1), "int64")


def arithmetic(rng):
    a, b = numbers(rng, 100), rng.permutation(numbers(rng, 100))
    events = [{"a": None if np.isnan(x) else x, "b": None if np.isnan(y) else y} for x, y in zip(a.tolist(), b.tolist())]
    a, b = pd.Series(a), pd.Series(b)
    for dtype in ("float64", "float32"):
        yield {"op": "ratio", "of": ["a", "b"]}, dtype, events, column((a / b).where(b != 0), dtype)
        yield {"op": "difference", "of": ["a", "b"]}, dtype, events, column(a - b, dtype)
        with np.errstate(invalid="ignore"):
            yield {"op": "log1p", "of": ["a"]}, dtype, events, column(np.log1p(a), dtype)
    whole = pd.Series([0, 7, -3, 10**15])
    yield ({"op": "difference", "of": ["a", "b"]}, "int64", [{"a": int(v), "b": 5} for v in whole],
           column(whole - 5, "int64"))


def main(seed):
    rng = np.random.default_rng(seed)
    cases = [{"from": rule, "dtype": dtype, "events": events, "want": want}
             for part in (clocks, spans, arithmetic) for rule, dtype, events, want in part(rng)]
    print("[\n" + ",\n".join(json.dumps(c, allow_nan=False) for c in cases) + "\n]")


if __name__ == "__main__":
    main(int(sys.argv[1]))
