package pickle

import "strings"

// The table was drawn up from the files of scikit-learn 0.24 to 1.9, numpy 1.19 to 2.5, pandas 1.1 to 3.1, joblib 1.1 to
// 1.6, XGBoost, LightGBM, imbalanced-learn, sklearn-pandas and sklearn2pmml. A new entry needs an answer to one
// question: can the name, written down and never called, be mistaken for something else by whoever compiles the model?

// exactly is the part of the allow-list that goes by full names. numpy._core is looked up as numpy.core.
var exactly = map[string]role{
	"numpy.dtype":                        roleDType,
	"numpy.core.multiarray._reconstruct": roleReconstruct,
	"numpy.core.multiarray.scalar":       roleScalar,
	"numpy.core.numeric._frombuffer":     roleFromBuffer,
	"numpy.core._ufunc_reconstruct":      roleUfunc,

	"joblib.numpy_pickle.NumpyArrayWrapper":                   roleWrapper,
	"sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper": roleWrapper,

	"_codecs.encode":          roleEncode,
	"builtins.bytearray":      roleByteArray,
	"builtins.bytes":          roleBytes,
	"builtins.frozenset":      roleSet,
	"builtins.set":            roleSet,
	"builtins.slice":          roleData,
	"collections.OrderedDict": roleOrderedDict,
	"collections.defaultdict": roleDefaultDict,
	"copyreg._reconstructor":  roleReconstructor,
	"functools.partial":       roleData,

	"builtins.bool":    roleName,
	"builtins.complex": roleName,
	"builtins.dict":    roleName,
	"builtins.float":   roleName,
	"builtins.int":     roleName,
	"builtins.list":    roleName,
	"builtins.object":  roleName,
	"builtins.str":     roleName,
	"builtins.tuple":   roleName,

	"datetime.date":      roleData,
	"datetime.datetime":  roleData,
	"datetime.timedelta": roleData,

	"pandas.core.indexes.base._new_Index":              roleData,
	"pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": roleData,
	"pyarrow.lib._restore_array":                       roleData,
	"pyarrow.lib.chunked_array":                        roleData,
	"pyarrow.lib.py_buffer":                            roleData,
	"pyarrow.lib.type_for_alias":                       roleData,

	// The splines of scipy 1.17 hold the function that makes their arrays.
	"scipy._lib.array_api_compat.numpy._aliases.asarray": roleName,

	// Written like functions, classes all the same.
	"sklearn.compose._column_transformer.make_column_selector": roleData,
	"sklearn.metrics._dist_metrics.newObj":                     roleData,
	"sklearn.neighbors._ball_tree.newObj":                      roleData,
	"sklearn.neighbors._dist_metrics.newObj":                   roleData,
	"sklearn.neighbors._kd_tree.newObj":                        roleData,
	"numpy.random.bit_generator.__pyx_unpickle_SeedSequence":   roleData,
}

// arrayTypes are numpy's scalar types, which appear as the dtype parameter of an estimator. Those that numpy 2
// has dropped, such as float_, are still in the files that older versions have written.
var arrayTypes = words(`bool bool_ bytes_ complex128 complex64 double float16 float32 float64 float_ int16 int32 int64
	int8 int_ integer floating inexact intp longlong ndarray number object_ single str_ uint uint16 uint32 uint64 uint8`)

// elementwise are numpy's functions that a FunctionTransformer may hold; a name is all that is kept of them.
// They are listed one by one, because numpy also has functions that load and save files, and a prefix or a
// module would let those in as names.
var elementwise = words(`absolute abs add arccos arccosh arcsin arcsinh arctan arctan2 arctanh cbrt ceil clip conjugate cos cosh deg2rad degrees
	divide equal exp exp2 expm1 fabs floor floor_divide fmax fmin fmod greater greater_equal hypot invert isfinite isinf
	isnan less less_equal log log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor maximum minimum
	mod multiply nan_to_num negative not_equal positive power rad2deg radians reciprocal remainder rint round sign sin
	sinh sqrt square subtract tan tanh true_divide trunc`)

// knownPackages hold classes that models are made of. What is not allowed in them is refused as forbidden, not as
// code of the author's own.
var knownPackages = words(`catboost imblearn joblib lightgbm numpy pandas pyarrow scipy sklearn sklearn2pmml sklearn_pandas
	threadpoolctl xgboost`)

// standardLibrary are the top-level modules of Python 2.7 and 3.8 to 3.14, without those that begin with an
// underscore. A name of one of these is refused as forbidden: whatever os.system is doing in a model, it is no
// class that the author forgot to mention.
var standardLibrary = words(`
	abc aifc antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii bisect builtins
	bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys commands compileall
	concurrent configparser contextlib contextvars copy copy_reg copyreg crypt csv ctypes curses dataclasses datetime
	dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno exceptions faulthandler fcntl filecmp
	fileinput fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib
	heapq hmac html http idlelib imaplib imghdr imp importlib inspect io ipaddress itertools json keyword lib2to3
	linecache locale logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing
	netrc nis nntplib nt ntpath nturl2path numbers opcode operator optparse os os2 ossaudiodev pathlib pdb pickle
	pickletools pipes pkgutil platform plistlib popen2 poplib posix posixpath pprint profile pstats pty pwd py_compile
	pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource riscos rlcompleter runpy sched
	secrets select selectors shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3
	sre_compile sre_constants sre_parse ssl stat statistics string stringprep struct subprocess sunau symtable sys
	sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap this threading time timeit tkinter token
	tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types typing unicodedata unittest urllib uu uuid
	venv warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib
	zoneinfo`)

// words makes a set of the words of a text.
func words(text string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		set[word] = true
	}
	return set
}
