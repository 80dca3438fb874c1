"""Draws boosters with random options and writes what they say of random rows.

usage: differential.py FOLDER COUNT SEED

For case N it writes N.<ext>, a model as its library or joblib saves it, and N.json with its format, the names and
types of the columns, the rows, and for every row predict_proba and the index of the predicted class.
"""

import importlib
import json
import sys
import warnings

def library(name):
    """The module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


joblib, pd, np = library("joblib"), library("pandas"), library("numpy")
xgboost, lightgbm, catboost = library("xgboost"), library("lightgbm"), library("catboost")
warnings.filterwarnings("ignore")


def pick(rng, *options):
    return options[rng.integers(len(options))]


def data(rng, n, columns, classes, whole):
    """Numbers of several scales with ties, zeros and missing values; column 0 is whole, for categorical splits."""
    X = rng.normal(size=(n, columns)) * 10.0 ** rng.integers(-3, 4, size=columns)
    X[:, 1] = np.round(X[:, 1], 1)
    if whole:
        X[:, 0] = rng.integers(0, pick(rng, 3, 12, 70, 300), size=n)
    X[rng.random(X.shape) < 0.05] = 0.0
    score = X[:, 0] % 3 + X[:, 1] / (1e-9 + X[:, 1].std()) + (X[:, 2] > 0) + rng.normal(size=n)
    edges = np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1])
    X[rng.random(X.shape) < pick(rng, 0.0, 0.1)] = np.nan
    return X, np.searchsorted(edges, score)


def probe(rng, X):
    """Rows of training, and rows with what training did not see."""
    rows = X[rng.integers(len(X), size=200)].copy()
    odd = [np.nan, 0.0, -0.0, 1e-36, -1e-36, 1e30, -1e30, 1e39, -1e39, -1.0, -0.5, 0.5, 3.7, 1e4, 5e-324, 2.0**24, 2.0**31]
    for _ in range(200):
        rows[rng.integers(200), rng.integers(X.shape[1])] = odd[rng.integers(len(odd))]
    return rows


def draw_xgboost(rng, folder, n):
    classes = pick(rng, 2, 2, 3)
    booster = pick(rng, "gbtree", "gbtree", "gbtree", "dart", "gblinear")
    categorical = booster != "gblinear" and rng.random() < 0.4
    X, y = data(rng, 600, 5, classes, categorical)
    o = dict(n_estimators=int(rng.integers(1, 40)), booster=booster, random_state=int(rng.integers(1000)), n_jobs=1)
    if booster == "gblinear":
        o["updater"] = "coord_descent"
    else:
        o |= dict(max_depth=int(rng.integers(1, 8)), tree_method=pick(rng, "hist", "approx"), num_parallel_tree=pick(rng, 1, 1, 3),
                  subsample=pick(rng, 1.0, 0.7), grow_policy=pick(rng, "depthwise", "lossguide"), gamma=pick(rng, 0.0, 1.0))
    if booster == "dart":
        o |= dict(rate_drop=0.3, one_drop=True)
    if categorical:
        o |= dict(enable_categorical=True, feature_types=["c", "q", "q", "q", "q"], max_cat_to_onehot=pick(rng, 1, 4, 100))
    if rng.random() < 0.3:
        o["base_score"] = float(rng.uniform(0.1, 0.9))
    if rng.random() < 0.2:
        o["missing"] = 0.0
    if classes > 2:
        o["objective"] = pick(rng, "multi:softprob", "multi:softmax")
    fit = {}
    if booster == "gbtree" and rng.random() < 0.3:
        o["early_stopping_rounds"] = 2
        X2, y2 = data(rng, 300, 5, classes, categorical)
        if categorical:
            X2[:, 0] = np.minimum(X2[:, 0], np.nanmax(X[:, 0]))
        fit = dict(eval_set=[(X2, y2)], verbose=False)
    model = xgboost.XGBClassifier(**o).fit(X, y, **fit)
    bare = "missing" not in o and pick(rng, "json", "ubj", "")
    if bare:
        model.save_model(f"{folder}/{n}.{bare}")
        return model, X, f"{n}.{bare}", "xgboost-" + bare, None, o
    joblib.dump(model, f"{folder}/{n}.joblib")
    return model, X, f"{n}.joblib", "joblib", None, o


def draw_lightgbm(rng, folder, n):
    classes = pick(rng, 2, 2, 3)
    X, y = data(rng, 600, 5, classes, True)
    o = dict(n_estimators=int(rng.integers(1, 40)), boosting_type=pick(rng, "gbdt", "gbdt", "dart", "rf"), verbosity=-1,
             num_leaves=int(rng.integers(2, 40)), random_state=int(rng.integers(1000)), n_jobs=1, min_child_samples=5,
             min_data_per_group=3, cat_smooth=1.0, max_cat_to_onehot=pick(rng, 1, 4), use_missing=pick(rng, True, True, False),
             zero_as_missing=pick(rng, False, False, True), class_weight=pick(rng, None, "balanced"))
    if o["boosting_type"] == "rf":
        o |= dict(subsample=0.6, subsample_freq=1)
    if classes > 2:
        o["objective"] = pick(rng, "multiclass", "multiclassova")
    elif rng.random() < 0.3:
        o["objective"], o["sigmoid"] = "binary", 0.7
    fit, categories = {}, None
    frame = X
    shape = pick(rng, "numbers", "categorical_feature", "category")
    if shape == "categorical_feature":
        X[:, 0] = np.nan_to_num(X[:, 0])
        fit["categorical_feature"] = [0]
    elif shape == "category":
        categories = sorted({f"c{int(v)}" for v in X[:, 0] if v == v})
        frame = pd.DataFrame(X, columns=[f"f{i}" for i in range(5)])
        frame["f0"] = pd.Categorical([f"c{int(v)}" if v == v else None for v in X[:, 0]], categories=categories)
    if rng.random() < 0.3 and o["boosting_type"] == "gbdt":
        fit |= dict(eval_set=[(frame[:200], y[:200])], callbacks=[lightgbm.early_stopping(2, verbose=False)])
    model = lightgbm.LGBMClassifier(**o).fit(frame, y, **fit)
    if rng.random() < 0.4:
        model.booster_.save_model(f"{folder}/{n}.txt")
        return model, X, f"{n}.txt", "lightgbm-text", categories, o
    joblib.dump(model, f"{folder}/{n}.joblib")
    return model, X, f"{n}.joblib", "joblib", categories, o


def draw_catboost(rng, folder, n):
    classes = pick(rng, 2, 2, 3)
    X, y = data(rng, 600, 5, classes, False)
    o = dict(iterations=int(rng.integers(1, 30)), random_seed=int(rng.integers(1000)), verbose=0, thread_count=1,
             allow_writing_files=False, grow_policy=pick(rng, "SymmetricTree", "Depthwise", "Lossguide"),
             nan_mode=pick(rng, "Min", "Max"), depth=int(rng.integers(1, 7)), boost_from_average=False)
    if classes > 2:
        o["loss_function"] = pick(rng, "MultiClass", "MultiClassOneVsAll")
    else:
        o["boost_from_average"] = pick(rng, True, False)
    model = catboost.CatBoostClassifier(**o).fit(X, y)
    model.save_model(f"{folder}/{n}.cb.json", format="json")
    return model, X, f"{n}.cb.json", "catboost-json", None, o


def main():
    folder, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    drawers = {"xgboost": draw_xgboost, "lightgbm": draw_lightgbm, "catboost": draw_catboost}
    present = [name for name in drawers if library(name)]
    if not present or not pd:
        print("absent: pandas, or all of " + ", ".join(drawers))
        return
    for n in range(count):
        rng = np.random.default_rng([seed, n])
        draw = drawers[present[n % len(present)]]
        model, X, file, form, categories, options = draw(rng, folder, n)
        rows = probe(rng, X)
        frame = rows
        if draw is draw_xgboost and options["booster"] == "gblinear":
            rows[np.abs(rows) > 3e38] = 0.0
        cells = [[None if v != v else float(v) for v in row] for row in rows]
        if categories is not None:
            words = [f"c{int(v)}" if v == v and abs(v) < 1e6 else None for v in rows[:, 0]]
            frame = pd.DataFrame(rows, columns=[f"f{i}" for i in range(5)])
            frame["f0"] = pd.Categorical(words, categories=categories)
            for cell, word in zip(cells, words):
                cell[0] = word
        proba = np.asarray(model.predict_proba(frame), dtype=float)
        predicted = [int(v) for v in np.asarray(model.predict(frame)).ravel()]
        with open(f"{folder}/{n}.case", "w") as f:
            json.dump({"file": file, "format": form, "options": repr(options), "columns": [f"f{i}" for i in range(5)],
                       "rows": cells, "proba": proba.tolist(), "predicted": predicted}, f)
    versions = ", ".join(f"{name} {library(name).__version__}" if name in present else f"no {name}" for name in drawers)
    print(f"{count} boosters of {versions}; seed {seed}")


main()
