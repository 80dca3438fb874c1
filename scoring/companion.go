package scoring

import (
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A companion is the free-form metadata that people write beside a plain joblib.dump: a few versions, the names of
// the features, some statistics, some metrics. It has no authority, so it is read for what it has: an entry of an
// unexpected form is left alone, and only what is no JSON, or contradicts itself in a baseline, is an error.
// Whatever is not understood stays in unknown, to be shown to whoever inspects the model.
type companion struct {
	name, version string
	scikitLearn   string
	rows          *int64
	features      []featureEntry
	unknown       map[string]jsontext.Value
}

// parseCompanion reads a companion strictly as JSON and leniently as to what it says. file is its name, for errors.
func parseCompanion(data []byte, file string) (*companion, error) {
	c := new(companion)
	if err := json.Unmarshal(data, &c.unknown); err != nil {
		return nil, jsonError(metadataInvalid, file, err)
	}
	c.name = c.text("name", "model_name")
	c.version = c.text("version", "model_version")
	c.scikitLearn = c.text("sklearn_version", "scikit_learn_version", "scikit-learn")
	c.rows = c.count("rows", "training_rows", "n_samples")
	c.readFeatures(c.first("features", "feature_names"))
	c.dropTwins()
	for i := range c.features {
		f := &c.features[i]
		if f.Baseline == nil {
			continue
		}
		if err := f.Baseline.check(fmt.Sprintf("%s: features[%d]", file, i), f.Kind, c.rows); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// first takes the first of several names out of what is unknown. nil where none of them is there. Such files
// were written for people, each author with names of their own.
func (c *companion) first(names ...string) jsontext.Value {
	for _, name := range names {
		if v, ok := c.unknown[name]; ok {
			return v
		}
	}
	return nil
}

// text is the value of the first name that is there, if it is a string; anything else counts as absent.
func (c *companion) text(names ...string) string {
	var s string
	if v := c.first(names...); v.Kind() == '"' && json.Unmarshal(v, &s) == nil {
		return s
	}
	return ""
}

// count is the value of the first name that is there, if it is a number of rows, written as an integer.
func (c *companion) count(names ...string) *int64 {
	if n, err := strconv.ParseInt(string(c.first(names...)), 10, 64); err == nil && n >= 0 && n <= maxRows {
		return &n
	}
	return nil
}

// dropTwins leaves a list alone in which a name stands twice. Nothing tells which of the two is the column of
// that name, and a baseline for the wrong one would alarm.
func (c *companion) dropTwins() {
	names := make(map[string]bool, len(c.features))
	for _, f := range c.features {
		names[f.Name] = true
	}
	if len(names) != len(c.features) {
		c.features = nil
	}
}

// readFeatures takes a list of names or a list of objects with a name. An entry that is neither a name nor an
// object with a name makes the whole list useless: the positions of those behind it would be wrong.
func (c *companion) readFeatures(raw jsontext.Value) {
	var names []string
	if json.Unmarshal(raw, &names) == nil {
		for _, name := range names {
			c.features = append(c.features, featureEntry{Name: name})
		}
		return
	}
	var list []jsontext.Value
	if json.Unmarshal(raw, &list) != nil {
		return
	}
	for _, entry := range list {
		f, ok := readFeature(entry)
		if !ok {
			c.features = nil
			return
		}
		c.features = append(c.features, f)
	}
}

// readFeature takes an entry as a bundle has it, or one whose statistics stand beside its name. Mean, min and
// max alone make a baseline too; std alone does not, since it says nothing of where the values lie.
func readFeature(entry jsontext.Value) (featureEntry, bool) {
	var f featureEntry
	var parts struct {
		Name     jsontext.Value `json:"name"`
		DType    jsontext.Value `json:"dtype"`
		Baseline jsontext.Value `json:"baseline"`
	}
	if json.Unmarshal(entry, &parts) != nil || json.Unmarshal(parts.Name, &f.Name) != nil || f.Name == "" {
		return f, false
	}
	if json.Unmarshal(parts.DType, &f.DType) != nil {
		f.DType = ""
	}
	statistics := entry
	if parts.Baseline.Kind() == '{' {
		statistics = parts.Baseline
	}
	var c counts
	if json.Unmarshal(statistics, &c) == nil && (c.counted() || c.Mean != nil || c.Min != nil || c.Max != nil) {
		f.Baseline = &c
	}
	return f, true
}
