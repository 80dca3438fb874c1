"""Write random pipelines of transformers, selectors and searches, as differential.py does for encoders and models.

python transformers.py FOLDER COUNT SEED
"""

import numpy as np
from differential import VERSION, main, numeric
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import AdaBoostClassifier, ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.feature_selection import (
    RFE, RFECV, GenericUnivariateSelect, SelectFdr, SelectFpr, SelectFromModel, SelectFwe, SelectKBest, SelectPercentile,
    SequentialFeatureSelector, VarianceThreshold,
)
from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import BayesianRidge, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    Binarizer, FunctionTransformer, KBinsDiscretizer, MaxAbsScaler, Normalizer, OneHotEncoder, PolynomialFeatures,
    PowerTransformer, QuantileTransformer, RobustScaler, SplineTransformer, StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

try:
    from lightgbm import LGBMClassifier
    from xgboost import XGBClassifier, XGBRFClassifier
except ImportError:
    LGBMClassifier = XGBClassifier = XGBRFClassifier = None


def scaling(rng, steps=True):
    """A transformer that takes a matrix with gaps, or not.

    Without steps it is one whose result does not jump: behind a transformer that rounds, a value which stands many
    times in training lies on an edge or beside it by its last digit, and so scikit-learn differs from itself.
    """
    clip = {"clip": True} if VERSION >= (1, 8) and rng.random() < 0.5 else {}
    discretize = {"n_bins": rng.choice([2, 3, 7]), "encode": rng.choice(["ordinal", "onehot", "onehot-dense"]), "strategy": rng.choice(["uniform", "quantile", "kmeans"])}
    spline = {"n_knots": rng.choice([2, 4, 6]), "degree": rng.choice([1, 2, 3]), "include_bias": rng.random() < 0.5,
              "extrapolation": rng.choice(["error", "constant", "linear", "continue", "periodic"]), "knots": rng.choice(["uniform", "quantile"])}
    if VERSION >= (1, 8) and rng.random() < 0.6:
        spline["handle_missing"] = "zeros"
    smooth = [
        lambda: SplineTransformer(**spline), lambda: SplineTransformer(**spline),
        lambda: MaxAbsScaler(**clip),
        lambda: RobustScaler(with_centering=rng.random() < 0.7, with_scaling=rng.random() < 0.7, quantile_range=rng.choice([(25.0, 75.0), (5.0, 90.0)])),
        lambda: PowerTransformer(standardize=rng.random() < 0.6),
        lambda: Pipeline([("positive", FunctionTransformer(np.exp)), ("power", PowerTransformer("box-cox", standardize=rng.random() < 0.6))]),
        lambda: Normalizer(rng.choice(["l1", "l2", "max"])),
        lambda: FunctionTransformer(rng.choice([np.abs, np.square, np.expm1, np.log1p])),
    ]
    jumping = [
        lambda: QuantileTransformer(n_quantiles=rng.choice([2, 5, 60, 160]), output_distribution=rng.choice(["uniform", "normal"])),
        lambda: KBinsDiscretizer(**discretize),
        lambda: Binarizer(threshold=rng.choice([0, 0.5, -1.2])),
    ]
    return rng.choice(smooth + jumping if steps else smooth)()


def scorer(rng, classes):
    """A model whose weights choose columns."""
    seed = rng.randrange(1000)
    linear = {"solver": "liblinear", "penalty": rng.choice(["l1", "l2"])} if classes == 2 and VERSION < (1, 8) else {"max_iter": 50}
    if XGBClassifier and rng.random() < 0.25:
        gains = rng.choice([None, "gain", "cover", "weight", "total_gain", "total_cover"])
        return rng.choice([
            lambda: XGBClassifier(n_estimators=4, max_depth=3, importance_type=gains, booster=rng.choice(["gbtree", "dart"])),
            lambda: XGBRFClassifier(n_estimators=4, max_depth=3),
            lambda: LGBMClassifier(n_estimators=4, min_child_samples=4, verbose=-1, importance_type=rng.choice(["split", "gain"])),
        ])()
    return rng.choice([
        lambda: LogisticRegression(**linear), lambda: DecisionTreeClassifier(max_depth=4, random_state=seed),
        lambda: AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=5, random_state=seed),
        lambda: ExtraTreeClassifier(max_depth=4, random_state=seed),
        lambda: RandomForestClassifier(n_estimators=7, max_depth=3, random_state=seed),
        lambda: ExtraTreesClassifier(n_estimators=7, max_depth=3, random_state=seed),
        lambda: GradientBoostingClassifier(n_estimators=5, random_state=seed),
    ])()


def selecting(rng, classes, degrees=(1, 2, 3)):
    """A transformer that keeps some columns, or projects or multiplies them."""
    whole = PCA(whiten=rng.random() < 0.5, n_components=rng.choice([1, 2, 0.9]), svd_solver="full")
    weights = {"threshold": rng.choice([None, "mean", "median", "0.5*mean", "1.25 * median", 0.1]), "norm_order": rng.choice([1, 2, np.inf])}
    if rng.random() < 0.4:
        weights["max_features"] = rng.choice([1, 2])
    generic = {"mode": "k_best", "param": 2} if rng.random() < 0.5 else {"mode": "percentile", "param": 40}
    return rng.choice([
        lambda: whole, lambda: whole, lambda: TruncatedSVD(n_components=2, random_state=0),
        lambda: PolynomialFeatures(rng.choice(list(degrees) + ([(2, 2), (0, 2)] if VERSION >= (1, 0) else [])), interaction_only=rng.random() < 0.4,
                                   include_bias=rng.random() < 0.5, order=rng.choice("CF")),
        lambda: VarianceThreshold(rng.choice([0, 0.3, 1.5])),
        lambda: SelectKBest(k=rng.choice([1, 2, "all"])), lambda: SelectPercentile(percentile=rng.choice([10, 35, 50, 77, 100])),
        lambda: SelectFpr(alpha=0.3), lambda: SelectFdr(alpha=0.6), lambda: SelectFwe(alpha=0.7), lambda: GenericUnivariateSelect(**generic),
        lambda: SelectFromModel(scorer(rng, classes), **weights), lambda: SelectFromModel(scorer(rng, classes), **weights),
        lambda: RFE(scorer(rng, classes), n_features_to_select=2), lambda: RFECV(scorer(rng, classes), cv=2),
        lambda: SequentialFeatureSelector(LogisticRegression(max_iter=20), n_features_to_select=2, cv=2),
    ])()


def gaps(rng):
    """What makes columns of gaps, or fills them."""
    filled = ("fill", SimpleImputer(strategy=rng.choice(["mean", "median"]), add_indicator=rng.random() < 0.3))
    flags = ("flags", MissingIndicator(features=rng.choice(["all", "missing-only"]), error_on_new=rng.random() < 0.5))
    options = {"max_iter": 3, "add_indicator": rng.random() < 0.3, "imputation_order": rng.choice(["ascending", "roman", "random"])}
    if rng.random() < 0.5:
        options.update(min_value=-1.5, max_value=3, n_nearest_features=2)
    model = rng.choice([None, BayesianRidge(), LinearRegression(), Ridge()])
    rounds = ("rounds", IterativeImputer(model, random_state=0, initial_strategy=rng.choice(["mean", "constant"]), **options))
    near = {"n_neighbors": rng.choice([1, 3, 5, 400]), "weights": "uniform"}
    if VERSION >= (1, 3) and rng.random() < 0.3:
        near["add_indicator"] = True  # before 1.3 a row without gaps gets no indicator, unless it comes with others
    if VERSION >= (1, 2) and rng.random() < 0.3:
        near["keep_empty_features"] = True
    donors = ("donors", KNNImputer(**near))
    return rng.choice([filled, filled, rounds, donors, donors, ("union", FeatureUnion([filled, flags]))])


def categories(rng):
    if VERSION >= (1, 3) and rng.random() < 0.6:
        from sklearn.preprocessing import TargetEncoder

        return TargetEncoder(smooth=rng.choice(["auto", 5.0]), random_state=0)
    return OneHotEncoder(handle_unknown="ignore")


def searched(rng, model):
    """A search over one parameter that any last step has."""
    grid = {"clf__C": [0.1, 1.0]}
    return rng.choice([
        lambda: GridSearchCV(model, grid, cv=2), lambda: RandomizedSearchCV(model, grid, n_iter=1, cv=2, random_state=0),
        lambda: HalvingGridSearchCV(model, grid, cv=2, random_state=0),
    ])()


def draw(rng, x, classes):
    numbers = [c for c in ["n1", "n2", "n3", "i1"] if rng.random() < 0.8] + ["n1"]
    numbers = sorted(set(numbers), key=lambda c: rng.random())
    first = [gaps(rng)] if rng.random() < 0.8 else []
    rounds = bool(first) and first[0][0] == "donors"  # their mean fills many training rows, and its last digit hangs on their order
    steps = first + [("scale", scaling(rng, steps=not rounds)), ("select", selecting(rng, classes)), ("again", scaling(rng, steps=False))]
    steps = [s for i, s in enumerate(steps) if i < len(first) or rng.random() < 0.7]
    part = Pipeline(steps) if steps else StandardScaler()
    framed = VERSION >= (1, 2) and rng.random() < 0.15
    if framed:
        part.set_output(transform="pandas")
    texts = [c for c in ["c1", "c3", "c4"] if rng.random() < 0.4] if not framed else []
    parts = [("num", part, numbers)] + ([("cat", categories(rng), texts)] if texts else []) + [("more", numeric(rng), ["i1"])]
    steps = [("pre", ColumnTransformer(parts))]
    if rng.random() < 0.4:
        steps.append(("late", selecting(rng, classes, (1, 2))))
    last = LogisticRegression(max_iter=60)
    kind = rng.random()
    if kind < 0.15:
        return Pipeline(steps + [("clf", RFE(scorer(rng, classes), n_features_to_select=2))])
    model = Pipeline(steps + [("clf", last)])
    return searched(rng, model) if kind < 0.4 else model


if __name__ == "__main__":
    main(draw)
