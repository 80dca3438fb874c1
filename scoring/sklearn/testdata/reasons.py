"""Fit models of every family that gives reasons, and work the reasons out with numpy.

python reasons.py FOLDER SEED writes NAME.joblib and NAME.json. The JSON holds the columns, what is typical for each, the
rows, per row the additive output that the library itself gives, and the contribution of every column: of linear models
coef·(value - mean over training), of trees the path contributions after Saabas. Those of forests come from tree_.value,
those of XGBoost from XGBoost; boosted trees of scikit-learn are averaged over their leaves here once more.
"""

import json
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (ExtraTreesClassifier, GradientBoostingClassifier, HistGradientBoostingClassifier,
                              RandomForestClassifier)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

warnings.filterwarnings("ignore")
NUMBERS, TEXTS = ["amount", "hour", "distance"], ["country", "channel"]
COLUMNS = NUMBERS + TEXTS


def frame(rng, rows):
    x = pd.DataFrame({
        "amount": rng.lognormal(3, 1, rows), "hour": rng.integers(0, 24, rows).astype(float),
        "distance": np.where(rng.random(rows) < 0.1, np.nan, rng.exponential(50, rows)),
        "country": rng.choice(["GB", "FR", "US", "NG"], rows, p=[0.4, 0.2, 0.3, 0.1]).astype(object),
        "channel": rng.choice(["pos", "web"], rows).astype(object),
    })
    odds = 0.02 * x.amount + 0.01 * x.distance.fillna(0) + 2 * (x.country == "NG") + (x.channel == "web") - 4
    return x, (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)


def onehot():
    scaled = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    return ColumnTransformer([("n", scaled, NUMBERS), ("c", OneHotEncoder(sparse_output=False), TEXTS)])


def ordinal():
    return ColumnTransformer([("n", SimpleImputer(), NUMBERS), ("c", OrdinalEncoder(), TEXTS)])


def sources(pre):
    """The source column of every column that a transformer gives out, by its name."""
    names = [n.split("__", 1)[1].removeprefix("missingindicator_") for n in pre.get_feature_names_out()]
    return [next(i for i, c in enumerate(COLUMNS) if n == c or n.startswith(c + "_")) for n in names]


def fold(parts, source):
    out = np.zeros((len(parts), len(COLUMNS)))
    for j, to in enumerate(source):
        out[:, to] += parts[:, j]
    return out


def linear(model, train, rows):
    """Weights times what a row has beyond the mean of training. The numbers refer to the mean of their own column."""
    pre, clf = model[:-1], model[-1]
    usual = pre.transform(train).mean(axis=0)
    steps = model.named_steps["pre"].named_transformers_["n"]
    mean = pd.DataFrame([{c: train[c].mean() for c in NUMBERS}])
    count = len(steps.get_feature_names_out())
    usual[:count] = steps.transform(mean)[0]
    return fold((pre.transform(rows) - usual) * clf.coef_[0], sources(model.named_steps["pre"])), model.decision_function(rows)


def steps(tree, value, x, out):
    """Saabas: walk every row and give each step to the feature that was asked."""
    for r in range(len(x)):
        i = 0
        while tree.children_left[i] != -1:
            f = tree.feature[i]
            n = tree.children_left[i] if np.float32(x[r, f]) <= tree.threshold[i] else tree.children_right[i]
            out[r, f] += value[n] - value[i]
            i = n


def forest(model, rows):
    pre, clf = model[:-1], model[-1]
    x = np.asarray(pre.transform(rows), dtype=float)
    trees = getattr(clf, "estimators_", [clf])
    parts = np.zeros(x.shape)
    for t in trees:
        share = t.tree_.value[:, 0, :] / t.tree_.value[:, 0, :].sum(axis=1, keepdims=True)
        steps(t.tree_, share[:, 1], x, parts)
    return fold(parts / len(trees), sources(pre[-1])), model.predict_proba(rows)[:, 1]


def leaf_means(left, right, value, weight):
    """The weighted mean of the leaves below every node, from the leaves up."""
    value, weight = value.copy(), weight.astype(float).copy()
    def down(i):
        if left[i] < 0:
            return
        down(left[i]), down(right[i])
        a, b = weight[left[i]], weight[right[i]]
        value[i] = (a * value[left[i]] + b * value[right[i]]) / (a + b) if a + b > 0 else (value[left[i]] + value[right[i]]) / 2
        weight[i] = a + b
    down(0)
    return value


def boosted(model, rows):
    pre, clf = model[:-1], model[-1]
    x = np.asarray(pre.transform(rows), dtype=float)
    parts = np.zeros(x.shape)
    for t in clf.estimators_[:, 0]:
        tree, v = t.tree_, t.tree_.value[:, 0, 0]
        weight = tree.weighted_n_node_samples * np.minimum(1, 4 / np.maximum(np.abs(v), 4e-300))
        steps(tree, clf.learning_rate * leaf_means(tree.children_left, tree.children_right, v, weight), x, parts)
    return fold(parts, sources(pre[-1])), model.decision_function(rows)


def histogram(model, rows):
    """The nodes of a histogram boosting, whose native categories stand in front of its numbers."""
    pre, clf = model[:-1], model[-1]
    x, source = np.asarray(pre.transform(rows), dtype=float), sources(pre[-1])
    if clf.is_categorical_ is not None:
        front = np.argsort(~clf.is_categorical_, kind="stable")
        x, source = clf._preprocessor.transform(x), [source[i] for i in front]
    parts = np.zeros(x.shape)
    for predictors in clf._predictors:
        n = predictors[0].nodes
        left = np.where(n["is_leaf"], -1, n["left"].astype(int))
        size = np.maximum(np.abs(n["value"]) / clf.learning_rate, 4e-300)
        value = leaf_means(left, n["right"].astype(int), n["value"], n["count"] * np.minimum(1, 4 / size))
        for r in range(len(x)):
            i = 0
            while not n[i]["is_leaf"]:
                f = n[i]["feature_idx"]
                v = x[r, f]
                goes_left = n[i]["missing_go_to_left"] if np.isnan(v) else v <= n[i]["num_threshold"]
                if n[i]["is_categorical"] and not np.isnan(v):
                    words = predictors[0].raw_left_cat_bitsets[n[i]["bitset_idx"]]
                    goes_left = words[int(v) // 32] >> np.uint32(int(v) % 32) & 1
                to = n[i]["left"] if goes_left else n[i]["right"]
                parts[r, f] += value[to] - value[i]
                i = to
    return fold(parts, source), model.decision_function(rows)


def xgb(model, rows):
    """XGBoost works the same contributions out itself, in float32."""
    import xgboost
    x = xgboost.DMatrix(np.asarray(model[:-1].transform(rows), dtype=float))
    parts = model[-1].get_booster().predict(x, pred_contribs=True, approx_contribs=True)
    return fold(parts[:, :-1], sources(model[-2])), model[-1].get_booster().predict(x, output_margin=True)


def lgbm(model, rows):
    return None, model[-1].predict(model[:-1].transform(rows), raw_score=True)


def save(folder, name, model, train, rows, contributions, output, tolerance=1e-12):
    typical = [{"values": [train[c].mean()], "weights": [1]} for c in NUMBERS]
    for c in TEXTS:
        counts = train[c].value_counts()
        typical.append({"values": list(counts.index), "weights": [int(n) for n in counts]})
    plain = lambda v: None if v != v else v
    case = {
        "columns": COLUMNS, "typical": typical, "rows": [[plain(v) for v in row] for row in rows.values.tolist()],
        "output": [float(v) for v in output], "tolerance": tolerance,
        "contributions": None if contributions is None else contributions.tolist(),
    }
    joblib.dump(model, f"{folder}/{name}.joblib", compress=("xz", 6))
    with open(f"{folder}/{name}.json", "w") as f:
        json.dump(case, f)


def main():
    folder, seed = sys.argv[1], int(sys.argv[2])
    rng = np.random.default_rng(seed)
    train, y = frame(rng, 800)
    rows, _ = frame(rng, 40)
    for name, pre, clf, explain in [
        ("logistic", onehot, LogisticRegression(), linear), ("sgd", onehot, SGDClassifier(random_state=1), linear),
        ("svc", onehot, LinearSVC(), linear),
        ("tree", ordinal, DecisionTreeClassifier(max_depth=6), forest),
        ("forest", onehot, RandomForestClassifier(12, class_weight="balanced"), forest),
        ("extra", ordinal, ExtraTreesClassifier(9, max_depth=7), forest),
        ("boosting", onehot, GradientBoostingClassifier(n_estimators=15, subsample=0.7), boosted),
        ("exponential", ordinal, GradientBoostingClassifier(loss="exponential", n_estimators=10), boosted),
        ("histogram", ordinal, HistGradientBoostingClassifier(max_iter=12), histogram),
        ("native", ordinal, HistGradientBoostingClassifier(max_iter=12, categorical_features=[3, 4]), histogram),
    ]:
        model = Pipeline([("pre", pre()), ("clf", clf)]).fit(train, y)
        contributions, output = explain(model, train, rows) if explain is linear else explain(model, rows)
        save(folder, name, model, train, rows, contributions, output)
    folds = CalibratedClassifierCV(Pipeline([("pre", onehot()), ("clf", LogisticRegression())]), cv=3).fit(train, y)
    each = [linear(c.estimator, train, rows) for c in folds.calibrated_classifiers_]
    save(folder, "folds", folds, train, rows, sum(c for c, _ in each) / 3, sum(o for _, o in each) / 3)
    names = "scikit-learn"
    try:
        import lightgbm
        import xgboost
        for name, clf, explain in [("xgboost", xgboost.XGBClassifier(n_estimators=10), xgb), ("lightgbm", lightgbm.LGBMClassifier(n_estimators=10, verbose=-1), lgbm)]:
            model = Pipeline([("pre", ordinal().fit(train)), ("clf", clf)]).fit(train, y)
            save(folder, name, model, train, rows, *explain(model, rows), tolerance=2e-5 if name == "xgboost" else 1e-12)
        names = f"scikit-learn, XGBoost {xgboost.__version__} and LightGBM {lightgbm.__version__}"
    except ImportError:
        pass
    print(f"reasons of {names}, seed {seed}")


if __name__ == "__main__":
    main()
