"""Draws the models whose speed is measured, in speed/: 20,000 rows of 30 features, 30 % of them fraud.

    python speed.py

The files in the repository are from scikit-learn 1.7.2.
"""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROWS, FEATURES = 20_000, 30
random = np.random.default_rng(1)
x, y = make_classification(ROWS, FEATURES, n_informative=12, weights=[0.7], flip_y=0.02, random_state=1)


def save(name, model):
    joblib.dump(model, Path(__file__).parent / "speed" / f"{name}.joblib", compress=("xz", 9))


save("scaler-logreg", make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y))
save("gradient-boosting", GradientBoostingClassifier(n_estimators=100, max_depth=3, random_state=1).fit(x, y))

# Three of the thirty are categories, and of every other value one in fifty is missing.
gaps = np.where(random.random(x.shape) < 0.02, np.nan, x)
gaps[:, 27:] = np.digitize(x[:, 27:], [-2, -1, -0.5, 0, 0.5, 1, 2])
hist = HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=31, categorical_features=[27, 28, 29], early_stopping=False, random_state=1)
save("hist-gradient-boosting", hist.fit(gaps, y))

# One-hot encoding of three categories beside the thirty numbers: 3, 5 and 8 values.
columns = [f"v{i}" for i in range(FEATURES)]
frame = pd.DataFrame(x, columns=columns)
countries = np.array(["GB", "FR", "DE", "NL", "ES", "IT", "US", "PL"])
categories = {"channel": 3, "kind": 5, "country": 8}
for name, values in categories.items():
    frame[name] = countries[random.integers(0, values, ROWS)]
encoder = OneHotEncoder(handle_unknown="ignore")
columns_transformed = ColumnTransformer([("num", StandardScaler(), columns), ("cat", encoder, list(categories))])
save("onehot-logreg", make_pipeline(columns_transformed, LogisticRegression()).fit(frame, y))
