package pickle

import "strings"

// A role says what a name means when the file calls it.
type role byte

const (
	// roleForbidden is the role of every name that no rule mentions.
	roleForbidden role = iota
	// roleName is a value only: a type, or a function of numpy or scikit-learn. A call is refused.
	roleName
	// roleData is a class, or a function that only puts an object together. A call becomes an inert Object.
	roleData

	// The rest are the calls that this package knows by meaning, because arrays and containers are made by them.

	roleDType         // numpy.dtype(code, align, copy)
	roleScalar        // numpy scalar(dtype, bytes)
	roleReconstruct   // numpy _reconstruct(ndarray, (0,), b'b'), to be followed by a state
	roleWrapper       // joblib's NumpyArrayWrapper, to be followed by a state and raw data
	roleFromBuffer    // numpy _frombuffer(buffer, dtype, shape, order)
	roleEncode        // _codecs.encode(text, 'latin1'): bytes in protocols 0 to 2
	roleByteArray     // bytearray(bytes)
	roleBytes         // bytes(): the empty ones in protocols 0 to 2
	roleReconstructor // copyreg._reconstructor(class, base, value): NEWOBJ in protocols 0 and 1
	roleOrderedDict   // OrderedDict([pairs])
	roleDefaultDict   // defaultdict(factory)
	roleSet           // set([items]) in protocols 0 to 3
	roleUfunc         // numpy _ufunc_reconstruct(module, name)
)

// resolve looks a name up in the allow-list, or refuses it. Nothing is imported: an allowed name is a pair of
// words. The words are bounded and checked for form before they are looked up, so a message never carries more
// than a line of them. What to do next depends on whose name it is: an attack is refused as one, the author's
// own class with advice.
func resolve(module, name string, offset int) (Global, error) {
	module, name = renamed(module, name)
	g := Global{Module: module, Name: name, Offset: int64(offset)}
	if len(module) > maxName || len(name) > maxName || !isDotted(module) || !isIdentifier(name) {
		return g, refuse(ReasonForbiddenGlobal, offset, "%q is no plain name of a class", clip(module+"."+name))
	}
	g.role = roleOf(module, name)
	if g.role != roleForbidden {
		return g, nil
	}
	if !isForeign(module) {
		return g, refuse(ReasonForbiddenGlobal, offset, "%s is not among the names that a fitted model is made of", clip(g.String()))
	}
	return g, refuse(ReasonCustomCode, offset, "%s is code from outside scikit-learn, which is not in the file and would not be run: "+
		"build the pipeline of scikit-learn's own classes, or wait for a version that reads ONNX and export it", clip(g.String()))
}

// renamed turns the names that protocols 0 to 2 keep from Python 2 into those of Python 3.
func renamed(module, name string) (string, string) {
	switch module {
	case "copy_reg":
		return "copyreg", name
	case "__builtin__":
		switch name {
		case "long":
			name = "int"
		case "unicode":
			name = "str"
		}
		return "builtins", name
	}
	return module, name
}

// roleOf returns the role of a well-formed name. Exact names come before the rules of their package, so that a
// rule cannot widen what an entry of the table says.
func roleOf(module, name string) role {
	// numpy 2 renamed numpy.core.
	if rest, renamed := strings.CutPrefix(module, "numpy._core"); renamed {
		module = "numpy.core" + rest
	}
	if r := exactly[module+"."+name]; r != roleForbidden {
		return r
	}
	pkg, _, _ := strings.Cut(module, ".")
	switch pkg {
	case "sklearn", "imblearn", "xgboost", "lightgbm", "catboost", "_loss", "sklearn2pmml", "sklearn_pandas":
		return modelRole(name)
	case "pandas":
		if isClassName(name) || strings.HasPrefix(name, "_unpickle_") {
			return roleData // tables and types that an artefact carries along; only labels are ever read
		}
	case "numpy":
		return numpyRole(module, name)
	case "scipy":
		return scipyRole(module, name)
	}
	return roleForbidden
}

// isForeign says whether a module belongs neither to Python nor to the packages that models are made of. Python's own
// modules with a leading underscore are its C halves; __main__ is the author's script. It decides only which
// words a refusal has: what is asked about here is refused either way.
func isForeign(module string) bool {
	pkg, _, _ := strings.Cut(module, ".")
	if pkg == "__main__" || pkg == "__mp_main__" {
		return true
	}
	return !standardLibrary[pkg] && !knownPackages[pkg] && !strings.HasPrefix(pkg, "_")
}

// modelRole is the role of a name in a package of estimators: classes are data, functions are names. Cython
// pickles the classes of its modules through functions with that prefix, which take a class, a checksum and a
// state.
func modelRole(name string) role {
	if isClassName(name) || strings.HasPrefix(name, "__pyx_unpickle_") {
		return roleData
	}
	return roleName
}

// numpyRole covers what the table does not: generators and masked arrays, which searches carry along. A masked
// array is what a search keeps its table of results in, and a generator is a random_state that somebody gave;
// no prediction needs either.
func numpyRole(module, name string) role {
	switch {
	case strings.HasPrefix(module, "numpy.random") && (isClassName(name) || strings.HasSuffix(name, "_ctor")),
		strings.HasPrefix(module, "numpy.ma") && (isClassName(name) || name == "_mareconstruct"):
		return roleData
	case module == "numpy" && arrayTypes[name],
		(module == "numpy" || module == "numpy.core._multiarray_umath") && elementwise[name]:
		return roleName
	}
	return roleForbidden
}

// scipyRole covers distributions, sparse matrices and splines. A search by random draws keeps the distributions
// that it drew from; sparse matrices hold what a vectorizer or a neighbour search was fitted on.
func scipyRole(module, name string) role {
	switch {
	case strings.HasPrefix(module, "scipy.stats.") && (strings.HasSuffix(name, "_gen") || name == "rv_frozen" || name == "rv_continuous_frozen" || name == "rv_discrete_frozen"),
		strings.HasPrefix(module, "scipy.sparse.") && (strings.HasSuffix(name, "_matrix") || strings.HasSuffix(name, "_array")),
		strings.HasPrefix(module, "scipy.interpolate.") && isClassName(name):
		return roleData
	}
	return roleForbidden
}

// isClassName tells classes from functions by their spelling: CapWords, perhaps after underscores. That is PEP
// 8's convention, which these packages keep; the few exceptions stand in the table.
func isClassName(name string) bool {
	bare := strings.TrimLeft(name, "_")
	return bare != "" && bare[0] >= 'A' && bare[0] <= 'Z'
}

// isDotted says whether a module is made of identifiers and single dots.
func isDotted(module string) bool {
	for part := range strings.SplitSeq(module, ".") {
		if !isIdentifier(part) {
			return false
		}
	}
	return true
}

// isIdentifier accepts ASCII only: look-alike letters have no business in the name of a known class.
func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
