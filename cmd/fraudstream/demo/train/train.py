"""Train the model of ``fraudstream demo`` on the demo's own generator and write its bundle.

From the root of the repository, with the packages of requirements.txt beside this file::

    python cmd/fraudstream/demo/train/train.py

The generator's first six weeks are the training data, the six after them the holdout: a split by time,
as a bank would do it, with nothing resampled. The same versions give the same bytes.

What is normal at noon is not at night, so the baselines are split by the hour of the week. An hour needs
a thousand rows for one of its own, and the quietest has some 190 a week: hence six weeks. The model needs
no more than every twelfth payment of them.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "scoring" / "export"))

from fraudstream_bundle import save_bundle  # noqa: E402

BUNDLE = Path(__file__).resolve().parents[1] / "bundle"
SEED = 2026
LABEL, TIME = "is_fraud", "event_time"

# A merchant category is a code, not a number: 5411 is no more than 5412.
TEXT = {"country": object, "channel": object, "mcc": object, "card_type": object}
IMPUTED = ["customer_age", "distance_km", "amount_to_mean_7d", "minutes_since_last"]
PLAIN = ["amount", "cross_border", "tx_count_24h", "terminal_risk"]

# A few per cent of the payments are looked at by a person, about one in a hundred is stopped.
THRESHOLDS = {"review": 0.05, "block": 0.4}

# The hour is part of the events and not of the model. Fraud does not sleep, so a model that knows the hour gives a whole
# country another score when its clocks strike: more than the hours of a baseline can tell, because an interval of the
# monitor that begins in one hour and ends in the next is compared with the first alone. The score would be the worse
# thing to watch for it, and the velocities say nearly as much about fraud.
UNUSED = ["hour"]

# Which terminals are tampered with changes from week to week.
DRIFT = {
    "terminal_risk": {"tolerance": 0.05},
}

REASONS = {
    "amount": {"code": "R01", "text": "unusual amount"},
    "amount_to_mean_7d": {"code": "R02", "text": "far above the week's payments"},
    "tx_count_24h": {"code": "R03", "text": "many payments within a day"},
    "minutes_since_last": {"code": "R04", "text": "shortly after the last payment"},
    "distance_km": {"code": "R05", "text": "far from home"},
    "cross_border": {"code": "R06", "text": "merchant abroad"},
    "country": {"code": "R07", "text": "country of the merchant"},
    "channel": {"code": "R08", "text": "way of payment"},
    "mcc": {"code": "R09", "text": "kind of merchant"},
    "terminal_risk": {"code": "R10", "text": "terminal with disputes"},
    "customer_age": {"code": "R12", "text": "age of the customer"},
    "card_type": {"code": "R13", "text": "type of card"},
}


def payments(rows, seed):
    """The first payments of a seed, with their labels."""
    command = ["go", "run", "./cmd/fraudstream/demo/generate", "-seed", str(seed), "-n", str(rows)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        frame = pd.read_csv(process.stdout, dtype=TEXT, parse_dates=[TIME])
    if process.returncode != 0:
        raise SystemExit("the generator failed; is Go on the PATH?")
    return frame


def pipeline(trees):
    prepare = ColumnTransformer([
        ("place", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["country", "channel", "card_type"]),
        ("kind", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["mcc"]),
        ("known", SimpleImputer(strategy="median"), IMPUTED),
        ("plain", "passthrough", PLAIN),
    ])
    model = GradientBoostingClassifier(n_estimators=trees, max_depth=4, learning_rate=0.1, subsample=0.5,
                                       random_state=1)
    return Pipeline([("prepare", prepare), ("model", model)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_500_000, help="training rows")
    parser.add_argument("--holdout", type=int, default=1_500_000, help="rows after them that the model never sees")
    parser.add_argument("--fitted", type=int, default=125_000, help="as many of the training rows, evenly spread, are fitted")
    parser.add_argument("--trees", type=int, default=80)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=BUNDLE)
    args = parser.parse_args()

    frame = payments(args.rows + args.holdout, args.seed)
    y, times, X = frame[LABEL], frame[TIME], frame.drop(columns=[LABEL, TIME, *UNUSED])
    every = max(1, args.rows // args.fitted)
    model = pipeline(args.trees).fit(X[: args.rows : every], y[: args.rows : every])

    X_holdout, y_holdout = X[args.rows :], y[args.rows :]
    metadata = save_bundle(
        model, X[: args.rows], X_holdout, args.out, name="card-fraud", version="2026-11-01",
        thresholds=THRESHOLDS, y_holdout=y_holdout, created="2026-11-01T09:00:00Z", drift=DRIFT, reasons=REASONS,
        train_times=times[: args.rows], holdout_times=times[args.rows :],
        dataset=f"fraudstream demo generator, seed {args.seed}", compress=9)

    score = pd.Series(model.predict_proba(X_holdout)[:, 1], index=y_holdout.index)
    blocked, seen = score >= THRESHOLDS["block"], score >= THRESHOLDS["review"]
    print("metrics", metadata["metrics"])
    print(f"fraud {y_holdout.mean():.2%}  block {blocked.mean():.2%}  review {(seen & ~blocked).mean():.2%}")
    print(f"of the fraud, blocked {y_holdout[blocked].sum() / y_holdout.sum():.1%}, "
          f"blocked or reviewed {y_holdout[seen].sum() / y_holdout.sum():.1%}; "
          f"of the blocked, fraud {y_holdout[blocked].mean():.1%}")
    print("bytes", {f.name: f.stat().st_size for f in sorted(args.out.iterdir())})


if __name__ == "__main__":
    main()
