package scoring

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"fraudstream/scoring/program"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Sizes that a file of a bundle may have, in bytes. They bound what is read into memory before anything of it
// can be judged.
const (
	maxMetadata = 64 << 20
	maxGolden   = 64 << 20
	maxModel    = 1 << 30
)

// Tolerances of golden scores: the one without a word in the metadata, and the widest that still checks
// something. Two programs that add the same numbers in another order differ by some 1e-16 of the sum; a wrong
// category or a wrong column shows in the first digits.
const (
	defaultTolerance = 1e-12
	maxTolerance     = 1e-6
)

// metadata is metadata.json. A pointer or a nil slice tells what the file leaves out. Some keys stand here only for
// their form to be checked and for Unknown to hold what is truly unknown: nothing at load depends on them.
//
// It is read by the strict rules of the JSON library: no name twice, names in their exact case, valid UTF-8,
// nothing behind the end. What it says is then checked in two steps, by itself (parseMetadata) and against the
// model (the gate).
type metadata struct {
	Schema      *int                      `json:"schema"`
	Name        string                    `json:"name"`
	Version     string                    `json:"version"`
	Created     string                    `json:"created"`
	Model       modelEntry                `json:"model"`
	Golden      *goldenEntry              `json:"golden"`
	Environment environment               `json:"environment"`
	Baseline    baselineEntry             `json:"baseline"`
	Features    []featureEntry            `json:"features"`
	Score       scoreEntry                `json:"score"`
	Thresholds  Thresholds                `json:"thresholds"`
	Training    trainingEntry             `json:"training"`
	Metrics     jsontext.Value            `json:"metrics"`
	Parameters  jsontext.Value            `json:"hyperparameters"`
	Reasons     map[string]reasonEntry    `json:"reasons"`
	Unknown     map[string]jsontext.Value `json:",embed"`
}

// modelEntry says which file the model is and how its output is to be understood. Classes and Positive are JSON
// scalars of any type, compared with the labels inside the model. Output is the method whose value is the
// score, FraudIs the end of the score that means fraud, and Key the entry of a dict that holds the estimator,
// where the file is such a dict.
type modelEntry struct {
	File     string           `json:"file"`
	Format   string           `json:"format"`
	SHA256   string           `json:"sha256"`
	Classes  []jsontext.Value `json:"classes"`
	Positive jsontext.Value   `json:"positive_class"`
	Output   string           `json:"output"`
	FraudIs  string           `json:"fraud_is"`
	Key      string           `json:"key"`
}

// goldenEntry names the golden rows. Tolerance is absolute for probabilities and relative for outputs above 1.
type goldenEntry struct {
	File      string   `json:"file"`
	SHA256    string   `json:"sha256"`
	Tolerance *float64 `json:"tolerance"`
}

// environment is what the model was fitted with. Of all versions that are usually listed only that of
// scikit-learn can be compared with the model, which carries it.
type environment struct {
	ScikitLearn string `json:"scikit_learn"`
}

// baselineEntry is what holds for the baselines of all features: how many rows they were counted on, and
// whether those were drawn as live traffic is ("natural") or made even between fraud and the rest
// ("resampled").
type baselineEntry struct {
	Rows      *int64 `json:"rows"`
	Weighting string `json:"weighting"`
}

// featureEntry is one column of the training frame, in training order. Kind is numeric or categorical, DType
// the name of the pandas dtype, Missing says whether a null is allowed or rejected, and MissingAs whether a
// missing category was nan or none in the frame; empty words are settled with the model's help.
type featureEntry struct {
	Name      string     `json:"name"`
	Kind      string     `json:"kind"`
	DType     string     `json:"dtype"`
	Missing   string     `json:"missing"`
	MissingAs string     `json:"missing_as"`
	From      *fromEntry `json:"from"`
	Baseline  *counts    `json:"baseline"`
	Drift     driftEntry `json:"drift"`
}

// fromEntry is the rule of a feature that is computed: an operation, its operands by name, and an IANA time
// zone for those operations that read a clock on a wall.
type fromEntry struct {
	Op   string   `json:"op"`
	Of   []string `json:"of"`
	Zone string   `json:"zone"`
}

// driftEntry is how a feature is watched: not at all, or with a tolerance of its own, a share between 0 and 1.
type driftEntry struct {
	Enabled   *bool    `json:"enabled"`
	Tolerance *float64 `json:"tolerance"`
}

// scoreEntry is what is known of the score: its baseline, counted on rows that the model was not fitted on, and
// a curve from score to probability.
type scoreEntry struct {
	Baseline    *counts      `json:"baseline"`
	Calibration *Calibration `json:"calibration"`
}

// trainingEntry has the number of rows of the training data, which stands in where a baseline gives none.
type trainingEntry struct {
	Rows *int64 `json:"rows"`
}

// reasonEntry is how a reason is told to people and to case systems: a code of the house, and a sentence.
type reasonEntry struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// parseMetadata reads metadata.json strictly and checks everything that needs no model: the words, the numbers
// against each other, the paths. The first fault ends it: what comes after a wrong key is often wrong because
// of it.
func parseMetadata(data []byte) (*metadata, error) {
	m := new(metadata)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, jsonError(metadataInvalid, "", err)
	}
	checks := []func() error{
		m.checkSchema, m.checkModel, m.checkGolden, m.checkWords, m.checkFeatures, m.checkBaselines, m.checkScore, m.checkReasons,
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// checkSchema accepts the one version of the format that there is. A later one is refused and not guessed at,
// because a key with a new meaning would be read in its old one.
func (m *metadata) checkSchema() error {
	switch {
	case m.Schema == nil:
		return refuse(metadataInvalid, "schema", "is missing; this program reads schema 1")
	case *m.Schema != 1:
		return refuse(metadataInvalid, "schema", "%d is unknown; this program reads schema 1", *m.Schema)
	}
	if m.Created != "" {
		if _, err := time.Parse(time.RFC3339, m.Created); err != nil {
			return refuse(metadataInvalid, "created", "is no RFC 3339 time such as 2026-11-01T09:00:00Z")
		}
	}
	return nil
}

// checkModel checks the words about the model. Whether they are true of it is for the gate to find out, once it
// is decoded.
func (m *metadata) checkModel() error {
	if err := checkFile("model.file", m.Model.File); err != nil {
		return err
	}
	if err := checkHash("model.sha256", m.Model.SHA256); err != nil {
		return err
	}
	if err := checkWord("model.format", m.Model.Format, formats...); err != nil {
		return err
	}
	if err := checkWord("model.output", m.Model.Output, outputs...); err != nil {
		return err
	}
	if err := checkWord("model.fraud_is", m.Model.FraudIs, "high", "low"); err != nil {
		return err
	}
	_, _, err := m.classes()
	return err
}

// checkGolden bounds the tolerance: a bundle that could widen its own check at will would have none.
func (m *metadata) checkGolden() error {
	if m.Golden == nil {
		return nil
	}
	if err := checkFile("golden.file", m.Golden.File); err != nil {
		return err
	}
	if err := checkHash("golden.sha256", m.Golden.SHA256); err != nil {
		return err
	}
	if t := m.Golden.Tolerance; t != nil && !(*t >= 0 && *t <= maxTolerance) {
		return refuse(metadataInvalid, "golden.tolerance", "%g is not within 0 and %g", *t, maxTolerance)
	}
	return nil
}

// checkWords checks what stands beside model, golden rows and features.
func (m *metadata) checkWords() error {
	if err := checkWord("baseline.weighting", m.Baseline.Weighting, "natural", "resampled"); err != nil {
		return err
	}
	if err := checkRows("baseline.rows", m.Baseline.Rows); err != nil {
		return err
	}
	return checkRows("training.rows", m.Training.Rows)
}

// checkFeatures holds the features against each other: each has a name, no two have the same, and what is
// computed is computed from fields.
func (m *metadata) checkFeatures() error {
	first := make(map[string]int, len(m.Features))
	for i, f := range m.Features {
		at := fmt.Sprintf("features[%d]", i)
		if f.Name == "" {
			return refuse(metadataInvalid, at+".name", "is missing or empty")
		}
		if j, twice := first[f.Name]; twice {
			return refuse(schemaMismatch, at+".name", "%q is the name of features[%d] as well", f.Name, j)
		}
		first[f.Name] = i
		if err := f.check(at); err != nil {
			return err
		}
	}
	return m.checkOperands(first)
}

// check holds for a feature by itself; at is its JSON path, for the message.
func (f *featureEntry) check(at string) error {
	if err := checkWord(at+".kind", f.Kind, "numeric", "categorical"); err != nil {
		return err
	}
	if err := checkWord(at+".missing", f.Missing, "allowed", "rejected"); err != nil {
		return err
	}
	if err := checkWord(at+".missing_as", f.MissingAs, "nan", "none"); err != nil {
		return err
	}
	if f.From != nil {
		if err := f.From.check(at + ".from"); err != nil {
			return err
		}
	}
	if t := f.Drift.Tolerance; t != nil && !(*t > 0 && *t < 1) {
		return refuse(metadataInvalid, at+".drift.tolerance", "%g is not between 0 and 1", *t)
	}
	return nil
}

// checkBaselines checks the baseline of each feature against the number of rows that all of them share.
func (m *metadata) checkBaselines() error {
	rows := m.baselineRows()
	for i, f := range m.Features {
		if f.Baseline == nil {
			continue
		}
		at := fmt.Sprintf("features[%d].baseline", i)
		if err := f.Baseline.check(at, f.Kind, rows); err != nil {
			return err
		}
	}
	return nil
}

// checkScore checks the baseline of the score, which may have been counted on other rows than those of the
// features, and the calibration.
func (m *metadata) checkScore() error {
	if b := m.Score.Baseline; b != nil {
		rows := b.Rows
		if rows == nil {
			rows = m.Training.Rows
		}
		if err := b.check("score.baseline", "numeric", rows); err != nil {
			return err
		}
	}
	if c := m.Score.Calibration; c != nil {
		return c.check("score.calibration")
	}
	return nil
}

// baselineRows is the number of rows that the feature baselines were counted on; nil where nothing tells.
func (m *metadata) baselineRows() *int64 {
	if m.Baseline.Rows != nil {
		return m.Baseline.Rows
	}
	return m.Training.Rows
}

// classes are the class labels and the positive one as constants; both nil where they are left out.
func (m *metadata) classes() (all []program.Constant, positive *program.Constant, err error) {
	for i, raw := range m.Model.Classes {
		c, ok := scalar(raw)
		if !ok {
			return nil, nil, refuse(metadataInvalid, fmt.Sprintf("model.classes[%d]", i), "is no number, text or boolean")
		}
		all = append(all, c)
	}
	if len(m.Model.Positive) == 0 || m.Model.Positive.Kind() == 'n' {
		return all, nil, nil
	}
	c, ok := scalar(m.Model.Positive)
	if !ok {
		return nil, nil, refuse(metadataInvalid, "model.positive_class", "is no number, text or boolean")
	}
	if all != nil && !slices.Contains(all, c) {
		return nil, nil, refuse(schemaMismatch, "model.positive_class", "%v is none of model.classes %v", c, all)
	}
	return all, &c, nil
}

// scalar is the constant that a JSON scalar other than null stands for. Numbers become float64, as every label
// and constant of a model is; null stands for nothing and is none.
func scalar(raw jsontext.Value) (program.Constant, bool) {
	switch raw.Kind() {
	case 't', 'f':
		return program.BoolConstant(raw.Kind() == 't'), true
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		return program.StringConstant(string(text)), err == nil
	case '0':
		v, err := strconv.ParseFloat(string(raw), 64)
		return program.NumberConstant(v), err == nil
	default:
		return program.Constant{}, false
	}
}

// formats are the model formats of the contract; Load reads joblib and pickle.
var formats = []string{
	"joblib", "pickle", "skops", "onnx", "pmml", "xgboost-json", "xgboost-ubj", "lightgbm-text", "catboost-json",
}

// outputs are the methods of an estimator that can be the score. Only predict_proba is bounded, by 0 and 1.
var outputs = []string{"predict_proba", "decision_function", "score_samples", "predict"}

// checkWord refuses a word that is none of a list. An empty word was left out.
func checkWord(field, word string, list ...string) error {
	if word == "" || slices.Contains(list, word) {
		return nil
	}
	return refuse(metadataInvalid, field, "%q is none of %s", word, strings.Join(list, ", "))
}

// checkRows refuses an absurd number of rows; nil was left out.
func checkRows(field string, rows *int64) error {
	if rows != nil && (*rows < 0 || *rows > maxRows) {
		return refuse(metadataInvalid, field, "%d is no number of rows", *rows)
	}
	return nil
}

// checkHash refuses what is no SHA-256 in hexadecimal digits. An empty hash was left out. Lower case is asked
// for so that equal hashes are equal strings.
func checkHash(field, hash string) error {
	if hash == "" {
		return nil
	}
	if len(hash) != 64 || strings.Trim(hash, "0123456789abcdef") != "" {
		return refuse(metadataInvalid, field, "is no SHA-256 of 64 lower-case hexadecimal digits")
	}
	return nil
}

// checkFile refuses a file name that is empty or leads out of the folder. A backslash is refused on every
// system, so that a bundle means the same file wherever it is read. The folder itself is opened as a root that
// no symbolic link leads out of; this check gives the better message.
func checkFile(field, name string) error {
	switch {
	case name == "":
		return refuse(metadataInvalid, field, "is missing or empty")
	case !filepath.IsLocal(name) || strings.Contains(name, `\`):
		return refuse(metadataInvalid, field, "%q leads out of the folder", name)
	}
	return nil
}

// jsonError turns an error of the JSON reader into a BundleError that names the place as a path.
func jsonError(reason, file string, err error) *BundleError {
	var pointer jsontext.Pointer
	detail := "is no strict JSON"
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &syntactic):
		pointer = syntactic.JSONPointer
		detail = fmt.Sprintf("is no strict JSON at byte %d: %v", syntactic.ByteOffset, syntactic.Err)
	case errors.As(err, &semantic):
		pointer = semantic.JSONPointer
		detail = fmt.Sprintf("a JSON %v does not fit here (byte %d)", semantic.JSONKind, semantic.ByteOffset)
	}
	field := pathOf(pointer)
	if file != "" {
		field = strings.TrimSuffix(file+": "+field, ": ")
	}
	return &BundleError{Reason: reason, Field: field, Detail: detail}
}

// pathOf writes a JSON pointer as people do: features[3].baseline.counts. A key that happens to be a number
// looks like an index in it; the path is for reading and is never parsed.
func pathOf(pointer jsontext.Pointer) string {
	var b strings.Builder
	for token := range pointer.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	return b.String()
}
