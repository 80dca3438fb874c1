// Package export holds the Python that a data scientist runs after fit().
//
// fraudstream_bundle.py has one function, save_bundle, and needs nothing but scikit-learn, pandas, numpy and joblib.
// It is meant to be copied beside a training script. It writes a bundle: the pipeline as joblib.dump writes it,
// metadata.json with hashes, features, baselines and thresholds, and golden.json with held-out rows and their
// scores, missing values and unseen categories among them.
//
// # Why a file and not a library
//
// What a bundle promises is checked when it is loaded, so the writer need not be trusted; a file of one screenful of
// functions can be read by the person who signs for the model, and has no release of its own to go out of step.
//
// # What it finds out by itself
//
// Whether a feature may be missing is found by trying: the pipeline is asked for a score with that value alone
// null. Which columns are categories is read off the fitted encoders. The score baseline is counted on held-out
// rows, because the scores of training rows flatter a forest so much that clean traffic would alarm.
//
// # What it is told
//
// Features that pandas computed from an event before fit are declared as rules (hour of event_time in a zone, ratio of
// two fields …). The script computes every rule on the held-out rows and refuses one that gives other values, and
// writes the raw events of the golden rows, so that the scorer has to show the same once more. The drift of features
// that follow the clock is switched off, because any hour's traffic differs from the week's. Where it is given the
// times of the training rows, every other baseline is split by the hour of the week.
//
// The tests are in package scoring, which loads what the script writes: from files that it wrote once, and from fresh
// runs where FRAUDSTREAM_PYTHON names a Python with scikit-learn and FRAUDSTREAM_PYTHON_OLD Pythons with older ones.
package export
