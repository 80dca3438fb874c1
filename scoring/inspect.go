package scoring

import (
	"cmp"
	"errors"
	"slices"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
	"fraudstream/scoring/sklearn"

	"aead.dev/minisign"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An Inspection is what can be told of a model, whether or not it loads. What is not known is empty.
//
// It is for people who have a file before them and want to know what it is and what is in its way; nothing in
// it has passed the gate unless Obstacles is empty.
type Inspection struct {
	Bundle     Bundle // as far as it was read
	File       string // the model file, in its folder
	Format     string // "joblib", "pickle", "xgboost-json", …
	Size       int64  // bytes of the model file
	Header     pickle.Header
	Versions   []string // of scikit-learn, in the file
	Estimators []sklearn.Estimator
	Output     string
	Classes    []program.Constant
	Positive   int // index in Classes; -1

	ReasonMethod string // how the model gives reasons, "none" where it does not; empty for one that does not compile
	ReasonsNone  string // why it gives none
	Features     []InspectedFeature
	Metadata     map[string]jsontext.Value // of metadata.json; nil without
	Unknown      []string                  // the keys of Metadata that mean nothing here, in order
	Hashes       []InspectedHash
	Signature    *minisign.Signature // of metadata.json, not checked; nil without
	Obstacles    []Obstacle          // what keeps the model from being loaded; empty for one that loads
}

// An InspectedFeature is a feature as the metadata and the model have it. Words that the metadata leave out are empty,
// except the kind, which the model knows as well. From is as the metadata writes it, not interpreted.
type InspectedFeature struct {
	Name, Kind, DType  string
	Missing, MissingAs string
	From               string // JSON; how it is derived
	Categories         int    // constants that the model compares the column with
	Baseline           bool
}

// An InspectedHash compares a file with its SHA-256 in the metadata. Stated is empty where the metadata has
// none, and for the metadata itself, which no file vouches for but a signature.
type InspectedHash struct{ File, Actual, Stated string }

// An Obstacle is one thing that keeps a model from being loaded. Class, attribute and value are those of an estimator,
// the field is one of the bundle's files; either may be empty. Reason is the word of [Reason]. Two obstacles
// that are equal in everything are one.
type Obstacle struct {
	Reason, Class, Attribute, Value, Field, Message string
}

// Inspect reads whatever can be read of a model, and takes it through the gate as [Load] does to learn what stands in
// the way. It never fails: a path that holds nothing is an obstacle too. Load is asked first and its answer
// kept, and then everything is read once more without the gate; so a model that changes in between may show a
// mixture.
func Inspect(path string, o Options) *Inspection {
	in := &Inspection{Positive: -1}
	scorer, err := Load(path, o)
	if err == nil {
		in.Bundle = scorer.Bundle
		in.program(scorer.Program)
	}
	s, opened := open(path)
	if opened != nil {
		in.obstacle(err)
		return in
	}
	defer s.close()
	meta := in.metadata(s)
	data := in.model(s, meta)
	in.pickle(data, scorer, program.Spec{Features: o.Features, Key: meta.Model.Key})
	in.obstacle(err)
	in.features(meta, scorer)
	return in
}

// obstacle adds an error of the gate, unless the survey of the estimators has found it already.
func (in *Inspection) obstacle(err error) {
	if err == nil {
		return
	}
	found := Obstacle{Reason: Reason(err), Message: err.Error()}
	if bundle, ok := errors.AsType[*BundleError](err); ok {
		found.Field = bundle.Field
	}
	if u, ok := errors.AsType[*program.UnsupportedError](err); ok {
		found.Class, found.Attribute, found.Value = u.Class, u.Attribute, u.Value
	}
	if !slices.Contains(in.Obstacles, found) {
		in.Obstacles = append(in.Obstacles, found)
	}
}

// program takes over what a compiled model knows.
func (in *Inspection) program(p *program.Program) {
	in.Output, in.Classes, in.Positive, in.Versions = p.Output, p.Classes, p.Positive, p.Versions
	in.ReasonMethod, in.ReasonsNone = p.Explanation.Method(), p.Explanation.Why()
	for _, c := range p.Columns {
		f := InspectedFeature{Name: c.Name, Kind: "numeric", Categories: c.Domain.Len()}
		if c.Kind == program.Categorical {
			f.Kind = "categorical"
		}
		in.Features = append(in.Features, f)
	}
}

// metadata reads metadata.json, as far as it is JSON, without believing any of it. The result is never nil. The
// keys are kept as they were written, for a person to compare with the file.
func (in *Inspection) metadata(s *source) *metadata {
	m := new(metadata)
	text := s.bundle
	if text == nil {
		text = s.companion
	}
	if len(text) == 0 || json.Unmarshal(text, &in.Metadata) != nil {
		return m
	}
	if s.bundle == nil {
		return m // of a companion, every key is shown as it stands
	}
	// One key of the wrong type leaves those behind it unread; the gate names it.
	_ = json.Unmarshal(text, m)
	for key := range m.Unknown {
		in.Unknown = append(in.Unknown, key)
	}
	slices.Sort(in.Unknown)
	in.Bundle.Name, in.Bundle.Version, in.Bundle.MetadataSHA256 = m.Name, m.Version, hashOf(text)
	in.Bundle.Thresholds = m.Thresholds
	in.Hashes = append(in.Hashes, InspectedHash{File: metadataFile, Actual: in.Bundle.MetadataSHA256})
	if text, err := s.read(SignatureFile, maxSignature); err == nil {
		signature := new(minisign.Signature)
		if signature.UnmarshalText(text) == nil {
			in.Signature = signature
		}
	}
	return m
}

// model reads the files that hold model and golden rows, and their hashes; nil where there is no model.
func (in *Inspection) model(s *source, m *metadata) []byte {
	in.File = s.file
	if s.bundle != nil {
		in.File = m.Model.File
	}
	data := in.hash(s, in.File, m.Model.SHA256, maxModel)
	in.Size = int64(len(data))
	if data != nil {
		in.Bundle.SHA256 = hashOf(data)
		// The content decides, whatever the metadata declare: this is to show what lies there. Their word is all that
		// there is where the content is of no kind that is read.
		in.Format, _ = formatOf(data, in.File, "")
		in.Format = cmp.Or(in.Format, m.Model.Format)
	}
	if m.Golden != nil {
		in.hash(s, m.Golden.File, m.Golden.SHA256, maxGolden)
	}
	return data
}

// hash reads a file of the folder and notes its hash; nil where it cannot be read. A name that leads out of the
// folder is not followed, here as little as in the gate.
func (in *Inspection) hash(s *source, name, stated string, limit int64) []byte {
	if name == "" || checkFile("", name) != nil {
		return nil
	}
	data, err := s.read(name, limit)
	if err != nil {
		return nil
	}
	in.Hashes = append(in.Hashes, InspectedHash{File: name, Actual: hashOf(data), Stated: stated})
	return data
}

// pickle surveys the estimators of a pickle, and what in them is not supported.
func (in *Inspection) pickle(data []byte, scorer *Scorer, spec program.Spec) {
	if data == nil || in.Format != "pickle" {
		return
	}
	// Where the container is damaged the gate has said so; what was recognised before is kept.
	in.Header, _ = pickle.Head(data, pickle.Limits{})
	if in.Header.Joblib {
		in.Format = "joblib"
	}
	value, refused := pickle.Inspect(data, pickle.Limits{})
	for _, e := range refused {
		in.obstacle(e)
	}
	if value == nil {
		return
	}
	in.Estimators = sklearn.Survey(value)
	if scorer != nil {
		return
	}
	for _, e := range in.Estimators {
		if e.Version != "" && !slices.Contains(in.Versions, e.Version) {
			in.Versions = append(in.Versions, e.Version)
		}
	}
	for _, u := range sklearn.Obstacles(value, spec) {
		// A class of the author's own was listed where its name stands in the file.
		if len(refused) == 0 || u.Reason != pickle.ReasonCustomCode {
			in.obstacle(u)
		}
	}
	// A model may be sound and its bundle not: then classes and columns are those of the model.
	if p, err := sklearn.Compile(value, spec); err == nil {
		in.program(p)
	}
}

// features joins what the metadata says of the features with what the model knows.
func (in *Inspection) features(m *metadata, scorer *Scorer) {
	var derived []struct {
		From jsontext.Value `json:"from"`
	}
	// Whatever is wrong with the list was said by the gate.
	_ = json.Unmarshal(in.Metadata["features"], &derived)
	if len(in.Features) == 0 {
		in.Features = make([]InspectedFeature, len(m.Features))
	}
	// Lists of other lengths do not belong together; those of the model are shown.
	if len(m.Features) != len(in.Features) {
		return
	}
	for i, stated := range m.Features {
		f := &in.Features[i]
		f.Name, f.DType, f.Missing, f.MissingAs = stated.Name, stated.DType, stated.Missing, stated.MissingAs
		f.Baseline = stated.Baseline != nil
		if stated.Kind != "" {
			f.Kind = stated.Kind
		}
		if i < len(derived) && len(derived[i].From) > 0 {
			f.From = string(derived[i].From)
		}
	}
	if scorer == nil && len(in.Classes) == 0 {
		// The positive class is checked by the gate alone.
		in.Classes, _, _ = m.classes()
	}
}

// Label is the name of a class as people write it, texts without quotes; empty for an index outside of Classes.
func (in *Inspection) Label(class int) string {
	switch {
	case class < 0 || class >= len(in.Classes):
		return ""
	case in.Classes[class].Type == program.String:
		return in.Classes[class].Text
	}
	return in.Classes[class].String()
}
