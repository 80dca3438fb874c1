package sklearn

import "testing"

// TestDifferentialClassifiers draws classifiers, ensembles and calibrations of every family with the scikit-learn that
// FRAUDSTREAM_PYTHON has, and compares every output of every row.
func TestDifferentialClassifiers(t *testing.T) { drawAndCompare(t, "testdata/classifiers.py") }
