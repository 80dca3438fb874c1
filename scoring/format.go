package scoring

import (
	"bytes"
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"fraudstream/scoring/booster"
	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
	"fraudstream/scoring/sklearn"
)

// extensions are the formats that a file name promises; it is asked only where the content does not tell. A
// .json that is a model could be another thing altogether, which is why the content is looked at first.
var extensions = map[string]string{
	".joblib": "joblib", ".pkl": "pickle", ".pickle": "pickle",
	".skops": "skops", ".onnx": "onnx", ".pmml": "pmml",
	".json": "xgboost-json", ".ubj": "xgboost-ubj", ".txt": "lightgbm-text",
}

// magics begin pickles of protocol 2 and later, and whatever joblib packs them into. They are shorter than what
// the decoder looks for: this is only the question whom to ask.
var magics = [][]byte{
	{0x80}, {0x78}, {0x1f, 0x8b}, []byte("BZ"), {0xfd, '7', 'z', 'X', 'Z'}, {0x5d, 0, 0}, {0x04, 0x22, 0x4d, 0x18}, []byte("ZF"),
}

// isPickle tells a pickle or joblib file by its first bytes; one of protocol 0 or 1 begins like any text. Such
// a one is taken for a pickle where nothing says that it is something else.
func isPickle(data []byte) bool {
	return slices.ContainsFunc(magics, func(m []byte) bool { return bytes.HasPrefix(data, m) })
}

// formatOf tells the format of a model: by its content, else by what the metadata declares, else by its name. A
// pickle of any container is "pickle". declared is model.format; it may be empty. A content that contradicts
// another declared format is refused here, a declared pickle that is none by the decoder: somebody has put
// another file in the place of the one that was meant.
func formatOf(data []byte, name, declared string) (string, error) {
	promised := cmp.Or(declared, extensions[strings.ToLower(filepath.Ext(name))], "pickle")
	if promised == "joblib" {
		promised = "pickle"
	}
	found := booster.Format(data)
	if isPickle(data) {
		found = "pickle"
	}
	switch {
	case declared == "" && found != "":
		return found, nil
	case found != "" && found != promised && promised != "pickle":
		return "", refuse(metadataInvalid, "model.format", "is %s, but %s is a file of the format %s", declared, name, found)
	case promised == "pickle", strings.Contains(promised, "boost"), promised == "lightgbm-text":
		return promised, nil
	}
	return "", refuse(unsupportedFormat, "", "%s: models in the format %s are not read yet; "+
		"save the fitted pipeline with joblib.dump", name, promised)
}

// A compiler turns a decoded model into a program as a spec asks for it. It may be called more than once, with
// other specs.
type compiler func(program.Spec) (*program.Program, error)

// decode reads the bytes of a model, which runs nothing, and returns what compiles it. The bounds are pickle's
// defaults; a booster's own format has bounds of its own.
func decode(data []byte, format string) (compiler, error) {
	if format != "pickle" {
		return func(spec program.Spec) (*program.Program, error) { return booster.Compile(data, format, spec) }, nil
	}
	value, err := pickle.Decode(data, pickle.Limits{})
	if err != nil {
		return nil, err
	}
	return func(spec program.Spec) (*program.Program, error) { return sklearn.Compile(value, spec) }, nil
}
