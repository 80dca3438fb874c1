"""Sound tables for Schemathesis: that text is CSV, with a column of the model's, is beyond a schema."""

import csv
import io

import schemathesis
from hypothesis import strategies as st

COLUMNS = ["amount", "country", "cross_border", "customer_age", "event_time", "tx_count_24h", "unread"]
CELL = st.one_of(st.just(""), st.integers().map(str), st.floats().map(str), st.text(max_size=8))


@st.composite
def tables(draw):
    header = ["terminal_risk", *draw(st.lists(st.sampled_from(COLUMNS), unique=True))]
    header = draw(st.permutations(header))
    rows = draw(st.lists(st.lists(CELL, max_size=len(header) + 1), max_size=5))
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    return out.getvalue().encode("utf-8", "replace")


schemathesis.openapi.media_type("text/csv", tables())


@schemathesis.serializer("text/csv")
def text(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
