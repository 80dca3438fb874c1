"""Hand a fitted scikit-learn pipeline over to fraudstream.

Copy this file beside your training script and call, after ``fit()``::

    from fraudstream_bundle import save_bundle

    save_bundle(pipeline, X_train, X_holdout, "bundle", name="card-fraud", version="2026-11-01",
                thresholds={"review": 0.3, "block": 0.8}, y_holdout=y_holdout)

It writes a folder of three files, which ``fraudstream`` loads whole:

* ``model.joblib``: the pipeline, as ``joblib.dump`` writes it;
* ``metadata.json``: hashes, features, what training looked like (for drift), thresholds;
* ``golden.json``: held-out rows and the scores the pipeline gave them. Before a model takes traffic
  it must reproduce them.

``X_train`` must be drawn as live traffic is: before over- or under-sampling. Where the pipeline was
fitted on resampled rows, still pass the natural ones. ``X_holdout`` must be rows that the pipeline
was not fitted on: scores of training rows flatter a model so much that clean traffic would alarm.
Both are DataFrames with the columns in the order of the fit.

Features that pandas computed from fields of the event before ``fit()`` can be declared, so that the
scorer computes them from raw events in the same way::

    save_bundle(..., derived={"hour": {"op": "hour", "of": ["event_time"], "zone": "Europe/London"},
                              "age_s": {"op": "seconds_between", "of": ["opened", "event_time"]}},
                events=raw_holdout[["event_time", "opened"]])

They are checked against X_holdout, and the golden rows get the raw events that must give them. The
operations are hour, weekday (Monday 0), day, month, is_weekend, epoch_s, seconds_between (second minus
first), ratio (first by second; by zero is missing), difference (first minus second) and log1p; an
operand is a column of ``events`` or a feature. Counts per card and the like need a memory that the
scorer has not: compute them upstream and send them as fields.

With ``train_times`` the baselines are split by the hour of the week, so that a mix which differs
between day and night does not alarm every evening.

The same input gives the same bytes: nothing here reads the clock or draws unseeded numbers.
"""

from __future__ import annotations

import collections
import hashlib
import json
import math
import platform
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import sklearn

SCHEMA = 1
BINS = 10  # of a numeric baseline, the deciles
LISTED = 40  # categories that a categorical baseline counts one by one
KNOWN_LIMIT = 100_000  # further trained categories that are still worth listing
TRIAL_ROWS = 40  # rows on which a missing value is tried
UNSEEN = "never seen in training"
HOURS_OF_WEEK = 168
OK, MISSING, OUTSIDE, UNSEEN_CELL = range(4)  # the quality of a value
CLOCKS = ("hour", "weekday", "day", "month", "is_weekend", "epoch_s")  # whatever drifts in them is the time
TIMED = CLOCKS + ("seconds_between",)
ARITHMETIC = ("ratio", "difference", "log1p")
OPERANDS = {"seconds_between": 2, "ratio": 2, "difference": 2}  # of the others one


def save_bundle(pipeline, X_train, X_holdout, path, *, name, version, positive_class=1, thresholds=None,
                y_holdout=None, golden_rows=200, created=None, drift=None, hyperparameters=None, reasons=None,
                weighting="natural", dataset=None, tolerance=None, compress=0, derived=None, events=None,
                train_times=None, holdout_times=None):
    """Write the bundle folder ``path`` and return its metadata as a dict.

    thresholds       {"review": 0.3, "block": 0.8}; either may stand alone
    y_holdout        known outcomes of X_holdout, for the metrics and for ``model verify``
    created          an RFC 3339 time to be recorded; absent where it is not given
    drift            per feature, {"hour": {"enabled": False}, "amount": {"tolerance": 0.05}}
    hyperparameters  default: get_params() of the pipeline, as text
    reasons          per feature, {"amount": {"code": "R01", "text": "unusual amount"}}
    weighting        "resampled" where X_train is not natural after all: drift then shows, but never alarms
    tolerance        largest difference of a golden score; default 1e-12, 1e-9 where the pipeline holds an SVC or
                     NuSVC, whose large coefficients nearly cancel, and 1e-6 where it holds an estimator of XGBoost
                     or reads columns of float32, since scikit-learn too then computes in float32
    compress         zlib level of model.joblib
    derived          per feature, {"hour": {"op": "hour", "of": ["event_time"], "zone": "Europe/London"}}
    events           DataFrame of the fields that derived features are computed from, row by row with X_holdout
    train_times      event times of X_train, for baselines by the hour of the week; naive times are UTC
    holdout_times    the same of X_holdout, for the score; default: the column event_time of events
    """
    _check_frames(pipeline, X_train, X_holdout)
    if holdout_times is None and events is not None and "event_time" in events:
        holdout_times = events["event_time"]
    derivations = _Derivations(derived or {}, X_holdout, events, holdout_times)
    hours = _hours_of_week(train_times, len(X_train), "train_times")
    for option, given in (("drift", drift), ("reasons", reasons)):
        _check_names(option, given, X_train)
    score_hours = None if hours is None else _hours_of_week(holdout_times, len(X_holdout), "holdout_times")
    model = _Model(pipeline, positive_class)
    columns = _columns(pipeline, X_train)
    for column in columns:
        column.missing_allowed = _missing_allowed(model, columns, column, X_holdout)
    scores = model.score(X_holdout)
    _check_thresholds(thresholds, model)

    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(pipeline, folder / "model.joblib", compress=compress)
    golden = _golden(model, columns, X_holdout, y_holdout, scores, thresholds, golden_rows, derivations)
    (folder / "golden.json").write_bytes(_golden_bytes(golden))

    metadata = {
        "schema": SCHEMA,
        "name": name,
        "version": version,
        "created": created,
        "model": {
            "file": "model.joblib",
            "format": "joblib",
            "sha256": _sha256(folder / "model.joblib"),
            "classes": [_plain(c) for c in model.classes],
            "positive_class": _plain(model.positive_class),
            "output": model.output,
            "fraud_is": model.fraud_is,
        },
        "golden": {"file": "golden.json", "sha256": _sha256(folder / "golden.json"),
                   "tolerance": _tolerance(pipeline, X_train) if tolerance is None else tolerance},
        "environment": _environment(),
        "baseline": {"rows": len(X_train), "weighting": weighting},
        "features": [_feature(c, X_train[c.name], drift, derivations.rules.get(c.name), hours) for c in columns],
        "score": {"baseline": {"rows": len(X_holdout), **numeric_baseline(scores, score_hours)}},
        "thresholds": thresholds and {k: float(v) for k, v in thresholds.items()},
        "training": {"rows": len(X_train), "dataset": dataset, "sha256": _frame_sha256(X_train)},
        "metrics": _metrics(y_holdout, scores, model),
        "hyperparameters": _hyperparameters(pipeline) if hyperparameters is None else hyperparameters,
        "reasons": reasons,
    }
    metadata["training"] = {k: v for k, v in metadata["training"].items() if v is not None}
    metadata = {k: v for k, v in metadata.items() if v is not None}
    (folder / "metadata.json").write_bytes(_metadata_bytes(metadata))
    return metadata


# What the model says.


class _Model:
    """The pipeline with the one output that is the score."""

    def __init__(self, pipeline, positive_class):
        self.pipeline = pipeline
        final = _final(pipeline)
        # Outlier detectors have no classes_: predict says -1 for an outlier, which is the fraud.
        self.outlier = not hasattr(pipeline, "classes_") and hasattr(final, "offset_")
        if not self.outlier and not hasattr(pipeline, "classes_"):
            raise ValueError(f"this {type(pipeline).__name__} has no classes_: a fitted classifier is expected, or a "
                             "pipeline that ends in one; a search needs refit=True")
        self.classes = [-1, 1] if self.outlier else list(pipeline.classes_)
        wanted = -1 if self.outlier else positive_class
        if wanted not in self.classes:
            raise ValueError(f"positive_class {positive_class!r} is none of the classes {self.classes}")
        self.positive_class = self.classes[self.classes.index(wanted)]  # 1 is True where the labels are booleans
        self.output = next(o for o in ("predict_proba", "decision_function", "predict") if hasattr(pipeline, o))
        if self.output == "decision_function" and len(self.classes) > 2:
            raise ValueError("a decision_function of more than two classes is no score; "
                             "wrap the estimator in CalibratedClassifierCV")
        self.fraud_is = self._fraud_is()

    def _fraud_is(self):
        first = self.positive_class == self.classes[0]
        if self.outlier or (self.output == "decision_function" and first):
            return "low"
        return "high"

    def score(self, frame):
        out = np.asarray(getattr(self.pipeline, self.output)(frame))
        if self.output == "predict_proba":
            out = out[:, self.classes.index(self.positive_class)]
        return out.astype(np.float64)

    def scores_or_none(self, frame):
        """The scores, or None where scikit-learn raises or a score is not finite."""
        try:
            out = self.score(frame)
        except Exception:  # whatever an estimator raises, the row has no score
            return None
        return out if np.isfinite(out).all() else None


def _tolerance(pipeline, X):
    parts = [type(p) for p in (pipeline, *pipeline.get_params(deep=True).values())]
    if any(p.__module__.startswith("xgboost.") for p in parts) or any(str(d).lower() == "float32" for d in X.dtypes):
        return 1e-6
    return 1e-9 if any(p.__name__ in ("SVC", "NuSVC") for p in parts) else 1e-12


def _final(pipeline):
    return pipeline.steps[-1][1] if hasattr(pipeline, "steps") else pipeline


# Columns: how a row of JSON becomes a row of the frame and back.


class _Column:
    """One feature: its dtype, its kind and what a missing value is."""

    def __init__(self, series, name, categories):
        self.name = name
        self.dtype = series.dtype
        self.numeric_dtype = pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(series.dtype)
        self.categorical = categories is not None or not self.numeric_dtype
        self.categories = [] if categories is None else list(categories)
        if isinstance(self.dtype, pd.CategoricalDtype):
            self.categories = list(self.dtype.categories)
        self.missing_as = "none" if self._holds_none(series) else "nan"
        self.missing_allowed = True

    @staticmethod
    def _holds_none(series):
        if series.dtype != object:
            return False
        missing = [v for v in series[series.isna()]]
        return bool(missing) and all(v is None for v in missing)

    def series(self, values):
        """The column of the frame that these JSON values stand for."""
        if isinstance(self.dtype, pd.api.extensions.ExtensionDtype):
            return pd.Series(values, dtype=self.dtype)
        if self.numeric_dtype:
            if any(v is None for v in values):
                wide = self.dtype if self.dtype in (np.float32, np.float16) else np.float64
                return pd.Series([np.nan if v is None else v for v in values], dtype=wide)
            return pd.Series(values, dtype=self.dtype)
        if self.dtype == object:
            marker = None if self.missing_as == "none" else np.nan
            return pd.Series([marker if v is None else v for v in values], dtype=object)
        raise TypeError(f"column {self.name!r} is of dtype {self.dtype}; turn it into numbers or texts before fit()")

    def unseen(self):
        """A category that training never had; None where the column cannot hold one."""
        if isinstance(self.dtype, pd.CategoricalDtype) or not self.categorical:
            return None
        if self.numeric_dtype:
            if self.dtype == bool:
                return None
            return _plain(max([int(c) for c in self.categories if _finite(c)], default=0)) + 1
        texts = all(isinstance(c, str) for c in self.categories if not _is_missing(c))
        return UNSEEN if texts else None


def _columns(pipeline, X):
    encoded = _encoded(pipeline, list(X.columns))
    return [_Column(X[c], str(c), encoded.get(c)) for c in X.columns]


def _frame(columns, rows):
    return pd.DataFrame({c.name: c.series([row[i] for row in rows]) for i, c in enumerate(columns)})


def _rows(columns, frame):
    cells = [[_plain(v) for v in frame[c.name]] for c in columns]
    return [list(row) for row in zip(*cells)]


def _encoded(estimator, names):
    """The columns that an encoder or a native category reads, each with its trained categories.

    Columns are followed as far as they keep their places: through pipelines, column transformers,
    imputers and searches. An encoder of anything else reads no column of the frame.
    """
    for attribute in ("best_estimator_", "estimator_"):
        if hasattr(estimator, attribute):
            return _encoded(getattr(estimator, attribute), names)
    if hasattr(estimator, "calibrated_classifiers_"):
        return _encoded(estimator.calibrated_classifiers_[0].estimator, names)
    if hasattr(estimator, "steps"):
        return _encoded_by_steps(estimator, names)
    if hasattr(estimator, "transformers_"):
        return _encoded_by_columns(estimator, names)
    if hasattr(estimator, "transformer_list"):
        return _merged(_encoded(t, names) for _, t in estimator.transformer_list)
    if hasattr(estimator, "named_estimators_"):
        return _merged(_encoded(t, names) for t in estimator.named_estimators_.values())
    categories = getattr(estimator, "categories_", None)
    if isinstance(categories, list) and len(categories) == len(names):
        return dict(zip(names, categories))
    native = getattr(estimator, "is_categorical_", None)
    if native is not None and len(native) == len(names):
        return {n: [] for n, c in zip(names, native) if c}
    return {}


def _encoded_by_steps(pipeline, names):
    found = {}
    for _, step in pipeline.steps:
        if step is None or step == "passthrough":
            continue
        found = _merged([found, _encoded(step, names)])
        if not _keeps_places(step, len(names)):
            break
    return found


def _encoded_by_columns(transformer, names):
    return _merged(_encoded(step, _chosen(names, selected)) for _, step, selected in transformer.transformers_
                   if not isinstance(step, str))


def _chosen(names, selected):
    """The names behind a column selection: a name, names, numbers, a mask, or a slice of either."""
    if isinstance(selected, slice):
        if isinstance(selected.start, str) or isinstance(selected.stop, str):
            selected = pd.Index(names).slice_indexer(selected.start, selected.stop, selected.step)
        return names[selected]
    marks = np.atleast_1d(np.asarray(selected))
    if marks.dtype == bool:
        return [n for n, chosen in zip(names, marks) if chosen]
    return [m if isinstance(m, str) else names[m] for m in marks.tolist()]


def _keeps_places(step, width):
    if hasattr(step, "statistics_"):  # SimpleImputer: unless it adds indicators or drops an empty column
        statistics = step.statistics_
        numbers = [v for v in statistics if isinstance(v, (float, np.floating))]
        return not step.add_indicator and len(statistics) == width and not any(math.isnan(v) for v in numbers)
    return type(step).__name__ in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler",
                                   "RandomUnderSampler", "RandomOverSampler", "SMOTE", "SMOTENC")


def _merged(parts):
    found = {}
    for part in parts:
        for name, categories in part.items():
            found[name] = list(found.get(name, [])) + list(categories)
    return found


def _missing_allowed(model, columns, column, X):
    """Whether the pipeline gives a score when this value alone is null: found by trying."""
    i = columns.index(column)
    rows = [r for r in _rows(columns, X.head(10 * TRIAL_ROWS)) if _whole(r)][:TRIAL_ROWS]
    if not rows:
        raise ValueError("X_holdout has no row without infinite values among its first rows")
    # The first row keeps its value, so that the column keeps its dtype where pandas would guess one.
    trial = [list(r) for r in rows[:1] + rows]
    for row in trial[1:]:
        row[i] = None
    return model.scores_or_none(_frame(columns, trial)) is not None


# Baselines.


def _feature(column, series, drift, rule, hours):
    feature = {"name": column.name, "kind": "categorical" if column.categorical else "numeric",
               "dtype": str(column.dtype), "missing": "allowed" if column.missing_allowed else "rejected"}
    watch = dict((drift or {}).get(column.name, {}))
    if rule:
        feature["from"] = rule
        if rule["op"] in CLOCKS:
            watch = {"enabled": False, **watch}
    if not watch.get("enabled", True):
        hours = None
    if column.categorical:
        if column.missing_allowed:
            feature["missing_as"] = column.missing_as
        feature["baseline"] = categorical_baseline(series, column.categories, hours)
    else:
        feature["baseline"] = numeric_baseline(series.to_numpy(dtype=np.float64, na_value=np.nan), hours)
    if watch:
        feature["drift"] = watch
    return feature


def numeric_baseline(values, hours=None):
    """Counts and sums per quantile bin (e[i-1], e[i]], and the moments of the finite values."""
    values = np.asarray(values, dtype=np.float64)
    usable = np.isfinite(values)
    finite = values[usable]
    edges = _edges(finite)
    places = np.searchsorted(edges, finite, side="left")  # x <= e[0] falls in 0, x > e[last] in the last
    cells = [finite[places == b] for b in range(len(edges) + 1)]
    baseline = {
        "edges": [float(e) for e in edges],
        "counts": [len(c) for c in cells],
        "sums": [math.fsum(c) for c in cells],
    }
    if len(finite):
        baseline.update(min=float(finite.min()), max=float(finite.max()),
                        mean=math.fsum(finite) / len(finite), std=float(finite.std()))
    baseline["missing"] = int(np.isnan(values).sum())
    baseline["infinite"] = int(np.isinf(values).sum())
    if hours is not None:
        quality = np.where(usable, OK, np.where(np.isnan(values), MISSING, OUTSIDE))
        baseline["seasonal"] = _seasonal(hours[usable], places, len(cells), hours, quality)
    return baseline


def _edges(finite):
    """Strictly ascending edges below the maximum; every value but the last where there are few."""
    distinct = np.unique(finite)
    if len(distinct) <= 1:
        return distinct
    if len(distinct) <= BINS:
        return distinct[:-1]
    edges = np.unique(np.quantile(finite, np.arange(1, BINS) / BINS))
    return edges[edges < distinct[-1]]


def categorical_baseline(series, trained=(), hours=None):
    """Counts of the most frequent categories as text, and the names of all others that were trained."""
    counts = collections.Counter()
    if series.dtype == object:  # True and 1 may stand in one column, and are two categories
        counts.update(_text(v) for v in series if not _is_missing(v))
    else:
        for value, n in series.value_counts(sort=False).items():
            counts[_text(value)] += int(n)
    present = sum(counts.values())
    ranked = sorted(((t, n) for t, n in counts.items() if n), key=lambda item: (-item[1], item[0]))
    listed, rest = ranked[:LISTED], ranked[LISTED:]
    known = {t for t, _ in rest} | {_text(v) for v in trained if not _is_missing(v)}
    known -= {t for t, _ in listed}
    baseline = {"values": [t for t, _ in listed], "counts": [n for _, n in listed],
                "other": sum(n for _, n in rest), "known": sorted(known),
                "missing": len(series) - present}
    if len(known) > KNOWN_LIMIT:
        del baseline["known"]
    if hours is not None:
        place = {t: i for i, (t, _) in enumerate(listed)}
        present = ~series.isna().to_numpy(dtype=bool)
        cells = np.array([place.get(_text(v), len(listed)) for v in series[present]], dtype=np.intp)
        quality = np.where(present, OK, MISSING)
        if "known" not in baseline and not len(trained):  # then nothing tells the rest from what is new
            quality[np.flatnonzero(present)[cells == len(listed)]] = UNSEEN_CELL
        baseline["seasonal"] = _seasonal(hours[present], cells, len(listed) + 1, hours, quality)
    return baseline


def _seasonal(value_hours, cells, width, hours, quality):
    """The cells of a baseline, and its quality, split by the hour of the week."""
    def table(at, columns, n):
        counted = np.zeros((HOURS_OF_WEEK, n), dtype=np.int64)
        np.add.at(counted, (at, columns), 1)
        return counted.tolist()

    return {"by": "hour_of_week_utc", "values": table(value_hours, cells, width), "quality": table(hours, quality, 4)}


def _hours_of_week(times, rows, label):
    """For every time 0 for Monday 00:00 to 00:59 UTC, to 167; None where there are no times."""
    if times is None:
        return None
    at = _times(times)
    if len(at) != rows or at.isna().any():
        raise ValueError(f"{label} must have one time for each of the {rows} rows")
    return (at.dt.day_of_week * 24 + at.dt.hour).to_numpy(dtype=np.intp)


# Golden rows.


def _golden(model, columns, X, y, scores, thresholds, wanted, derivations):
    """Natural rows, rows near each threshold, and rows with one value missing or one category unseen.

    Where features are derived, every row has the raw event that must give it."""
    order = np.random.default_rng(20).permutation(len(X))
    picks = _picks(order, scores, y, thresholds, model, wanted)
    rows = _rows(columns, X.iloc[picks])
    usable = [k for k, row in enumerate(rows) if _whole(row)]
    rows, picks = [rows[k] for k in usable], [picks[k] for k in usable]
    if not rows:
        raise ValueError("X_holdout has no row without infinite values to make golden rows of")

    events = [derivations.event(columns, row, k) for row, k in zip(rows, picks)]
    _change(model, columns, rows, events, derivations)
    rows = json.loads(json.dumps(rows, allow_nan=False))
    frame = _frame(columns, rows)
    golden = {"columns": [c.name for c in columns], "rows": rows,
              "score": [float(s) for s in model.score(frame)],
              "predicted": [_plain(p) for p in model.pipeline.predict(frame)]}
    if derivations.rules:
        golden["events"] = events
    if y is not None:
        golden["truth"] = [_plain(v) for v in np.asarray(y)[picks]]
    return golden


def _picks(order, scores, y, thresholds, model, wanted):
    """Row numbers: a quarter near the thresholds, on both sides of each, some known frauds, the rest as they come."""
    picks = []
    cuts = sorted((thresholds or {}).values())
    for cut in cuts:
        near = order[np.argsort(np.abs(scores[order] - cut), kind="stable")]
        for side in (near[scores[near] < cut], near[scores[near] >= cut]):
            picks += side[: max(1, wanted // (8 * len(cuts)))].tolist()
    if y is not None:
        frauds = order[np.asarray(y)[order] == model.positive_class]
        picks += frauds[: wanted // 8].tolist()
    picks += order[:wanted].tolist()
    # Each row once, natural rows last: those are the ones that get a value changed.
    return list(dict.fromkeys(picks))[:wanted]


def _change(model, columns, rows, events, derivations):
    """Give rows at the end one missing value or one unseen category each, in turn, where a score comes of it."""
    changes = _changes(columns, derivations)
    start = max(0, len(rows) - max(len(rows) // 3, len(changes)))
    for turn, k in enumerate(range(start, len(rows)) if changes else ()):
        name, value = changes[turn % len(changes)]
        event = {**events[k], name: value}
        changed = [value if c.name == name and name not in derivations.rules else v for c, v in zip(columns, rows[k])]
        changed = derivations.row(columns, changed, event)
        if model.scores_or_none(_frame(columns, [rows[0], changed])) is not None:
            rows[k], events[k] = changed, event


def _changes(columns, derivations):
    """What to change, by name: a feature that is a field, or a field that features are derived from."""
    fields = [c for c in columns if c.name not in derivations.rules]
    changes = [(c.name, None) for c in fields if c.missing_allowed]
    changes += [(c.name, c.unseen()) for c in fields if c.unseen() is not None]
    return changes + [(name, None) for name in derivations.fields]


# Derived features: what the scorer computes from an event, as pandas did before fit.


class _Derivations:
    """The rules of derived features, checked against X_holdout, and the fields that they read."""

    def __init__(self, rules, X, events, times):
        self.rules = {name: dict(rule) for name, rule in rules.items()}
        unknown = set(rules) - set(X.columns)
        if unknown:
            raise ValueError(f"derived features {sorted(unknown)} are no columns")
        if events is not None and len(events) != len(X):
            raise ValueError(f"events has {len(events)} rows, X_holdout {len(X)}")
        self.plain = {c for c in X.columns if c not in rules}
        self.fields = {}  # JSON values by field, where it is no feature
        for name, rule in self.rules.items():
            self._check(name, rule, X, events, times)

    def _check(self, name, rule, X, events, times):
        op, of = rule.get("op"), rule.get("of", [])
        if op not in TIMED + ARITHMETIC:
            raise ValueError(f"derived[{name!r}]: op {op!r} is none of {TIMED + ARITHMETIC}")
        if len(of) != OPERANDS.get(op, 1):
            raise ValueError(f"derived[{name!r}]: {op} is computed from {OPERANDS.get(op, 1)} fields, not from {of}")
        for field in of:
            if field in self.plain and op not in TIMED:
                continue
            if events is not None and field in events:
                values = events[field]
            elif field == "event_time" and times is not None:
                values = pd.Series(times)
            else:
                raise ValueError(f"derived[{name!r}]: {field!r} is no column of events")
            if op in TIMED:
                self.fields[field] = [None if pd.isna(t) else t.isoformat() for t in _times(values)]
            else:
                self.fields[field] = [_plain(v) for v in values]
        made = derive(rule, {f: X[f] if f in self.plain and op not in TIMED else self.fields[f] for f in of}, X[name].dtype)
        have = X[name].to_numpy(dtype=np.float64, na_value=np.nan)
        slack = 2.0**-21 if X[name].dtype == np.float32 else 2.0**-50
        wrong = ~((made == have) | (np.isnan(made) & np.isnan(have)) | (np.abs(made - have) <= slack * np.abs(have)))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"derived[{name!r}]: row {row} of X_holdout has {have[row]!r}, but {op} of {of} gives "
                             f"{made[row]!r}; {int(wrong.sum())} of {len(X)} rows differ")

    def event(self, columns, row, k):
        """The raw event that row number k, with these cells, was made of."""
        event = {c.name: v for c, v in zip(columns, row) if c.name not in self.rules}
        return {**event, **{name: values[k] for name, values in self.fields.items()}}

    def row(self, columns, row, event):
        """The row with its derived cells computed from the event."""
        return [self._cell(c, event) if c.name in self.rules else v for c, v in zip(columns, row)]

    def _cell(self, column, event):
        rule = self.rules[column.name]
        value = derive(rule, {f: [event[f]] for f in rule["of"]}, column.dtype)[0]
        if math.isnan(value):
            return None
        if pd.api.types.is_bool_dtype(column.dtype):
            return bool(value)
        return int(value) if pd.api.types.is_integer_dtype(column.dtype) else float(value)


def derive(rule, fields, dtype=np.float64):
    """What a rule makes of fields, lists of JSON values by name: float64, NaN where it has no value."""
    whole = pd.api.types.is_integer_dtype(dtype)
    if rule["op"] in TIMED:
        made = _derive_from_times(rule, [_times(fields[name]) for name in rule["of"]], whole)
    else:
        numbers = [pd.Series(list(fields[name])).astype("float64") for name in rule["of"]]
        with np.errstate(all="ignore"):
            made = _derive_from_numbers(rule["op"], *numbers)
    made = made.to_numpy(dtype=np.float64, na_value=np.nan)
    if whole:
        return np.trunc(made)
    return made.astype(np.float32).astype(np.float64) if dtype == np.float32 else made


def _derive_from_times(rule, times, whole):
    op, at = rule["op"], times[0]
    if op == "seconds_between":
        return (times[1] - at).dt.total_seconds()
    if op == "epoch_s":
        since = at - pd.Timestamp(0, tz="UTC")
        return since // pd.Timedelta(seconds=1) if whole else since.dt.total_seconds()
    local = at.dt.tz_convert(rule.get("zone", "UTC")).dt
    if op == "is_weekend":
        return (local.day_of_week >= 5).astype("float64").where(at.notna())
    return getattr(local, "day_of_week" if op == "weekday" else op)


def _derive_from_numbers(op, first, second=None):
    if op == "ratio":
        return (first / second).where(second != 0)
    return np.log1p(first) if op == "log1p" else first - second


def _times(values):
    """Datetimes or RFC 3339 texts as a Series in UTC. Naive ones are UTC."""
    series = pd.Series(values).reset_index(drop=True)
    if not pd.api.types.is_datetime64_any_dtype(series.dtype):
        if pd.api.types.is_numeric_dtype(series.dtype) and series.notna().any():
            raise TypeError("times must be datetimes or RFC 3339 texts, not numbers")
        series = pd.Series([pd.NaT if _is_missing(v) or v is pd.NaT else pd.Timestamp(v) for v in series], dtype=object)
    return pd.Series(pd.to_datetime(series, utc=True))


def _golden_bytes(golden):
    def line(value):
        return json.dumps(value, allow_nan=False, ensure_ascii=False)

    rows = ",\n".join(line(row) for row in golden["rows"])
    parts = [f'"columns": {line(golden["columns"])}', f'"rows": [\n{rows}\n]']
    parts += [f'"{key}": {line(golden[key])}' for key in ("score", "predicted", "truth") if key in golden]
    if "events" in golden:
        parts.append('"events": [\n' + ",\n".join(line(event) for event in golden["events"]) + "\n]")
    return ("{" + ",\n".join(parts) + "}\n").encode()


# The rest of the metadata.


def _metadata_bytes(metadata):
    def line(value):
        return json.dumps(value, allow_nan=False, ensure_ascii=False)

    parts = []
    for key, value in metadata.items():
        if key == "features":
            features = ",\n".join("  " + line(f) for f in value)
            parts.append(f' "features": [\n{features}\n ]')
        else:
            parts.append(f" {line(key)}: {line(value)}")
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _environment():
    return {"python": platform.python_version(), "scikit_learn": sklearn.__version__, "numpy": np.__version__,
            "joblib": joblib.__version__, "pandas": pd.__version__}


def _metrics(y, scores, model):
    if y is None:
        return None
    from sklearn.metrics import average_precision_score, roc_auc_score

    truth = np.asarray(y) == model.positive_class
    if truth.all() or not truth.any():
        return None
    risk = scores if model.fraud_is == "high" else -scores
    return {"roc_auc": float(roc_auc_score(truth, risk)),
            "average_precision": float(average_precision_score(truth, risk))}


def _hyperparameters(pipeline):
    simple = (bool, int, float, str, type(None))
    return {k: repr(v) for k, v in sorted(pipeline.get_params().items()) if isinstance(v, simple)}


def _check_frames(pipeline, X_train, X_holdout):
    for label, frame in (("X_train", X_train), ("X_holdout", X_holdout)):
        if not isinstance(frame, pd.DataFrame):
            raise TypeError(f"{label} is a {type(frame).__name__}; the names of the features need a DataFrame")
        if len(frame) == 0:
            raise ValueError(f"{label} has no rows")
        if len(set(map(str, frame.columns))) != len(frame.columns):
            raise ValueError(f"{label} has two columns of one name")
    if list(X_train.columns) != list(X_holdout.columns):
        raise ValueError("X_train and X_holdout have different columns")
    fitted = getattr(pipeline, "feature_names_in_", None)
    if fitted is None:
        return
    fitted, given = list(map(str, fitted)), list(map(str, X_train.columns))
    # LightGBM writes a space in a name as _.
    if fitted != given and fitted != [c.replace(" ", "_") for c in given]:
        raise ValueError(f"the pipeline was fitted on {fitted}, X_train has {given}")


def _check_names(option, given, X):
    unknown = set(given or {}) - set(map(str, X.columns))
    if unknown:
        raise ValueError(f"{option}: {sorted(unknown)} are no columns of X_train")
    wrong = [name for name, value in (given or {}).items() if not isinstance(value, dict)]
    if wrong:
        raise ValueError(f"{option}[{wrong[0]!r}] must be a dict, such as {{'code': 'R01', 'text': 'unusual amount'}}"
                         if option == "reasons" else f"drift[{wrong[0]!r}] must be a dict, such as {{'enabled': False}}")


def _check_thresholds(thresholds, model):
    if not thresholds:
        return
    if model.output == "predict_proba" and not all(0 <= t <= 1 for t in thresholds.values()):
        raise ValueError(f"thresholds {thresholds} are no probabilities")
    unknown = set(thresholds) - {"review", "block"}
    if unknown:
        raise ValueError(f"thresholds know review and block, not {sorted(unknown)}")
    if len(thresholds) == 2:
        review, block = thresholds["review"], thresholds["block"]
        if (review > block) if model.fraud_is == "high" else (review < block):
            raise ValueError(f"thresholds crossed: review {review}, block {block}, fraud is {model.fraud_is}")


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _frame_sha256(frame):
    return hashlib.sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()


# Values.


def _is_missing(value):
    return value is None or value is pd.NA or (isinstance(value, (float, np.floating)) and math.isnan(value))


def _finite(value):
    return isinstance(value, (int, float, np.integer, np.floating)) and math.isfinite(value)


def _plain(value):
    """The JSON value of a cell; null where it is missing."""
    if _is_missing(value):
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"a value of type {type(value).__name__} has no place in JSON; turn it into a number or a text "
                    "before fit()")


def _whole(row):
    return all(not isinstance(v, float) or math.isfinite(v) for v in row)


def _text(value):
    """A category as text: true and false, the decimal digits of an integer, 5411 for 5411.0."""
    plain = _plain(value)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, float):
        return str(int(plain)) if plain.is_integer() else repr(plain)
    return str(plain)
