"""Writes columns.parquet and legacy.parquet: the column types that pyarrow has, with rows that are null, NaN and extreme.

    python columns.py        (needs pyarrow)

columns.ndjson beside them is what the rows of the first mean, written by hand.
"""
import datetime as dt
import decimal

import pyarrow as pa
import pyarrow.parquet as pq

utc = dt.timezone.utc
at = dt.datetime(2026, 11, 22, 10, 15, 0, 250000, tzinfo=utc)
card = pa.struct([("country", pa.string()), ("digits", pa.int32())])
table = pa.table({
    "i8": pa.array([-128, None, 127], pa.int8()),
    "u8": pa.array([255, None, 0], pa.uint8()),
    "u32": pa.array([4294967295, None, 0], pa.uint32()),
    "i64": pa.array([-9223372036854775808, None, 9223372036854775807], pa.int64()),
    "u64": pa.array([18446744073709551615, None, 0], pa.uint64()),
    "f32": pa.array([0.1, None, float("nan")], pa.float32()),
    "f64": pa.array([0.1, float("inf"), float("nan")], pa.float64()),
    "flag": pa.array([True, None, False]),
    "text": pa.array(["a\"b\\\n\u00e9", None, ""]),
    "large": pa.array(["x", None, "y"], pa.large_string()),
    "category": pa.array(["GB", None, "FR"]).dictionary_encode(),
    "price": pa.array([decimal.Decimal("-12.05"), None, decimal.Decimal("0.10")], pa.decimal128(9, 2)),
    "wide": pa.array([decimal.Decimal("-99999999999999999999999999.999"), None, decimal.Decimal("0.001")], pa.decimal128(29, 3)),
    "day": pa.array([dt.date(2026, 11, 22), None, dt.date(1969, 12, 31)]),
    "clock": pa.array([dt.time(10, 15, 0, 5), None, dt.time(0, 0)], pa.time64("us")),
    "ms": pa.array([at, None, dt.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=utc)], pa.timestamp("ms", tz="UTC")),
    "us": pa.array([at, None, None], pa.timestamp("us")),
    "ns": pa.array([at, None, None], pa.timestamp("ns", tz="Europe/London")),
    "card": pa.array([{"country": "GB", "digits": 4}, None, {"country": None, "digits": 5}], card),
    "list": pa.array([[1, None, 3], None, []], pa.list_(pa.int64())),
    "cards": pa.array([[{"country": "GB", "digits": 1}, None], [], None], pa.list_(card)),
    "nested": pa.array([[[1, 2], [], None, [3]], None, [[4]]], pa.list_(pa.list_(pa.int64()))),
    "map": pa.array([[("a", 1), ("b", None)], None, []], pa.map_(pa.string(), pa.int64())),
    "de.4": pa.array([1, 2, 3], pa.int64()),
})
pq.write_table(table, "columns.parquet", compression="zstd", row_group_size=2)
pq.write_table(table.select(["us", "i64", "text"]), "legacy.parquet", compression="snappy",
               use_deprecated_int96_timestamps=True, version="1.0", data_page_version="2.0", use_dictionary=False)
