"""Write random pipelines of the packages around scikit-learn, as differential.py does for its own.

python mappers.py FOLDER COUNT SEED

They are sklearn-pandas' DataFrameMapper, sklearn2pmml's PMMLPipeline and decorators, and imbalanced-learn's pipeline
with every kind of sampler.
"""

import inspect

import numpy as np
import pandas as pd

try:
    from sklearn2pmml.sklearn_pandas import patch_sklearn

    patch_sklearn()  # sklearn-pandas imports what scikit-learn 1.7 no longer has
except ImportError:
    pass
from differential import VERSION, main
from imblearn import combine, over_sampling, under_sampling
from imblearn.pipeline import Pipeline as SamplingPipeline
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelBinarizer, LabelEncoder, MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn2pmml import decoration
from sklearn2pmml.pipeline import PMMLPipeline
from sklearn_pandas import DataFrameMapper

np.seterr(all="ignore")
DENSE = {"sparse_output" if VERSION >= (1, 2) else "sparse": False}
FROZEN = pd.__version__ >= "3"  # hands out arrays that cannot be written, which sklearn2pmml does to cut extremes
MODERN = "data_values" in inspect.signature(decoration.CategoricalDomain).parameters


def treatment(rng, known, integral=False):
    """Options of a decorator; known is a value of the column, for replacements."""
    options = rng.choice([{}, {}, {"missing_value_replacement": known}, {"missing_value_treatment": "return_invalid"}]).copy()
    as_missing = not integral if MODERN else "missing_value_replacement" in options
    options.update(rng.choice([
        {}, {"invalid_value_treatment": "as_is"}, {"invalid_value_treatment": "as_value", "invalid_value_replacement": known},
        {"invalid_value_treatment": "as_missing"} if as_missing else {}]))
    if rng.random() < 0.15:
        options["with_data"] = False
    return options


def continuous(rng, column):
    options = treatment(rng, 2 if column == "i1" else rng.choice([0.5, -1]), column == "i1")
    kinds = ([] if FROZEN else ["as_extreme_values"]) + ([] if column == "i1" else ["as_missing_values"])
    if rng.random() < 0.3 and kinds:
        kind = rng.choice(kinds)
        options.update(outlier_treatment=kind, low_value=-1, high_value=3)
    if rng.random() < 0.15 and column == "i1":
        options["missing_values"] = rng.choice([3, [3, 5]]) if MODERN else 3
        if options.get("invalid_value_treatment") == "as_missing" and not MODERN:
            del options["invalid_value_treatment"]
    return decoration.ContinuousDomain(**options)


def categorical(rng, column):
    options = treatment(rng, {"c1": "US", "c2": "b", "c3": 5411, "c4": 2.0, "c6": "q"}[column], column == "c3")
    if rng.random() < 0.15 and column in ("c1", "c3"):
        options["missing_values"] = {"c1": "DE", "c3": 1}[column]
        options.pop("missing_value_treatment", None)
    kind = decoration.OrdinalDomain if rng.random() < 0.3 else decoration.CategoricalDomain
    return kind(**options)


def number_group(rng, column):
    steps = []
    if rng.random() < 0.75:
        steps.append(continuous(rng, column))
    steps.append(SimpleImputer(strategy=rng.choice(["mean", "median"]), add_indicator=rng.random() < 0.2))
    if rng.random() < 0.7:
        steps.append(rng.choice([StandardScaler(), MinMaxScaler()]))
    return ([column], steps if rng.random() < 0.9 else Pipeline([(str(i), s) for i, s in enumerate(steps)]), {"alias": column + "_a"})


def text_group(rng, column):
    if column == "c3" and rng.random() < 0.4:
        return (column, rng.choice([LabelEncoder(), LabelBinarizer(), LabelBinarizer(neg_label=-1, pos_label=2)]))
    if column == "c6" and rng.random() < 0.4:
        return (column, LabelBinarizer())
    steps = [categorical(rng, column)] if rng.random() < 0.8 else []
    encoder = rng.choice([OneHotEncoder(handle_unknown="ignore"), OneHotEncoder(handle_unknown="ignore", **DENSE),
                          OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **({"encoded_missing_value": -3} if VERSION >= (1, 1) else {}))])
    return ([column], steps + [encoder])


def mapper(rng):
    numbers = [c for c in ["n1", "n2", "n3", "i1"] if rng.random() < 0.7] or ["n1"]
    texts = [c for c in ["c1", "c2", "c3", "c4", "c6"] if rng.random() < 0.5]
    groups = [number_group(rng, c) for c in numbers] + [text_group(rng, c) for c in texts]
    if rng.random() < 0.3:
        domains = [rng.choice([continuous(rng, "n1"), None]), continuous(rng, "n3")]
        groups.append((["n1", "n3"], [decoration.MultiDomain(domains), SimpleImputer()]))
    if rng.random() < 0.2:
        groups.append((["n3"], [decoration.Alias(SimpleImputer(), "other"), decoration.ContinuousDomainEraser()]))
    if rng.random() < 0.2:
        groups.append((make_column_selector("^b1$"), None))
    rng.shuffle(groups)
    options = {"df_out": rng.random() < 0.2}
    if not options["df_out"]:
        options["sparse"] = rng.random() < 0.3
        default = rng.choice([False, False, None, SimpleImputer(), [SimpleImputer(), StandardScaler()]])
        options.update(default=default, drop_cols=["c1", "c2", "c5", "c6"] if default is not False else None)
    return DataFrameMapper(groups, input_df=rng.random() < 0.5, **options)


def transformer(rng):
    """The same decorators without the mapper."""
    parts = [("num", Pipeline([("domain", continuous(rng, c)), ("fill", SimpleImputer()), ("scale", StandardScaler())]), [c]) for c in ("n1", "i1")]
    parts += [("cat", Pipeline([("domain", categorical(rng, "c1")), ("code", OneHotEncoder(handle_unknown="ignore"))]), ["c1"])]
    return ColumnTransformer(parts)


def sampler(rng):
    """A sampler of any module that does with its defaults, mostly."""
    classes = [c for module in (over_sampling, under_sampling, combine) for c in (getattr(module, n) for n in module.__all__)]
    kind = rng.choice(classes)
    parameters = inspect.signature(kind).parameters
    options = {"random_state": 0} if "random_state" in parameters else {}
    if "categorical_features" in parameters:
        options["categorical_features"] = [0]
    return kind(**options)


def draw(rng, x, classes):
    steps = [("mapper", mapper(rng) if rng.random() < 0.75 else transformer(rng))]
    last = ("classifier", rng.choice([LogisticRegression(max_iter=60), RandomForestClassifier(n_estimators=5, max_depth=4, random_state=1)]))
    kind = rng.random()
    if kind < 0.3:
        return SamplingPipeline(steps + [("sampler", sampler(rng)), last])
    if kind < 0.8:
        return PMMLPipeline(steps + [last])
    return Pipeline(steps + [last])


if __name__ == "__main__":
    main(draw)
