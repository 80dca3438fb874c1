"""Write random pipelines and what they give, row by row, for the test that compares.

python differential.py FOLDER COUNT SEED writes NN.joblib and NN.json. The JSON holds the columns (name, dtype,
missing_as), the rows, and per output the score of each row, or null where scikit-learn raises an error.
"""

import json
import math
import random
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

warnings.filterwarnings("ignore")
VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
NUMERIC = ["n1", "n2", "n3", "i1"]
CATEGORICAL = ["c1", "c2", "c3", "c4", "c5", "c6"]
MISSING_AS_NONE = {"c2"}


def frame(rng, rows, live):
    """Rows of every kind of column; live rows hold what training never saw."""
    hole = lambda values, share, what: [what if rng.random() < share else v for v in values]
    pick = lambda known, unseen: [rng.choice(unseen) if live and rng.random() < 0.08 else rng.choice(known) for _ in range(rows)]
    normal = lambda: [rng.gauss(0, 2) for _ in range(rows)]
    data = {
        "n1": hole(normal(), 0.1, math.nan),
        "n2": [1e39 if live and rng.random() < 0.04 else v for v in hole(normal(), 0.15, math.nan)],
        "n3": hole([round(abs(v), 1) for v in normal()], 0.08 if live else 0, math.nan),
        "i1": [rng.randrange(-3, 12) for _ in range(rows)],
        "b1": [rng.random() < 0.4 for _ in range(rows)],
        "c1": hole(pick(["GB", "US", "FR", "DE", "été"], ["ZZ", ""]), 0.1, math.nan),
        "c2": hole(pick(["a", "b", "c"], ["zz"]), 0.1, None),
        "c3": pick([5411, 5812, 7995, 5999, 1], [42, -7]),
        "c4": hole(pick([1.5, 2.0, -1.0], [9.25, -2.0]), 0.1, math.nan),
        "c5": hole(pick([True, False], [True]), 0.1 if live else 0, math.nan),
        "c6": hole(pick(["p", "q"] + list("uvw") * 0, ["r"]), 0.05 if live else 0, math.nan),
    }
    x = pd.DataFrame({k: pd.Series(v, dtype=object if k in ("c1", "c2", "c5", "c6") else None) for k, v in data.items()})
    return x.sample(frac=1, axis=1, random_state=5)


def numeric(rng):
    steps = []
    if rng.random() < 0.7:
        options = {"strategy": rng.choice(["mean", "median", "most_frequent", "constant"]), "add_indicator": rng.random() < 0.4}
        if options["strategy"] == "constant":
            options["fill_value"] = rng.choice([0, -1.5])
        if VERSION >= (1, 2) and rng.random() < 0.3:
            options["keep_empty_features"] = True
        steps.append(("impute", SimpleImputer(**options)))
    steps.append(("scale", rng.choice([
        StandardScaler(), StandardScaler(with_mean=False), StandardScaler(with_std=False),
        MinMaxScaler(), MinMaxScaler(clip=True, feature_range=(-1, 2)), "passthrough", FunctionTransformer(),
        FunctionTransformer(np.square), FeatureUnion([("s", StandardScaler()), ("m", MinMaxScaler())], transformer_weights={"m": 0.5}),
    ])))
    return Pipeline(steps)


def encoder(rng):
    if rng.random() < 0.35:
        options = rng.choice([
            {}, {"handle_unknown": "use_encoded_value", "unknown_value": -1},
            {"handle_unknown": "use_encoded_value", "unknown_value": np.nan},
        ]).copy()
        if VERSION >= (1, 1) and rng.random() < 0.5:
            options["encoded_missing_value"] = -2
        if VERSION >= (1, 3) and rng.random() < 0.4:
            options[rng.choice(["min_frequency", "max_categories"])] = rng.choice([2, 3, 12])
        return OrdinalEncoder(**options)
    unknown = ["error", "ignore"] + (["infrequent_if_exist"] * 2 if VERSION >= (1, 1) else []) + (["warn"] if VERSION >= (1, 6) else [])
    options = {"handle_unknown": rng.choice(unknown), "drop": rng.choice([None, None, "first", "if_binary"])}
    if VERSION >= (1, 1) and rng.random() < 0.5:
        options[rng.choice(["min_frequency", "max_categories"])] = rng.choice([2, 3, 30])
    return OneHotEncoder(**options)


def categorical(rng):
    steps = []
    if rng.random() < 0.4:
        options = rng.choice([
            {"strategy": "most_frequent"}, {"strategy": "constant", "fill_value": "missing"},
            {"strategy": "most_frequent", "add_indicator": True}, {"strategy": "most_frequent", "missing_values": None},
        ])
        steps.append(("impute", SimpleImputer(**options)))
    return Pipeline(steps + [("encode", encoder(rng))])


def columns(rng, x, names):
    """The same columns, said in one of the ways that ColumnTransformer takes."""
    at = [list(x.columns).index(n) for n in names]
    return rng.choice([
        lambda: names, lambda: at, lambda: [c in names for c in x.columns], lambda: np.array(at),
        lambda: [i - x.shape[1] for i in at], lambda: pd.Index(names), lambda: make_column_selector("^(" + "|".join(names) + ")$"),
    ])()


def preprocess(rng, x):
    texts = [c for c in CATEGORICAL if rng.random() < 0.6] or ["c1"]
    numbers = [c for c in NUMERIC if rng.random() < 0.8] or ["n1"]
    rng.shuffle(texts)
    parts = [("num", numeric(rng), columns(rng, x, numbers))]
    half = len(texts) // 2
    for name, group in (("cat", texts[:half]), ("more", texts[half:])):
        if group:
            parts.append((name, categorical(rng), columns(rng, x, group)))
    rng.shuffle(parts)
    if rng.random() < 0.3:
        parts.append(("flag", "passthrough", ["b1"]))
    options = {"remainder": "drop"}
    used = set(texts) | set(numbers)
    if set(CATEGORICAL) <= used and rng.random() < 0.5:
        options["remainder"] = rng.choice(["passthrough", StandardScaler()])
    if rng.random() < 0.2:
        options["transformer_weights"] = {"num": 2.5}
    return ColumnTransformer(parts, **options)


def classifier(rng, classes):
    kind = rng.choice(["logistic", "logistic", "tree", "forest", "extra", "boosting", "boosting"])
    seed = rng.randrange(1000)
    if kind == "logistic":
        solvers = ["lbfgs", "newton-cg"] + (["liblinear"] if classes == 2 or VERSION < (1, 7) else [])
        options = {"solver": rng.choice(solvers), "max_iter": 60, "fit_intercept": rng.random() < 0.8}
        if VERSION < (1, 7) and options["solver"] != "liblinear" and rng.random() < 0.5:
            options["multi_class"] = rng.choice(["ovr", "multinomial"])
        return LogisticRegression(**options)
    if kind == "tree":
        return rng.choice([DecisionTreeClassifier, ExtraTreeClassifier])(
            max_depth=rng.choice([None, 1, 4]), random_state=seed, criterion=rng.choice(["gini", "entropy"]),
            class_weight=rng.choice([None, "balanced"]), max_leaf_nodes=rng.choice([None, 7]), splitter=rng.choice(["best", "random"]))
    if kind in ("forest", "extra"):
        family = RandomForestClassifier if kind == "forest" else ExtraTreesClassifier
        return family(n_estimators=rng.choice([1, 5, 12]), max_depth=rng.choice([None, 5]), random_state=seed,
                      class_weight=rng.choice([None, "balanced_subsample"]))
    loss = "deviance" if VERSION < (1, 1) else "log_loss"
    return GradientBoostingClassifier(
        n_estimators=rng.choice([1, 9, 20]), max_depth=rng.choice([1, 3]), random_state=seed, learning_rate=rng.choice([0.1, 0.3]),
        loss=rng.choice([loss, "exponential"]) if classes == 2 else loss, subsample=rng.choice([1.0, 0.7]),
        init=rng.choice([None, None, "zero", DecisionTreeClassifier(max_depth=2)]))


def labels(rng, x):
    kinds = [[0, 1], [False, True], ["fraud", "legit"], ["block", "pass", "review"], [3, 5, 9]]
    known = rng.choice(kinds)
    score = x["n1"].fillna(0) + 1.5 * (x["c1"] == "US") + x["i1"] / 5 + np.array([rng.gauss(0, 0.7) for _ in range(len(x))])
    return np.array(known)[pd.qcut(score, len(known), labels=False).to_numpy()]


def plain(v):
    if v is None or (isinstance(v, float) and math.isnan(v)):
        return None
    return v.item() if isinstance(v, np.generic) else v


def outputs(model, x):
    """Per output the value of each row, one by one; None where scikit-learn raises."""
    results = {"predict_proba": [], "predict": []}
    if hasattr(model, "decision_function"):
        results["decision_function"] = []
    for i in range(len(x)):
        for name, values in results.items():
            try:
                v = getattr(model, name)(x.iloc[[i]])[0]
                values.append(plain(v[-1] if np.ndim(v) else v))
            except (ValueError, TypeError):
                values.append(None)
    return results


def pipeline(rng, x, classes):
    return Pipeline([("pre", preprocess(rng, x)), ("clf", classifier(rng, classes))])


def main(draw):
    """Write COUNT cases of what draw(rng, x, classes) gives, leaving out those that fit refuses."""
    folder, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    done = attempt = 0
    while done < count:
        attempt += 1
        rng = random.Random(seed * 100003 + attempt)
        x = frame(rng, 160, live=False)
        y = labels(rng, x)
        model = draw(rng, x, len(set(y)))
        try:
            model.fit(x, y)
        except (ValueError, TypeError, RuntimeError, IndexError):
            continue
        live = frame(rng, 25, live=True)
        case = {
            "attempt": attempt,
            "columns": [{"name": c, "dtype": str(x[c].dtype), "missing_as": "none" if c in MISSING_AS_NONE else "nan"} for c in x.columns],
            "rows": [[plain(v) for v in row] for row in live.astype(object).values.tolist()],
            "outputs": outputs(model, live),
        }
        joblib.dump(model, f"{folder}/{done:03d}.joblib", compress=rng.choice([0, 3]))
        with open(f"{folder}/{done:03d}.json", "w") as f:
            json.dump(case, f)
        done += 1
    print(f"scikit-learn {sklearn.__version__}: {done} pipelines of {attempt} drawn")


if __name__ == "__main__":
    main(pipeline)
