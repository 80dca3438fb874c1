"""Write random classifiers and ensembles of every family, for the test that compares; see differential.py.

Nearest neighbours are left out: where imputed rows tie their order is nobody's promise. testdata/drawn holds some.
"""

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier, BaggingClassifier, ExtraTreesClassifier, GradientBoostingClassifier, HistGradientBoostingClassifier,
    IsolationForest, RandomForestClassifier, StackingClassifier, VotingClassifier)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LogisticRegression, LogisticRegressionCV, PassiveAggressiveClassifier, Perceptron, RidgeClassifier, RidgeClassifierCV,
    SGDClassifier)
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier

import differential
from differential import NUMERIC, VERSION


def simple(rng, classes):
    """A classifier that is no ensemble of others."""
    seed = rng.randrange(1000)
    return rng.choice([
        lambda: LogisticRegression(C=rng.choice([0.1, 1]), max_iter=60),
        lambda: LogisticRegressionCV(Cs=2, cv=3, max_iter=50),
        lambda: SGDClassifier(loss=rng.choice(["hinge", "modified_huber", "squared_hinge", "perceptron", "log_loss" if VERSION >= (1, 1) else "log"]),
                              random_state=seed, average=rng.random() < 0.3, fit_intercept=rng.random() < 0.8),
        lambda: LinearSVC(random_state=seed, dual=True, fit_intercept=rng.random() < 0.8),
        lambda: rng.choice([RidgeClassifier(alpha=rng.choice([0.1, 10])), RidgeClassifierCV()]),
        lambda: rng.choice([Perceptron(random_state=seed), PassiveAggressiveClassifier(random_state=seed)]),
        lambda: SVC(kernel=rng.choice(["rbf", "linear", "poly", "sigmoid"]), gamma=rng.choice(["scale", "auto", 0.1]), coef0=rng.choice([0, 0.5]),
                    degree=rng.choice([2, 3]), probability=rng.random() < 0.5, break_ties=rng.random() < 0.3, random_state=seed),
        lambda: NuSVC(nu=0.2, probability=rng.random() < 0.5, random_state=seed),
        lambda: GaussianNB(),
        lambda: BernoulliNB(binarize=rng.choice([0.0, 0.5]), fit_prior=rng.random() < 0.7),
        lambda: MLPClassifier(hidden_layer_sizes=rng.choice([(5,), (6, 4), ()]), activation=rng.choice(["relu", "tanh", "logistic", "identity"]),
                              max_iter=20, random_state=seed),
        lambda: LinearDiscriminantAnalysis(solver=rng.choice(["svd", "lsqr"]), shrinkage=None),
        lambda: QuadraticDiscriminantAnalysis(reg_param=rng.choice([0.1, 0.5])),
        lambda: DecisionTreeClassifier(max_depth=4, random_state=seed),
        lambda: HistGradientBoostingClassifier(max_iter=rng.choice([3, 12]), max_leaf_nodes=rng.choice([4, 31]), min_samples_leaf=5, random_state=seed),
        lambda: RandomForestClassifier(n_estimators=4, max_depth=4, random_state=seed),
        lambda: DummyClassifier(strategy=rng.choice(["prior", "most_frequent"])),
    ])()


def probable(rng, classes):
    """A classifier with predict_proba."""
    while True:
        model = simple(rng, classes)
        if hasattr(model, "predict_proba"):
            return model


def calibrated(rng, classes):
    options = {"method": rng.choice(["sigmoid", "isotonic"] + (["temperature"] if VERSION >= (1, 8) else [])), "cv": rng.choice([2, 3])}
    if rng.random() < 0.4:
        options["ensemble"] = False
    return CalibratedClassifierCV(simple(rng, classes), **options)


def boosted(rng, seed):
    options = {"n_estimators": rng.choice([1, 8]), "learning_rate": rng.choice([0.5, 1.0]), "random_state": seed}
    if VERSION < (1, 6):
        options["algorithm"] = rng.choice(["SAMME", "SAMME.R"])
    base = rng.choice([None, DecisionTreeClassifier(max_depth=2)])
    return AdaBoostClassifier(base, **options)


def ensemble(rng, classes):
    seed = rng.randrange(1000)
    named = [(f"m{i}", None) for i in range(rng.choice([2, 3]))]
    return rng.choice([
        lambda: calibrated(rng, classes),
        lambda: calibrated(rng, classes),
        lambda: boosted(rng, seed),
        lambda: BaggingClassifier(simple(rng, classes), n_estimators=3, max_features=rng.choice([1.0, 0.7]), max_samples=0.8,
                                  bootstrap_features=rng.random() < 0.3, random_state=seed),
        lambda: VotingClassifier([(n, probable(rng, classes)) for n, _ in named], voting="soft", weights=rng.choice([None, [1, 2.5, 0.5][:len(named)]])),
        lambda: VotingClassifier([(n, simple(rng, classes)) for n, _ in named] + [("no", "drop")], voting="hard",
                                 weights=rng.choice([None, [1, 2.5, 0.5][:len(named)] + [9]])),
        lambda: StackingClassifier([(n, simple(rng, classes)) for n, _ in named], final_estimator=rng.choice([None, RandomForestClassifier(4, max_depth=3)]),
                                   stack_method=rng.choice(["auto", "auto", "predict"]), passthrough=rng.random() < 0.4, cv=2),
        lambda: IsolationForest(n_estimators=6, max_samples=rng.choice([32, 64]), max_features=rng.choice([1.0, 0.6]),
                                contamination=rng.choice(["auto", 0.1]), random_state=seed),
    ])()


def threshold(rng, classes):
    from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

    if rng.random() < 0.5:
        return FixedThresholdClassifier(simple(rng, classes), threshold=rng.choice(["auto", 0.2, 0.7]))
    return TunedThresholdClassifierCV(simple(rng, classes), scoring="balanced_accuracy", thresholds=20, cv=2)


def native(rng):
    """Histogram boosting over raw columns, categories native."""
    options = {"max_iter": 10, "max_leaf_nodes": 8, "min_samples_leaf": 3, "random_state": 1}
    if VERSION >= (1, 4):
        return ColumnTransformer([("all", "passthrough", ["n1", "n2", "i1", "c3", "c4"])]).set_output(transform="pandas"), \
            HistGradientBoostingClassifier(categorical_features=["all__i1", "all__c4"], **options)
    pre = ColumnTransformer([("cat", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), ["c3", "c4", "b1"]),
                             ("num", "passthrough", ["n1", "n2", "i1"])])
    return pre, HistGradientBoostingClassifier(categorical_features=[0, 1, 2], **options)


def pipeline(rng, x, classes):
    kind = rng.random()
    if kind < 0.1:
        pre, model = native(rng)
        return Pipeline([("pre", pre), ("clf", model)])
    numeric = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
    if kind < 0.25:
        numeric = "passthrough"  # NaN reaches the classifier, which takes it or raises
        columns = ["n3", "i1", "b1"]
    else:
        columns = [c for c in NUMERIC if rng.random() < 0.8] or ["n1"]
    pre = ColumnTransformer([("num", numeric, columns), ("cat", OneHotEncoder(handle_unknown="ignore", **{"sparse_output" if VERSION >= (1, 2) else "sparse": False}), ["c3"])])
    draws = [simple, simple, ensemble, ensemble]
    if VERSION >= (1, 5) and classes == 2:
        draws.append(threshold)
    return Pipeline([("pre", pre), ("clf", rng.choice(draws)(rng, classes))])


def outputs(model, x):
    """Per output that the model has the value of each row, one by one; None where scikit-learn raises."""
    names = [n for n in ("predict_proba", "decision_function", "score_samples") if hasattr(model, n)] + ["predict"]
    results = {}
    if names == ["predict"] and isinstance(model.classes_[0], str):
        return results  # hard voting over texts has no number to compare
    for name in names:
        results[name] = []
        for i in range(len(x)):
            try:
                v = getattr(model, name)(x.iloc[[i]])[0]
                results[name].append(differential.plain(v[-1] if np.ndim(v) else v))
            except (ValueError, TypeError):
                results[name].append(None)
    return results


if __name__ == "__main__":
    differential.outputs = outputs
    differential.main(pipeline)
