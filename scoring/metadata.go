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

// Sizes that a file of a bundle may have, in bytes.
const (
	maxMetadata = 64 << 20
	maxGolden   = 64 << 20
	maxModel    = 1 << 30
)

// Tolerances of golden scores: the one without a word in the metadata, and the widest that still checks something.
const (
	defaultTolerance = 1e-12
	maxTolerance     = 1e-6
)

// metadata is metadata.json. A pointer or a nil slice tells what the file leaves out. Some keys stand here only for
// their form to be checked and for Unknown to hold what is truly unknown: nothing at load depends on them.
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

type goldenEntry struct {
	File      string   `json:"file"`
	SHA256    string   `json:"sha256"`
	Tolerance *float64 `json:"tolerance"`
}

type environment struct {
	ScikitLearn string `json:"scikit_learn"`
}

type baselineEntry struct {
	Rows      *int64 `json:"rows"`
	Weighting string `json:"weighting"`
}

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

type fromEntry struct {
	Op   string   `json:"op"`
	Of   []string `json:"of"`
	Zone string   `json:"zone"`
}

type driftEntry struct {
	Enabled   *bool    `json:"enabled"`
	Tolerance *float64 `json:"tolerance"`
}

type scoreEntry struct {
	Baseline    *counts      `json:"baseline"`
	Calibration *Calibration `json:"calibration"`
}

type trainingEntry struct {
	Rows *int64 `json:"rows"`
}

type reasonEntry struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// parseMetadata reads metadata.json strictly and checks everything that needs no model: the words, the numbers
// against each other, the paths.
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

func (m *metadata) checkWords() error {
	if err := checkWord("baseline.weighting", m.Baseline.Weighting, "natural", "resampled"); err != nil {
		return err
	}
	if err := checkRows("baseline.rows", m.Baseline.Rows); err != nil {
		return err
	}
	return checkRows("training.rows", m.Training.Rows)
}

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

// scalar is the constant that a JSON scalar other than null stands for.
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

// outputs are the methods of an estimator that can be the score.
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

// checkHash refuses what is no SHA-256 in hexadecimal digits. An empty hash was left out.
func checkHash(field, hash string) error {
	if hash == "" {
		return nil
	}
	if len(hash) != 64 || strings.Trim(hash, "0123456789abcdef") != "" {
		return refuse(metadataInvalid, field, "is no SHA-256 of 64 lower-case hexadecimal digits")
	}
	return nil
}

// checkFile refuses a file name that is empty or leads out of the folder.
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

// pathOf writes a JSON pointer as people do: features[3].baseline.counts.
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
