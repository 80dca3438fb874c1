"""Train every family anew and write each as a bundle with 2,000 golden rows: python fresh.py FOLDER SEED [PATTERN].

Data, options, labels and the positive class come from the seed, which the test draws and prints; PATTERN keeps the
families whose names it matches. One folder is written per family and output, and a line is printed for every thing
that was left out.

The golden rows have missing values in every column that may have them, and categories that training never saw.
Families see them as they would in production: behind imputers and encoders, or as they are where the family takes
them. What raises an error in scikit-learn is left to the scripts that draw pipelines and compare row by row.

Where scikit-learn itself jumps, so that the last digit of an input decides (edges of bins and quantiles, thresholds,
the order of neighbours at one distance), the family reads the columns as they come from JSON, which are the same
number here and there, and neighbours have a column without ties. Classes that tie exactly are compared like all
others; only in XGBoost, which computes in float32, a row whose two best classes differ by less than the tolerance has
no prediction that could be compared: others are taken in the place of such rows, which are counted.
"""

import json
import math
import random
import re
import sys
import warnings
from pathlib import Path

import joblib
import lightgbm
import numpy as np
import pandas as pd
import sklearn
import xgboost
from imblearn.pipeline import Pipeline as ImbalancedPipeline
from imblearn.under_sampling import RandomUnderSampler
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier, BaggingClassifier, ExtraTreesClassifier, GradientBoostingClassifier, HistGradientBoostingClassifier,
    IsolationForest, RandomForestClassifier, StackingClassifier, VotingClassifier)
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.feature_selection import (
    RFE, SelectFromModel, SelectKBest, SelectPercentile, VarianceThreshold)
from sklearn.frozen import FrozenEstimator
from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeClassifier, SGDClassifier
from sklearn.model_selection import (
    FixedThresholdClassifier, GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV, TunedThresholdClassifierCV)
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer, FunctionTransformer, KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder, OrdinalEncoder,
    PolynomialFeatures, PowerTransformer, QuantileTransformer, RobustScaler, SplineTransformer, StandardScaler, TargetEncoder)
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier
from xgboost import XGBClassifier

warnings.filterwarnings("ignore")
TRAINED, DRAWN, GOLDEN = 900, 2100, 2000
WHOLE = ["d1", "p1", "i1"]  # never missing
HOLES = ["n1", "n2"]
NUMBERS = WHOLE + HOLES
TEXTS = ["c1", "c2"]
CODES = ["c3", "c4"]
COLUMNS = NUMBERS + TEXTS + CODES + ["b1"]
EXACT, FLOAT32 = 1e-12, 1e-6


# Data.


def frame(rng, rows, live):
    """Rows of every kind of column; live ones hold categories that training never saw."""
    def holes(values, share, what=np.nan):
        return np.where(rng.random(rows) < share, what, values)

    def drawn(known, unseen):
        values = rng.choice(np.array(known), rows)
        return np.where(rng.random(rows) < 0.08, rng.choice(np.array(unseen), rows), values) if live else values

    data = {
        "d1": rng.normal(0, 2, rows),
        "p1": rng.lognormal(3, 1, rows),
        "i1": rng.integers(-3, 12, rows),
        "n1": holes(rng.normal(1, 3, rows), 0.1),
        "n2": holes(rng.exponential(40, rows).round(2), 0.15),
        "c1": pd.Series(holes(drawn(["GB", "US", "FR", "DE", "été"], ["ZZ", ""]).astype(object), 0.1), dtype=object),
        "c2": pd.Series(holes(drawn(["a", "b", "c"], ["zz"]).astype(object), 0.1, None), dtype=object),
        "c3": drawn([5411, 5812, 7995, 5999, 1], [42, -7]),
        "c4": holes(drawn([1.5, 2.0, -1.0], [9.25, -2.0]), 0.1),
        "b1": rng.random(rows) < 0.4,
    }
    return pd.DataFrame(data, columns=COLUMNS)


def risk(rng, x):
    """What the labels are cut from: every kind of column says something."""
    return (x["d1"] + 0.5 * x["n1"].fillna(3) + (x["p1"] > 30) + 1.5 * (x["c1"] == "US") + (x["c2"] == "b") + (x["c3"] == 7995)
            + x["b1"] + rng.normal(0, 1.5, len(x))).to_numpy()


def as_categories(x, trained):
    """The same with texts of pandas' category type; what training never had is missing there."""
    return x.assign(**{c: pd.Categorical(x[c], categories=sorted(trained[c].dropna().unique())) for c in TEXTS})


# Families: each is drawn with random options, and reads the whole frame.


def filled(strategy="median"):
    return make_pipeline(SimpleImputer(strategy=strategy), StandardScaler())


def numbers(*steps, columns=NUMBERS):
    """Steps on numbers, behind an imputer, next to encoded categories, and a logistic regression on all."""
    parts = [("num", make_pipeline(*steps), columns), ("cat", OneHotEncoder(handle_unknown="ignore"), TEXTS + CODES)]
    return Pipeline([("pre", ColumnTransformer(parts)), ("clf", LogisticRegression(max_iter=100))])


def encoded(encoder, columns):
    return Pipeline([("pre", ColumnTransformer([("num", filled(), NUMBERS), ("cat", encoder, columns)])),
                     ("clf", LogisticRegression(max_iter=100))])


def model(estimator):
    """A classifier on imputed, scaled numbers and one-hot categories."""
    parts = [("num", filled(), NUMBERS), ("cat", OneHotEncoder(handle_unknown="ignore", sparse_output=False), TEXTS + CODES),
             ("flag", "passthrough", ["b1"])]
    return Pipeline([("pre", ColumnTransformer(parts)), ("clf", estimator)])


def ordinal(estimator, unknown=-1):
    """A classifier that takes missing values, on numbers as they are and categories, which come first, by their place."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=unknown)
    return Pipeline([("pre", ColumnTransformer([("cat", encoder, TEXTS + CODES)], remainder="passthrough")), ("clf", estimator)])


def transformers(r):
    seed = r.randrange(1000)
    scalers = {
        "standard": StandardScaler(with_mean=r.random() < 0.7), "minmax": MinMaxScaler(clip=r.random() < 0.5),
        "maxabs": MaxAbsScaler(), "robust": RobustScaler(quantile_range=r.choice([(25.0, 75.0), (5.0, 90.0)])),
        "normalizer": Normalizer(r.choice(["l1", "l2", "max"])),
        "power": PowerTransformer(standardize=r.random() < 0.6),
        "poly": PolynomialFeatures(2, interaction_only=r.random() < 0.5),
        "spline": SplineTransformer(n_knots=r.choice([4, 6]), degree=r.choice([2, 3]), extrapolation=r.choice(["constant", "linear", "continue"])),
        "variance": VarianceThreshold(0.5), "kbest": SelectKBest(k=3), "percentile": SelectPercentile(percentile=50),
        "from-model": SelectFromModel(r.choice([LogisticRegression(), ExtraTreesClassifier(5, random_state=seed)])),
        "rfe": RFE(LogisticRegression(), n_features_to_select=3), "svd": TruncatedSVD(2, random_state=0),
    }
    for name, step in scalers.items():
        yield name, numbers(SimpleImputer(), step)
    yield "pca", numbers(filled(), PCA(r.choice([2, 3]), whiten=r.random() < 0.5))
    yield "union", numbers(SimpleImputer(), FeatureUnion([("s", StandardScaler()), ("m", MinMaxScaler())], transformer_weights={"m": 0.5}))
    yield "box-cox", numbers(PowerTransformer("box-cox"), columns=["p1"])
    yield "function", numbers(FunctionTransformer(r.choice([np.log1p, np.sqrt])), columns=["p1"])
    yield "binarizer", numbers(Binarizer(threshold=r.choice([0, 0.5])), columns=WHOLE)
    for output in ("uniform", "normal"):
        yield "quantile-" + output, numbers(QuantileTransformer(n_quantiles=r.choice([10, 100]), output_distribution=output), columns=["d1", "p1"])
    for encode in ("ordinal", "onehot", "onehot-dense"):
        strategy = r.choice(["uniform", "quantile", "kmeans"])
        yield "kbins-" + encode, numbers(KBinsDiscretizer(5, encode=encode, strategy=strategy), columns=["d1", "p1"])
    for strategy in ("mean", "median", "most_frequent", "constant"):
        yield "imputer-" + strategy, numbers(SimpleImputer(strategy=strategy, add_indicator=r.random() < 0.5), StandardScaler())
    flags = [("fill", SimpleImputer()), ("flags", MissingIndicator(features="all"))]
    yield "missing-indicator", numbers(FeatureUnion(flags), StandardScaler())
    yield "knn-imputer", numbers(KNNImputer(n_neighbors=r.choice([3, 8])), StandardScaler())
    yield "iterative", numbers(IterativeImputer(max_iter=3, random_state=0), StandardScaler())
    rare = r.choice([{"min_frequency": 0.1}, {"max_categories": 3}])
    yield "onehot-infrequent", encoded(OneHotEncoder(handle_unknown="infrequent_if_exist", **rare), TEXTS + CODES)
    yield "onehot-drop", encoded(OneHotEncoder(handle_unknown="ignore", drop=r.choice(["first", "if_binary"])), TEXTS + CODES)
    options = r.choice([{"unknown_value": -1, "encoded_missing_value": -2}, {"unknown_value": 99, "min_frequency": 0.1}])
    yield "ordinal", encoded(make_pipeline(OrdinalEncoder(handle_unknown="use_encoded_value", **options), SimpleImputer()), TEXTS + CODES)
    yield "target", encoded(TargetEncoder(smooth=r.choice(["auto", 5.0]), random_state=0), TEXTS + CODES)
    texts = make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), OneHotEncoder(handle_unknown="ignore"))
    yield "selectors", Pipeline([("pre", ColumnTransformer([
        ("num", filled(), make_column_selector(dtype_include=np.floating)), ("cat", texts, ["c1"]), ("none", "drop", ["c2"])],
        remainder="passthrough")), ("clf", LogisticRegression(max_iter=100))])


def classifiers(r):
    seed = r.randrange(1000)
    small = {"n_estimators": r.choice([5, 20]), "random_state": seed}
    logistic, tree = LogisticRegression(max_iter=100), DecisionTreeClassifier(max_depth=4, random_state=seed)
    yield "logistic", model(LogisticRegression(C=r.choice([0.1, 1, 10]), max_iter=100))
    yield "logistic-cv", model(LogisticRegressionCV(Cs=2, cv=3, max_iter=50))
    for loss in ("log_loss", "modified_huber", "hinge"):
        yield "sgd-" + loss, model(SGDClassifier(loss=loss, random_state=seed))
    yield "ridge", model(RidgeClassifier(alpha=r.choice([0.1, 10])))
    yield "linear-svc", model(LinearSVC(random_state=seed))
    for kernel in ("rbf", "linear", "poly"):
        yield "svc-" + kernel, model(SVC(kernel=kernel, gamma=r.choice(["scale", "auto"]), random_state=seed))
        yield "svc-proba-" + kernel, model(SVC(kernel=kernel, probability=True, random_state=seed))
    yield "nu-svc", model(NuSVC(nu=0.2, random_state=seed))
    yield "gaussian-nb", model(GaussianNB())
    yield "bernoulli-nb", model(BernoulliNB(binarize=0.5))
    yield "sampler", ImbalancedPipeline([*model(None).steps[:1], ("sampler", RandomUnderSampler(random_state=seed)), ("clf", logistic)])
    yield "neighbors", model(KNeighborsClassifier(r.choice([5, 15]), algorithm="brute"))
    yield "neighbors-distance", model(KNeighborsClassifier(7, weights="distance", algorithm="ball_tree"))
    yield "mlp", model(MLPClassifier((6, 4), activation=r.choice(["relu", "tanh", "logistic"]), max_iter=20, random_state=seed))
    # Columns of one-hot categories sum to one; without shrinkage lsqr gives weights of 1e14 then, which cancel out or not.
    yield "lda", model(LinearDiscriminantAnalysis(**r.choice([{"solver": "svd"}, {"solver": "lsqr", "shrinkage": "auto"}])))
    yield "qda", model(QuadraticDiscriminantAnalysis(reg_param=0.3))
    yield "tree", ordinal(DecisionTreeClassifier(max_depth=r.choice([None, 5]), random_state=seed))
    yield "extra-tree", ordinal(ExtraTreeClassifier(max_depth=6, random_state=seed))
    yield "forest", ordinal(RandomForestClassifier(max_depth=r.choice([None, 6]), **small))
    yield "extra-trees", ordinal(ExtraTreesClassifier(max_depth=r.choice([None, 6]), **small))
    yield "boosting", model(GradientBoostingClassifier(subsample=r.choice([1.0, 0.7]), **small))
    yield "hist", ordinal(HistGradientBoostingClassifier(max_iter=30, random_state=seed))
    yield "hist-native", ordinal(HistGradientBoostingClassifier(categorical_features=[0, 1, 2, 3], max_iter=20, random_state=seed), np.nan)
    yield "adaboost", model(AdaBoostClassifier(r.choice([None, tree]), **small))
    yield "bagging", model(BaggingClassifier(r.choice([None, logistic]), max_features=0.7, bootstrap_features=r.random() < 0.5, **small))
    mixed = [("lr", logistic), ("nb", GaussianNB()), ("tree", tree)]
    yield "voting-soft", model(VotingClassifier(mixed, voting="soft", weights=[1, 2.5, 0.5]))
    yield "stacking", model(StackingClassifier(mixed, passthrough=r.random() < 0.5, cv=2))
    yield "isolation", model(IsolationForest(max_samples=64, contamination=r.choice(["auto", 0.1]), **small))
    yield "dummy", model(DummyClassifier())
    for method in ("sigmoid", "isotonic", "temperature"):
        yield "calibrated-" + method, model(CalibratedClassifierCV(r.choice([logistic, tree]), method=method, cv=3, ensemble=r.random() < 0.6))
    yield "calibrated-frozen", None  # made of a fitted model, below
    yield "grid-search", GridSearchCV(model(logistic), {"clf__C": [0.1, 1.0]}, cv=2)
    yield "random-search", RandomizedSearchCV(model(logistic), {"clf__C": [0.1, 1.0]}, n_iter=1, cv=2, random_state=0)
    yield "halving-search", HalvingGridSearchCV(model(logistic), {"clf__C": [0.1, 1.0]}, cv=2, random_state=0)
    yield "fixed-threshold", FixedThresholdClassifier(model(logistic), threshold=0.3)
    yield "tuned-threshold", TunedThresholdClassifierCV(model(logistic), scoring="balanced_accuracy", cv=2)


def boosters(r):
    seed = r.randrange(1000)
    xgb = {"n_estimators": r.choice([10, 40]), "max_depth": r.choice([3, 6]), "random_state": seed, "n_jobs": 1}
    lgb = {"n_estimators": r.choice([10, 40]), "min_child_samples": 5, "random_state": seed, "n_jobs": 1, "verbosity": -1}
    yield "xgboost", ordinal(XGBClassifier(subsample=r.choice([1.0, 0.7]), tree_method=r.choice(["hist", "approx"]), **xgb))
    yield "xgboost-dart", ordinal(XGBClassifier(booster="dart", rate_drop=0.3, **xgb))
    yield "xgboost-linear", model(XGBClassifier(booster="gblinear", n_estimators=10, n_jobs=1))
    yield "xgboost-early", ordinal(XGBClassifier(early_stopping_rounds=3, **{**xgb, "n_estimators": 200}))
    native = {"enable_categorical": True, "feature_types": ["c"] * 4 + ["q"] * 6, "max_cat_to_onehot": r.choice([1, 4])}
    yield "xgboost-native", ordinal(XGBClassifier(**native, **xgb), np.nan)
    yield "xgboost-category", make_pipeline(XGBClassifier(enable_categorical=True, max_cat_to_onehot=r.choice([1, 4]), **xgb))
    yield "lightgbm", ordinal(LGBMClassifier(subsample=0.7, subsample_freq=1, **lgb))
    yield "lightgbm-dart", ordinal(LGBMClassifier(boosting_type="dart", **lgb))
    yield "lightgbm-forest", ordinal(LGBMClassifier(boosting_type="rf", subsample=0.7, subsample_freq=1, **lgb))
    yield "lightgbm-calibrated", ordinal(CalibratedClassifierCV(LGBMClassifier(**lgb), method=r.choice(["sigmoid", "isotonic"]), cv=2))
    yield "lightgbm-early", ordinal(LGBMClassifier(**{**lgb, "n_estimators": 200}))
    yield "lightgbm-category", make_pipeline(LGBMClassifier(**lgb))
    # Bare, without scikit-learn, in the formats of their libraries.
    for file in ("json", "ubj"):
        yield "xgboost-bare." + file, XGBClassifier(booster=r.choice(["gbtree", "dart"]), **xgb)
    yield "lightgbm-bare.txt", LGBMClassifier(boosting_type=r.choice(["gbdt", "dart"]), **lgb)
    yield "xgboost-category.json", XGBClassifier(enable_categorical=True, **xgb)
    yield "lightgbm-category.txt", LGBMClassifier(**lgb)


FORMATS = {".json": "xgboost-json", ".ubj": "xgboost-ubj", ".txt": "lightgbm-text", ".joblib": "joblib"}


def fit(name, pipeline, x, y):
    """Fit; boosters that stop early watch the last third."""
    if name == "calibrated-frozen":
        fitted = model(LogisticRegression(max_iter=100)).fit(x[:600], y[:600])
        return CalibratedClassifierCV(FrozenEstimator(fitted)).fit(x[600:], y[600:])
    if not name.endswith("-early"):
        return pipeline.fit(x, y)
    pre = pipeline[0].fit(x[:600], y[:600])
    watched = [(pre.transform(x[600:]), y[600:])]
    fit = {"eval_set": watched, "verbose": False} if name.startswith("xgb") else {
        "eval_set": watched, "callbacks": [lightgbm.early_stopping(3, verbose=False)]}
    pipeline[-1].fit(pre.transform(x[:600]), y[:600], **fit)
    return pipeline


# Bundles.


def plain(v):
    """The JSON value of a cell."""
    if v is None or (isinstance(v, float) and math.isnan(v)):
        return None
    return v.item() if isinstance(v, np.generic) else v


class Golden:
    """The rows of training and the 2,000 that are compared, as frames and as JSON."""

    def __init__(self, rng):
        self.train, self.live = frame(rng, TRAINED, live=False), frame(rng, DRAWN, live=True)
        self.risk = risk(rng, self.train)

    def labels(self, classes):
        """Classes by rising risk, the later the rarer."""
        cuts = [0, 0.7, 1] if len(classes) == 2 else [0, 0.5, 0.8, 1]
        return np.array(classes)[pd.qcut(self.risk, cuts, labels=False)]

    def frames(self, name):
        """What a family is fitted on, and what it is asked about: numbers alone where it is bare."""
        if "-bare" in name:
            columns = NUMBERS + CODES
            return self.train[columns], self.live[columns]
        if name.startswith("xgboost-category"):  # it keeps texts of letters beyond ASCII cut, and those are refused here
            train, live = (x.replace({"c1": {"été": "ete"}}) for x in (self.train, self.live))
            return as_categories(train, train), as_categories(live, train)
        if "-category" in name:
            return as_categories(self.train, self.train), as_categories(self.live, self.train)
        return self.train, self.live

    def rows(self, name, live, kept):
        """The cells, before pandas made categories of them, so that what training never had is there by its name.

        XGBoost alone would raise an error at those names.
        """
        source = live if name.startswith("xgboost-category") else self.live[live.columns]
        cells = source.iloc[kept].astype(object).to_numpy().tolist()
        return [[plain(v) for v in row] for row in cells]


def clear(fitted, live):
    """The rows whose prediction does not hang on the last digits of a float32."""
    best = np.sort(fitted.predict_proba(live), axis=1)
    return best[:, -1] - best[:, -2] > 4 * FLOAT32


def outputs(fitted, positive):
    """The outputs that are one number per row, as functions of the frame."""
    if hasattr(fitted, "predict_proba"):
        yield "predict_proba", lambda x: fitted.predict_proba(x)[:, list(fitted.classes_).index(positive)]
    if isinstance(fitted, LGBMClassifier):
        return  # saved bare, as text, which has probabilities alone
    if hasattr(fitted, "decision_function") and len(getattr(fitted, "classes_", [0, 1])) == 2:
        yield "decision_function", fitted.decision_function
    if hasattr(fitted, "score_samples"):
        yield "score_samples", fitted.score_samples


def write(folder, golden, name, fitted, classes, positive, live):
    """One bundle per output; returns how many rows were left out."""
    tolerance = FLOAT32 if "xgboost" in name else EXACT
    kept = clear(fitted, live) if tolerance == FLOAT32 else np.ones(len(live), dtype=bool)
    ties, kept = int((~kept).sum()), np.flatnonzero(kept)[:GOLDEN]
    columns = list(live.columns)
    rows, asked = golden.rows(name, live, kept), live.iloc[kept]
    file = "model" + (Path(name).suffix or ".joblib")
    for output, score in outputs(fitted, positive):
        place = Path(folder) / f"{name}-{output}"
        place.mkdir()
        save(fitted, place / file)
        dump(place / "golden.json", {"columns": columns, "rows": rows, "score": [float(s) for s in score(asked)],
                                     "predicted": [plain(p) for p in fitted.predict(asked)]})
        model = {"file": file, "format": FORMATS[Path(file).suffix], "classes": classes, "positive_class": positive, "output": output}
        dump(place / "metadata.json", {
            "schema": 1, "name": name, "model": model, "golden": {"file": "golden.json", "tolerance": tolerance},
            "features": [{"name": c, "dtype": str(live[c].dtype), "missing_as": "none" if none(live, c) else "nan",
                          "kind": "categorical" if c in TEXTS + CODES else "numeric"} for c in columns]})
    return ties


def save(fitted, path):
    if path.suffix == ".joblib":
        joblib.dump(fitted, path)
    else:
        getattr(fitted, "booster_", fitted).save_model(str(path))


def dump(path, value):
    path.write_text(json.dumps(value, allow_nan=False))


def none(frame, column):
    return column == "c2" and frame[column].dtype == object


def labels(r, name):
    """Classes of a family: two or three, of any kind; boosters count from 0."""
    if name == "isolation":
        return [-1, 1]
    if name.startswith(("xgboost", "lightgbm")):
        return r.choice([[0, 1], [0, 1, 2]])
    two = [[0, 1], [False, True], ["fraud", "legit"]]
    if name.endswith("-threshold") or name == "sgd-hinge" or name in ("ridge", "linear-svc") or name.startswith("svc-") and "proba" not in name:
        return r.choice(two)
    return r.choice(two + [["block", "pass", "review"], [3, 5, 9]])


def main(folder, seed, pattern=""):
    golden = Golden(np.random.default_rng(seed))
    for number, families in enumerate((transformers, classifiers, boosters)):
        for name, pipeline in families(random.Random(seed * 10 + number)):
            if not re.search(pattern, name):
                continue
            r = random.Random(f"{seed} {name}")
            classes = labels(r, name)
            train, live = golden.frames(name)
            fitted = fit(name, pipeline, train, golden.labels(classes))
            positive = -1 if name == "isolation" else r.choice(classes)
            ties = write(folder, golden, name, fitted, classes, positive, live)
            if ties:
                print(f"{name}: {ties} rows whose best classes tie, left out")
    print(f"scikit-learn {sklearn.__version__}, XGBoost {xgboost.__version__}, LightGBM {lightgbm.__version__}, "
          f"numpy {np.__version__}, pandas {pd.__version__}; seed {seed}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
