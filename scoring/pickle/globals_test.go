package pickle

import (
	"strings"
	"testing"
)

// TestAllowList has names that models need and names that attackers have used: functions of Python, loaders in
// trusted packages, spellings that only look like a trusted name.
func TestAllowList(t *testing.T) {
	for name, want := range map[string]string{
		"sklearn.pipeline.Pipeline":                        "",
		"sklearn.some_module_of_2030.NewEstimator":         "",
		"sklearn.feature_selection._univariate.f_classif":  "",
		"sklearn._loss._loss.CyHalfBinomialLoss":           "",
		"_loss.CyHalfBinomialLoss":                         "",
		"imblearn.pipeline.Pipeline":                       "",
		"xgboost.core.Booster":                             "",
		"numpy.core.multiarray._reconstruct":               "",
		"numpy._core.multiarray._reconstruct":              "",
		"numpy.float64":                                    "",
		"numpy.log1p":                                      "",
		"numpy.core._multiarray_umath.log1p":               "",
		"numpy._core._multiarray_umath.log1p":              "",
		"__builtin__.object":                               "",
		"copy_reg._reconstructor":                          "",
		"scipy.stats._continuous_distns.uniform_gen":       "",
		"builtins.eval":                                    ReasonForbiddenGlobal,
		"builtins.getattr":                                 ReasonForbiddenGlobal,
		"__builtin__.eval":                                 ReasonForbiddenGlobal,
		"os.system":                                        ReasonForbiddenGlobal,
		"nt.system":                                        ReasonForbiddenGlobal,
		"subprocess.Popen":                                 ReasonForbiddenGlobal,
		"_posixsubprocess.fork_exec":                       ReasonForbiddenGlobal,
		"ctypes.CDLL":                                      ReasonForbiddenGlobal,
		"numpy.load":                                       ReasonForbiddenGlobal,
		"numpy.frompyfunc":                                 ReasonForbiddenGlobal,
		"numpy.core.memmap.memmap":                         ReasonForbiddenGlobal,
		"numpy.testing._private.utils.runstring":           ReasonForbiddenGlobal,
		"numpy.random._examples.cffi.extending":            ReasonForbiddenGlobal,
		"joblib.numpy_pickle.load":                         ReasonForbiddenGlobal,
		"joblib.numpy_pickle_compat.NDArrayWrapper":        ReasonForbiddenGlobal,
		"pandas.core.frame.DataFrame":                      "",
		"pandas.core.indexes.base._new_Index":              "",
		"pandas._libs.internals._unpickle_block":           "",
		"pandas.read_pickle":                               ReasonForbiddenGlobal,
		"scipy.io.loadmat":                                 ReasonForbiddenGlobal,
		"scipy._lib._testutils.PytestTester":               ReasonForbiddenGlobal,
		"sklearn.pipeline.Pipeline.__init__":               "", // as a module sklearn.pipeline.Pipeline: a name, never called
		"__main__.Ratio":                                   ReasonCustomCode,
		"fraudlib.features.Ratio":                          ReasonCustomCode,
		"cloudpickle.cloudpickle._make_function":           ReasonCustomCode,
		"dill._dill._create_type":                          ReasonCustomCode,
		"sklearn..Pipeline":                                ReasonForbiddenGlobal,
		"sklearn .Pipeline":                                ReasonForbiddenGlobal,
		".Pipeline":                                        ReasonForbiddenGlobal,
		"sklearn.":                                         ReasonForbiddenGlobal,
		"skleаrn.pipeline.Pipeline":                        ReasonForbiddenGlobal, // a Cyrillic а
		"sklearn.externals.joblib.numpy_pickle.read_zfile": "",
	} {
		dot := strings.LastIndexByte(name, '.')
		if _, err := resolve(name[:dot], name[dot+1:], 0); reasonOf(err) != want {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
}

// TestFunctionsAreNeverCalled goes through every kind of allowed name that is a function.
func TestFunctionsAreNeverCalled(t *testing.T) {
	for _, name := range []string{
		"sklearn.datasets fetch_openml", "sklearn.utils.validation check_array", "numpy log1p", "numpy float64",
		"builtins list", "builtins int", "xgboost.core _load_lib", "imblearn.metrics make_index_balanced_accuracy",
	} {
		module, function, _ := strings.Cut(name, " ")
		stream := "c" + module + "\n" + function + "\n"
		if _, err := Decode([]byte(stream+"."), Limits{}); err != nil {
			t.Errorf("%s as a value: %v", name, err)
		}
		for _, call := range []string{")R.", ")\x81.", ")}\x92."} {
			if _, err := Decode([]byte("\x80\x04"+stream+call), Limits{}); reasonOf(err) != ReasonForbiddenGlobal {
				t.Errorf("%s called by %q: %v", name, call, err)
			}
		}
	}
}
