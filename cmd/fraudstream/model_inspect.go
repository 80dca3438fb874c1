package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"fraudstream/cmd/fraudstream/privacy"
	"fraudstream/scoring"
)

// modelInspectCommand shows what a model holds, whether it would load or not. Verify says yes or no; this is for the
// person who then asks what the file is, what scikit-learn it came from and what stands in the way, all of it at
// once. Nothing in the file is run for that, whatever it holds. Like verify it prints a model that is refused as a
// result, and ends with code 3 without a word on standard error.
type modelInspectCommand struct {
	Path     string   `arg:"" help:"Bundle folder or model file." type:"path"`
	Features []string `help:"Feature names in training order, for a model file without them." placeholder:"A,B"`
	JSON     bool     `help:"Print JSON." name:"json"`
}

// Run prints all that can be told of the model; what keeps it from being loaded makes it end with code 3. It never
// stops at the first obstacle: whoever has to train again wants to know all of them.
func (c *modelInspectCommand) Run(s streams) error {
	found := scoring.Inspect(c.Path, scoring.Options{Features: c.Features})
	var err error
	if c.JSON {
		err = printJSON(s.out, inspectionOf(found))
	} else {
		err = inspectionOf(found).print(s.out)
	}
	if err == nil && len(found.Obstacles) > 0 {
		return &exitError{code: exitFindings}
	}
	return err
}

// An inspection is what is printed of a model. Its JSON is made for scripts: every list is there, if only as [], and
// what a file does not tell is an empty text. Its keys are for scripts and are not renamed; the order of the fields
// is that of the printed JSON.
type inspection struct {
	Loads         bool                       `json:"loads"`
	Name          string                     `json:"name"`
	Version       string                     `json:"version"`
	File          fileFacts                  `json:"file"`
	ScikitLearn   []string                   `json:"scikit_learn"` // found in the file
	NumPy         string                     `json:"numpy"`        // what the file tells of it
	Estimators    []estimatorFacts           `json:"estimators"`
	Output        string                     `json:"output"`
	Classes       []string                   `json:"classes"`
	PositiveClass string                     `json:"positive_class"`
	Reasons       reasonFacts                `json:"reasons"`
	Features      []featureFacts             `json:"features"`
	Thresholds    scoring.Thresholds         `json:"thresholds"`
	Metadata      map[string]json.RawMessage `json:"metadata"` // what has no place above
	Unknown       []string                   `json:"unknown_keys"`
	Hashes        []hashFacts                `json:"hashes"`
	Signature     *signatureFacts            `json:"signature"`
	Warnings      []string                   `json:"warnings"`
	Unsupported   []obstacleFacts            `json:"unsupported"`
}

// fileFacts describe the model file as bytes. Bytes are those on the disk, compressed or not.
type fileFacts struct {
	Name        string `json:"name"`
	Format      string `json:"format"`
	Compression string `json:"compression,omitempty"`
	Protocol    *int   `json:"pickle_protocol,omitempty"` // 0 stands for 0 and 1
	Bytes       int64  `json:"bytes"`
}

// estimatorFacts are one line of the list of estimators: those of one class at one place are counted, so that a
// forest is two lines and not a hundred. The place is the names of steps and attributes from the outside inwards,
// such as preprocess.cat.onehot, and empty for the outermost.
type estimatorFacts struct {
	Place   string `json:"place"`
	Class   string `json:"class"`
	Count   int    `json:"count"`
	Version string `json:"version,omitempty"`
}

// featureFacts join what metadata.json says of a feature with the number of constants that the model compares it
// with. DType and Missing are the words of metadata.json, and empty where it has none.
type featureFacts struct {
	Name       string          `json:"name"`
	Kind       string          `json:"kind"`
	DType      string          `json:"dtype,omitempty"`
	Missing    string          `json:"missing,omitempty"`
	MissingAs  string          `json:"missing_as,omitempty"`
	Categories int             `json:"categories"`
	From       json.RawMessage `json:"from,omitempty"`
	Baseline   bool            `json:"baseline"`
}

// hashFacts compare the SHA-256 of a file with the one that metadata.json states. Agrees is false as well where
// nothing is stated, which Stated tells apart.
type hashFacts struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Stated string `json:"stated,omitempty"`
	Agrees bool   `json:"agrees"`
}

// signatureFacts name who claims to have signed. Nothing here says that the signature is right.
type signatureFacts struct {
	Key     string `json:"key"`
	Comment string `json:"trusted_comment"`
}

// reasonFacts tell how the model gives reasons, or why it gives none. The method matters to whoever reads them: shares
// of a linear sum are exact, those along the paths of trees are one way among several to divide a score.
type reasonFacts struct {
	Method string `json:"method"`
	None   string `json:"why_none,omitempty"`
}

// String is the method, with the cause where there are no reasons.
func (r reasonFacts) String() string {
	if r.None != "" {
		return r.Method + ": " + r.None
	}
	return r.Method
}

// obstacleFacts are one thing that keeps the model from being loaded: an estimator by class, attribute and value, or
// a field of the bundle. The reason is the stable word that verify and the metric of refused models have for it.
type obstacleFacts struct {
	Reason    string `json:"reason"`
	Class     string `json:"class,omitempty"`
	Attribute string `json:"attribute,omitempty"`
	Value     string `json:"value,omitempty"`
	Field     string `json:"field,omitempty"`
	Message   string `json:"message"`
}

// shownAbove are the keys of metadata.json that have a place of their own. All others are shown as they are, those
// included that mean nothing here: a misspelt key is found by seeing it among them.
var shownAbove = []string{"schema", "name", "version", "model", "golden", "features", "score", "thresholds"}

// inspectionOf puts what was found into the form in which it is printed. Nothing of it is computed here; all was
// found by [scoring.Inspect].
func inspectionOf(in *scoring.Inspection) *inspection {
	out := &inspection{
		Loads: len(in.Obstacles) == 0, Name: in.Bundle.Name, Version: in.Bundle.Version,
		File:        fileFacts{Name: in.File, Format: in.Format, Compression: in.Header.Compression, Bytes: in.Size},
		ScikitLearn: nonNil(in.Versions), NumPy: in.Header.NumPy, Output: in.Output, Thresholds: in.Bundle.Thresholds,
		PositiveClass: in.Label(in.Positive), Reasons: reasonFacts{in.ReasonMethod, in.ReasonsNone}, Unknown: nonNil(in.Unknown), Warnings: nonNil(in.Bundle.Warnings),
		Metadata: make(map[string]json.RawMessage),
		// Lists that hold nothing are [] in JSON, and never null.
		Estimators: []estimatorFacts{}, Classes: []string{}, Features: []featureFacts{},
		Hashes: []hashFacts{}, Unsupported: []obstacleFacts{},
	}
	if in.Format == "joblib" || in.Format == "pickle" {
		out.File.Protocol = &in.Header.Protocol
	}
	for _, e := range in.Estimators {
		out.Estimators = append(out.Estimators, estimatorFacts{e.Place, e.Class, e.Count, e.Version})
	}
	for i := range in.Classes {
		out.Classes = append(out.Classes, in.Label(i))
	}
	for _, f := range in.Features {
		out.Features = append(out.Features, featureFacts{
			Name: f.Name, Kind: f.Kind, DType: f.DType, Missing: f.Missing, MissingAs: f.MissingAs,
			Categories: f.Categories, From: json.RawMessage(f.From), Baseline: f.Baseline,
		})
	}
	for key, value := range in.Metadata {
		if !slices.Contains(shownAbove, key) {
			out.Metadata[key] = json.RawMessage(value)
		}
	}
	for _, h := range in.Hashes {
		out.Hashes = append(out.Hashes, hashFacts{h.File, h.Actual, h.Stated, h.Stated == h.Actual})
	}
	if in.Signature != nil {
		out.Signature = &signatureFacts{scoring.KeyID(in.Signature.KeyID), in.Signature.TrustedComment}
	}
	for _, o := range in.Obstacles {
		o.Message = privacy.New(privacy.Options{}).Text(o.Message) // it repeats the path
		out.Unsupported = append(out.Unsupported, obstacleFacts(o))
	}
	return out
}

// nonNil is the list itself, or an empty one that JSON writes as []. The copy can be changed without changing what
// was found.
func nonNil(list []string) []string { return append([]string{}, list...) }

// print writes the inspection for a person: one block for each of its lists that is not empty, then what stands in
// the way and, on the last line, whether the model loads. Whoever scrolls to the end has the verdict before their
// eyes.
func (in *inspection) print(w io.Writer) error {
	t := newTable(w)
	in.printModel(t)
	if len(in.Estimators) > 0 {
		t.row("")
		t.row("ESTIMATOR", "CLASS", "COUNT", "VERSION")
		for _, e := range in.Estimators {
			t.row(cmp.Or(e.Place, "."), e.Class, e.Count, e.Version)
		}
	}
	if len(in.Features) > 0 {
		t.row("")
		t.row("FEATURE", "KIND", "DTYPE", "MISSING", "CATEGORIES", "BASELINE", "FROM")
		for i, f := range in.Features {
			t.row(cmp.Or(f.Name, fmt.Sprintf("(column %d)", i+1)), f.Kind, cmp.Or(f.DType, "-"), cmp.Or(f.Missing, "-"), f.Categories, f.Baseline, string(f.From))
		}
	}
	if len(in.Metadata) > 0 {
		t.row("")
		t.row("METADATA", "")
		for _, key := range slices.Sorted(maps.Keys(in.Metadata)) {
			if slices.Contains(in.Unknown, key) {
				t.row(key+" (unknown)", oneLine(in.Metadata[key]))
			} else {
				t.row(key, oneLine(in.Metadata[key]))
			}
		}
	}
	t.row("")
	for _, warning := range in.Warnings {
		t.row("warning", warning)
	}
	for _, o := range in.Unsupported {
		t.row("refused", o.Message)
	}
	if in.Loads {
		t.row("verdict", "loads")
	} else {
		t.row("verdict", fmt.Sprintf("does not load: %d found", len(in.Unsupported)))
	}
	return t.flush()
}

// printModel writes what there is one of: the file, where it is from, what it puts out, its hashes and its signature.
// That somebody claims to have signed is shown as a claim.
func (in *inspection) printModel(t table) {
	// What a file does not have is left out rather than shown as empty.
	line := func(name, value string) {
		if strings.TrimSpace(value) != "" {
			t.row(name, value)
		}
	}
	line("model", in.Name+" "+in.Version)
	line("file", fmt.Sprintf("%s, %d bytes", in.File.Name, in.File.Bytes))
	line("format", in.File.Format)
	line("compression", in.File.Compression)
	if p := in.File.Protocol; p != nil {
		// Only from 2 on a pickle says its protocol.
		line("pickle protocol", strings.Replace(fmt.Sprint(*p), "0", "0 or 1", 1))
	}
	line("scikit-learn", strings.Join(in.ScikitLearn, ", "))
	line("numpy", in.NumPy)
	line("output", in.Output)
	line("classes", strings.Join(in.Classes, ", "))
	line("positive class", in.PositiveClass)
	line("reasons", in.Reasons.String())
	line("thresholds", fmt.Sprint(in.Thresholds))
	for _, h := range in.Hashes {
		switch {
		case h.Stated == "":
			line("sha256", h.SHA256+"  "+h.File)
		case h.Agrees:
			line("sha256", h.SHA256+"  "+h.File+" (as stated)")
		default:
			line("sha256", h.SHA256+"  "+h.File+" (STATED: "+h.Stated+")")
		}
	}
	if s := in.Signature; s != nil {
		line("signature", fmt.Sprintf("by key %s, %q; verify --trusted-key checks it", s.Key, s.Comment))
	}
}

// oneLine is a value of the metadata on one line; json.Marshal sorts its keys. A long list stays long: nothing of the
// metadata is cut.
func oneLine(raw json.RawMessage) string {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return string(raw)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return string(raw)
	}
	return string(text)
}
