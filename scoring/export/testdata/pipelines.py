"""Fits small pipelines of several shapes and hands each over with save_bundle: python pipelines.py FOLDER."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC, NuSVC

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from fraudstream_bundle import _tolerance, save_bundle  # noqa: E402

NUMBERS = ["amount", "distance"]
TEXTS = ["country", "merchant"]


def payments(rows, seed=3):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "amount": rng.lognormal(3, 1, rows).round(2),
        "distance": np.where(rng.random(rows) < 0.05, np.nan, rng.exponential(5, rows)).astype(np.float32),
        "hour": rng.integers(0, 24, rows),
        "country": pd.Series(rng.choice(["GB", "US", "FR", None], rows, p=[0.5, 0.3, 0.15, 0.05]), dtype=object),
        "merchant": [f"m{i:03d}" for i in rng.integers(0, 60, rows)],
        "mcc": rng.choice([5411, 5812, 5999], rows),
        "card_present": rng.random(rows) < 0.5,
    })
    fraud = (frame["amount"] > 60) & (rng.random(rows) < 0.5) | (rng.random(rows) < 0.02)
    return frame, fraud.astype(int).to_numpy()


def numbers():
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler())


def pipelines():
    onehot = OneHotEncoder(handle_unknown="ignore")
    rest = ["hour", "card_present"]
    yield "logreg", {}, ColumnTransformer([
        ("num", numbers(), NUMBERS),
        ("cat", make_pipeline(SimpleImputer(missing_values=None, strategy="constant", fill_value="?"), onehot), TEXTS),
        ("mcc", onehot, ["mcc"]), ("rest", MinMaxScaler(), rest)]), LogisticRegression(max_iter=500)
    yield "forest", {"compress": 3}, ColumnTransformer([
        ("num", numbers(), make_column_selector(dtype_include=np.floating)),
        ("cat", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["merchant"]),
        ("none", onehot, ["country"])], remainder="passthrough"), \
        RandomForestClassifier(10, max_depth=5, random_state=0)
    yield "boosting", {"weighting": "resampled"}, ColumnTransformer([
        ("num", SimpleImputer(), NUMBERS), ("cat", onehot, ["merchant", "mcc"]), ("hour", "passthrough", ["hour"])]), \
        GradientBoostingClassifier(n_estimators=10, random_state=0)


def raw(rows, seed=5):
    """Events of five weeks, busier and dearer by night, with the fields that features are derived from."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2026-03-02T00:00:00Z")
    seconds = np.sort(rng.integers(0, 35 * 86400, rows))
    events = pd.DataFrame({"event_time": start + pd.to_timedelta(seconds * 1000 + rng.integers(0, 1000, rows), unit="ms")})
    night = events["event_time"].dt.hour.to_numpy() < 6
    opened = start - pd.to_timedelta(rng.integers(1, 3000 * 86400, rows), unit="s")
    events["opened"] = pd.Series(opened).where(pd.Series(rng.random(rows) > 0.04))
    events["limit"] = np.where(rng.random(rows) < 0.05, 0.0, rng.integers(1, 20, rows) * 250.0)
    events["balance"] = np.where(rng.random(rows) < 0.05, np.nan, rng.lognormal(5, 1, rows).round(2))
    amount = (rng.lognormal(3, 1, rows) * np.where(night, 3, 1)).round(2)
    channel = np.where(rng.random(rows) < np.where(night, 0.8, 0.3), "web", "pos")
    fraud = (amount > 60) & (rng.random(rows) < 0.5) | (rng.random(rows) < 0.02)
    return events, amount, channel, fraud.astype(int)


def prepared(events, amount, channel):
    """What a training script does before fit()."""
    local = events["event_time"].dt.tz_convert("Europe/London")
    return pd.DataFrame({
        "amount": amount,
        "channel": pd.Series(channel, dtype=object),
        "hour": local.dt.hour.astype("int64"),
        "weekday": local.dt.day_of_week.astype("int64"),
        "weekend": local.dt.day_of_week >= 5,
        "age_s": (events["event_time"] - events["opened"]).dt.total_seconds(),
        "used": (amount / events["limit"]).replace([np.inf, -np.inf], np.nan),
        "left": (events["limit"] - amount).astype(np.float32),
        "balance": np.log1p(events["balance"]),
    })


DERIVED = {
    "hour": {"op": "hour", "of": ["event_time"], "zone": "Europe/London"},
    "weekday": {"op": "weekday", "of": ["event_time"], "zone": "Europe/London"},
    "weekend": {"op": "is_weekend", "of": ["event_time"], "zone": "Europe/London"},
    "age_s": {"op": "seconds_between", "of": ["opened", "event_time"]},
    "used": {"op": "ratio", "of": ["amount", "limit"]},
    "left": {"op": "difference", "of": ["limit", "amount"]},
    "balance": {"op": "log1p", "of": ["balance"]},
}


def derived(folder):
    events, amount, channel, y = raw(3000)
    X = prepared(events, amount, channel)
    numeric = [c for c in X.columns if c not in ("channel", "weekday")]
    pipeline = Pipeline([("columns", ColumnTransformer([
        ("num", numbers(), numeric),
        ("cat", OneHotEncoder(handle_unknown="ignore"), ["channel", "weekday"])])),
        ("model", LogisticRegression(max_iter=500))]).fit(X[:2000], y[:2000])
    save_bundle(pipeline, X[:2000], X[2000:], folder / "derived", name="derived", version="1", golden_rows=60,
                thresholds={"review": 0.3, "block": 0.7}, y_holdout=y[2000:], derived=DERIVED, events=events[2000:],
                train_times=events["event_time"][:2000])
    for name, rule in WRONG:
        refuses(f"derived['{name}']", pipeline, X[:2000], X[2000:], folder / "wrong", name="wrong", version="1",
                derived={name: rule}, events=events[2000:])
    refuses("train_times", pipeline, X[:2000], X[2000:], folder / "wrong", name="wrong", version="1",
            train_times=events["event_time"])


WRONG = [
    ("hour", {"op": "hour", "of": ["event_time"]}),  # of London, in fact
    ("hour", {"op": "minute", "of": ["event_time"]}),
    ("used", {"op": "ratio", "of": ["limit", "amount"]}),
    ("used", {"op": "ratio", "of": ["amount"]}),
    ("age_s", {"op": "seconds_between", "of": ["closed", "event_time"]}),
]


def near(folder, thresholds, scores):
    """The golden rows must hold, on both sides of every threshold, the held-out row that is nearest to it."""
    golden = np.array(json.loads((folder / "golden.json").read_text())["score"])
    for cut in thresholds.values():
        for side in (scores[scores < cut], scores[scores >= cut]):
            nearest = side[np.argmin(np.abs(side - cut))] if len(side) else None
            if nearest is not None and np.abs(golden - nearest).min() > 1e-12:
                raise AssertionError(f"{folder}: no golden row has the score {nearest} beside the threshold {cut}")


def refuses(what, *given, **named):
    """save_bundle must say what is wrong, and write nothing."""
    try:
        save_bundle(*given, **named)
    except ValueError as error:
        if what not in str(error) or given[3].exists():
            raise
        return
    raise AssertionError(f"save_bundle takes a wrong {what}")


def words(folder):
    """Labels that are booleans, texts of pandas' category type, and a score that is no probability."""
    X, y = payments(3000)
    X = X.assign(country=X["country"].astype("category"))
    encoder = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    pipeline = Pipeline([("columns", ColumnTransformer([("num", numbers(), NUMBERS), ("cat", encoder, ["country"])])),
                         ("model", LinearSVC(dual=False))]).fit(X[:2000], y[:2000] == 1)
    save_bundle(pipeline, X[:2000], X[2000:], folder / "words", name="words", version="1", golden_rows=60,
                thresholds={"block": 0.0}, y_holdout=y[2000:] == 1,
                reasons={"amount": {"code": "R01", "text": "unusual amount"}})
    near(folder / "words", {"block": 0.0}, pipeline.decision_function(X[2000:]))
    for other in ({"model": pipeline}, Pipeline(pipeline.steps[:-1] + [("model", LogisticRegression())])):
        refuses("has no classes_", other, X[:2000], X[2000:], folder / "wrong", name="wrong", version="1")
    refuses("reasons", pipeline, X[:2000], X[2000:], folder / "wrong", name="wrong", version="1", reasons={"amout": {}})
    refuses("drift", pipeline, X[:2000], X[2000:], folder / "wrong", name="wrong", version="1", drift={"amount": False})


def outliers(folder):
    """No labels at all: low scores are fraud."""
    X, y = payments(3000)
    pipeline = Pipeline([("columns", ColumnTransformer([("num", numbers(), NUMBERS)])),
                         ("model", IsolationForest(n_estimators=10, random_state=0))]).fit(X[:2000])
    save_bundle(pipeline, X[:2000], X[2000:], folder / "outliers", name="outliers", version="1", golden_rows=60,
                thresholds={"review": 0.0, "block": -0.05}, y_holdout=np.where(y[2000:] == 1, -1, 1))


def tolerances():
    """What is computed in float32 cannot be held to float64, and what cancels not to its last digits."""
    wide, narrow = (pd.DataFrame({"a": [0.5], "b": [1.5]}).astype({"b": dtype}) for dtype in ("float64", "float32"))
    kinds = {LogisticRegression: 1e-12, LinearSVC: 1e-12, NuSVC: 1e-9}
    try:
        from xgboost import XGBClassifier
        kinds[XGBClassifier] = 1e-6
    except ImportError:
        print("no XGBoost")
    for kind, want in kinds.items():
        for frame, least in ((wide, want), (narrow, 1e-6)):
            if _tolerance(make_pipeline(StandardScaler(), kind()), frame) != least:
                raise AssertionError(f"the golden scores of {kind} over {set(frame.dtypes)} should be held to {least}")


def main(folder):
    tolerances()
    derived(Path(folder))
    words(Path(folder))
    outliers(Path(folder))
    print(f"scikit-learn {sklearn.__version__}, pandas {pd.__version__}")
    X, y = payments(3000)
    for name, options, columns, estimator in pipelines():
        pipeline = Pipeline([("columns", columns), ("model", estimator)]).fit(X[:2000], y[:2000])
        save_bundle(pipeline, X[:2000], X[2000:], Path(folder) / name, name=name, version="1", golden_rows=60,
                    thresholds={"review": 0.3, "block": 0.7}, y_holdout=y[2000:],
                    drift={"hour": {"enabled": False}}, **options)
        near(Path(folder) / name, {"review": 0.3, "block": 0.7}, pipeline.predict_proba(X[2000:])[:, 1])


if __name__ == "__main__":
    main(sys.argv[1])
