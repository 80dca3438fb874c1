"""Fits small pipelines of several shapes and hands each over with save_bundle: python pipelines.py FOLDER."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from fraudstream_bundle import save_bundle  # noqa: E402

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


def main(folder):
    X, y = payments(3000)
    for name, options, columns, estimator in pipelines():
        pipeline = Pipeline([("columns", columns), ("model", estimator)]).fit(X[:2000], y[:2000])
        save_bundle(pipeline, X[:2000], X[2000:], Path(folder) / name, name=name, version="1", golden_rows=60,
                    thresholds={"review": 0.3, "block": 0.7}, y_holdout=y[2000:],
                    drift={"hour": {"enabled": False}}, **options)


if __name__ == "__main__":
    main(sys.argv[1])
