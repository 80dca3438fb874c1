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


def save_bundle(pipeline, X_train, X_holdout, path, *, name, version, positive_class=1, thresholds=None,
                y_holdout=None, golden_rows=200, created=None, drift=None, hyperparameters=None, reasons=None,
                weighting="natural", dataset=None, tolerance=1e-12, compress=0):
    """Write the bundle folder ``path`` and return its metadata as a dict.

    thresholds       {"review": 0.3, "block": 0.8}; either may stand alone
    y_holdout        known outcomes of X_holdout, for the metrics and for ``model verify``
    created          an RFC 3339 time to be recorded; absent where it is not given
    drift            per feature, {"hour": {"enabled": False}, "amount": {"tolerance": 0.05}}
    hyperparameters  default: get_params() of the pipeline, as text
    reasons          per feature, {"amount": {"code": "R01", "text": "unusual amount"}}
    weighting        "resampled" where X_train is not natural after all: drift then shows, but never alarms
    tolerance        largest difference of a golden score; 1e-12 suits scikit-learn, 1e-6 XGBoost
    compress         zlib level of model.joblib
    """
    _check_frames(pipeline, X_train, X_holdout)
    model = _Model(pipeline, positive_class)
    columns = _columns(pipeline, X_train)
    for column in columns:
        column.missing_allowed = _missing_allowed(model, columns, column, X_holdout)
    scores = model.score(X_holdout)
    _check_thresholds(thresholds, model)

    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(pipeline, folder / "model.joblib", compress=compress)
    golden = _golden(model, columns, X_holdout, y_holdout, scores, thresholds, golden_rows)
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
        "golden": {"file": "golden.json", "sha256": _sha256(folder / "golden.json"), "tolerance": tolerance},
        "environment": _environment(),
        "baseline": {"rows": len(X_train), "weighting": weighting},
        "features": [_feature(c, X_train[c.name], drift) for c in columns],
        "score": {"baseline": {"rows": len(X_holdout), **numeric_baseline(scores)}},
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
        self.classes = [-1, 1] if self.outlier else list(pipeline.classes_)
        self.positive_class = -1 if self.outlier else positive_class
        if self.positive_class not in self.classes:
            raise ValueError(f"positive_class {positive_class!r} is none of the classes {self.classes}")
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


def _feature(column, series, drift):
    feature = {"name": column.name, "kind": "categorical" if column.categorical else "numeric",
               "dtype": str(column.dtype), "missing": "allowed" if column.missing_allowed else "rejected"}
    if column.categorical:
        if column.missing_allowed:
            feature["missing_as"] = column.missing_as
        feature["baseline"] = categorical_baseline(series, column.categories)
    else:
        feature["baseline"] = numeric_baseline(series.to_numpy(dtype=np.float64, na_value=np.nan))
    if drift and column.name in drift:
        feature["drift"] = drift[column.name]
    return feature


def numeric_baseline(values):
    """Counts and sums per quantile bin (e[i-1], e[i]], and the moments of the finite values."""
    values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
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


def categorical_baseline(series, trained=()):
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
    return baseline


# Golden rows.


def _golden(model, columns, X, y, scores, thresholds, wanted):
    """Natural rows, rows near each threshold, and rows with one value missing or one category unseen."""
    order = np.random.default_rng(20).permutation(len(X))
    picks = _picks(order, scores, y, thresholds, model, wanted)
    rows = _rows(columns, X.iloc[picks])
    usable = [k for k, row in enumerate(rows) if _whole(row)]
    rows, picks = [rows[k] for k in usable], [picks[k] for k in usable]
    if not rows:
        raise ValueError("X_holdout has no row without infinite values to make golden rows of")

    _change(model, columns, rows)
    rows = json.loads(json.dumps(rows, allow_nan=False))
    frame = _frame(columns, rows)
    golden = {"columns": [c.name for c in columns], "rows": rows,
              "score": [float(s) for s in model.score(frame)],
              "predicted": [_plain(p) for p in model.pipeline.predict(frame)]}
    if y is not None:
        golden["truth"] = [_plain(v) for v in np.asarray(y)[picks]]
    return golden


def _picks(order, scores, y, thresholds, model, wanted):
    """Row numbers: a quarter near the thresholds, some known frauds, the rest as they come."""
    picks = []
    cuts = sorted((thresholds or {}).values())
    for cut in cuts:
        near = order[np.argsort(np.abs(scores[order] - cut), kind="stable")]
        picks += near[: wanted // (4 * len(cuts))].tolist()
    if y is not None:
        frauds = order[np.asarray(y)[order] == model.positive_class]
        picks += frauds[: wanted // 8].tolist()
    picks += order[:wanted].tolist()
    # Each row once, natural rows last: those are the ones that get a value changed.
    return list(dict.fromkeys(picks))[:wanted]


def _change(model, columns, rows):
    """Give rows at the end one missing value or one unseen category each, in turn, where a score comes of it."""
    changes = _changes(columns)
    start = max(0, len(rows) - max(len(rows) // 3, len(changes)))
    for turn, k in enumerate(range(start, len(rows)) if changes else ()):
        i, value = changes[turn % len(changes)]
        changed = list(rows[k])
        changed[i] = value
        if model.scores_or_none(_frame(columns, [rows[0], changed])) is not None:
            rows[k] = changed


def _changes(columns):
    changes = [(i, None) for i, c in enumerate(columns) if c.missing_allowed]
    changes += [(i, c.unseen()) for i, c in enumerate(columns) if c.unseen() is not None]
    return changes


def _golden_bytes(golden):
    def line(value):
        return json.dumps(value, allow_nan=False, ensure_ascii=False)

    rows = ",\n".join(line(row) for row in golden["rows"])
    parts = [f'"columns": {line(golden["columns"])}', f'"rows": [\n{rows}\n]']
    parts += [f'"{key}": {line(golden[key])}' for key in ("score", "predicted", "truth") if key in golden]
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
    if fitted is not None and list(fitted) != list(X_train.columns):
        raise ValueError(f"the pipeline was fitted on {list(fitted)}, X_train has {list(X_train.columns)}")


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
