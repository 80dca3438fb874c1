package scoring

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"fraudstream/scoring/program"
)

// Options is what Load takes beside the path. They come from the flags and the configuration of whoever loads;
// the zero value loads a bundle as its author meant it.
type Options struct {
	Features   []string    // names for a bare model file, in training order
	Mapping    Mapping     // where the fields of an event are; zero: every feature under its own name
	Thresholds *Thresholds // each over the bundle's; nil: the bundle's
	Trust      Trust       // whose signature counts; zero: none is looked at
	Reasons    Reasons     // which decisions carry reasons; zero: those to review and to block
}

// Load reads a model through the whole gate and returns it ready to score, or an error and nothing.
//
// The path is a bundle folder, a bare model file, or a folder with one model file. The gate, in its order: sizes; the
// signature of metadata.json, where keys are trusted; metadata.json, strictly; the model file, inside the folder, and
// its hash; the format; decoding, which runs nothing; compiling, which checks names, order and output; the classes; the
// version of scikit-learn; the kinds of the features and their baselines; the thresholds; the mapping; the golden rows.
// [Reason] gives the stable word of an error.
//
// Each step believes only what the steps before have checked, and the bytes of a file are hashed before they
// are parsed. Load keeps nothing open and shares nothing with other calls; a Scorer that is replaced by a newer
// one may go on scoring the batches it has.
func Load(path string, o Options) (*Scorer, error) {
	s, err := open(path)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.checkSignature(o.Trust); err != nil {
		return nil, err
	}
	if s.bundle != nil {
		return loadBundle(s, o)
	}
	return loadBare(s, o)
}

// loadBundle reads a folder with metadata.json. The hash of the metadata is kept as well, since thresholds and
// baselines stand in no other file.
func loadBundle(s *source, o Options) (*Scorer, error) {
	m, err := parseMetadata(s.bundle)
	if err != nil {
		return nil, err
	}
	if err := s.checkReach(m); err != nil {
		return nil, err
	}
	g := gate{source: s, meta: m, options: o}
	g.bundle = Bundle{
		Name: m.Name, Version: m.Version, MetadataSHA256: hashOf(s.bundle), SignedBy: s.signedBy,
		Rows: orZero(m.baselineRows()), Resampled: m.Baseline.Weighting == "resampled",
		Calibration: m.Score.Calibration, Unknown: unknownKeys(m.Unknown), Warnings: s.warnings,
	}
	model, err := g.readModel()
	if err != nil {
		return nil, err
	}
	g.bundle.nameless(filepath.Base(s.folder.Name()))
	golden, err := g.readGolden()
	if err != nil {
		return nil, err
	}
	return g.pass(model, golden)
}

// loadBare reads a model file without a bundle around it; what its companion says stands in for the metadata.
// No check of the gate is left out that can be made: format, decoding, names and thresholds are those of a
// bundle.
func loadBare(s *source, o Options) (*Scorer, error) {
	data, err := s.read(s.file, maxModel)
	if err != nil {
		return nil, unreadable(s.file, err)
	}
	g := gate{source: s, meta: new(metadata), options: o}
	if g.format, err = formatOf(data, s.file, ""); err != nil {
		return nil, err
	}
	g.bundle = Bundle{SHA256: hashOf(data), Warnings: append(s.warnings,
		"no metadata: hashes and golden rows are not checked, and drift is not watched beyond what a companion states; save_bundle writes all three")}
	if err := g.readCompanion(); err != nil {
		return nil, err
	}
	g.bundle.nameless(strings.TrimSuffix(s.file, filepath.Ext(s.file)))
	return g.pass(data, nil)
}

// A gate is one model on its way to be served. It is made for one call of [Load] and is used by its goroutine
// alone. Each step adds to what the gate knows.
type gate struct {
	source  *source
	meta    *metadata
	options Options
	format  string // of the model: "pickle", or that of a bare booster
	program *program.Program
	bundle  Bundle
}

// warn adds a line to be logged. A warning says what was not checked, or what the model will not do; what is
// wrong is an error.
func (g *gate) warn(format string, args ...any) {
	g.bundle.Warnings = append(g.bundle.Warnings, fmt.Sprintf(format, args...))
}

// readModel reads the model file of a bundle and compares its hash. A hash that is left out is a warning,
// unless the bundle is signed: then checkReach has refused it.
func (g *gate) readModel() ([]byte, error) {
	entry := g.meta.Model
	data, err := g.readListed("model.file", entry.File, maxModel)
	if err != nil {
		return nil, err
	}
	g.bundle.SHA256 = hashOf(data)
	if entry.SHA256 == "" {
		g.warn("model.sha256 is missing: nothing tells whether %s is the file that was handed over", entry.File)
	} else if entry.SHA256 != g.bundle.SHA256 {
		return nil, refuse(hashMismatch, "model.sha256", "%s has the SHA-256 %s, the metadata says %s",
			entry.File, g.bundle.SHA256, entry.SHA256)
	}
	g.format, err = formatOf(data, entry.File, entry.Format)
	return data, err
}

// readGolden reads golden.json of a bundle and compares its hash; nil where there is none.
func (g *gate) readGolden() ([]byte, error) {
	entry := g.meta.Golden
	if entry == nil {
		g.warn("no golden rows: the scores of this model are not checked against scikit-learn")
		return nil, nil
	}
	data, err := g.readListed("golden.file", entry.File, maxGolden)
	if err != nil {
		return nil, err
	}
	if hash := hashOf(data); entry.SHA256 == "" {
		g.warn("golden.sha256 is missing: nothing tells whether %s is the file that was handed over", entry.File)
	} else if entry.SHA256 != hash {
		return nil, refuse(hashMismatch, "golden.sha256", "%s has the SHA-256 %s, the metadata says %s",
			entry.File, hash, entry.SHA256)
	}
	return data, nil
}

// readListed reads a file that the metadata names; field says where. Whatever keeps it from being read is the
// metadata's fault for naming it, so the error has the field that does.
func (g *gate) readListed(field, name string, limit int64) ([]byte, error) {
	data, err := g.source.read(name, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(metadataInvalid, field, "there is no file %q in the folder", name)
	}
	if err != nil {
		return nil, refuse(metadataInvalid, field, "%v", err)
	}
	return data, nil
}

// readCompanion takes what the companion of a bare file has into the metadata. It has no authority over the
// model: names that contradict it are dropped again, see compile.
func (g *gate) readCompanion() error {
	s := g.source
	if s.companion == nil {
		return nil
	}
	c, err := parseCompanion(s.companion, s.note)
	if err != nil {
		return err
	}
	g.bundle.Name, g.bundle.Version, g.bundle.Rows = c.name, c.version, orZero(c.rows)
	g.bundle.Unknown = unknownKeys(c.unknown)
	g.meta.Features, g.meta.Baseline.Rows = c.features, c.rows
	g.meta.Environment.ScikitLearn = c.scikitLearn
	g.warn("%s is read for what it has: its features, their statistics, its versions", s.note)
	return nil
}

// pass takes the bytes of a model through the rest of the gate. The golden rows are scored by a scorer made for
// them alone, because the one that is returned has in its description what the rows have shown.
func (g *gate) pass(model, golden []byte) (*Scorer, error) {
	compile, err := decode(model, g.format)
	if err != nil {
		return nil, err
	}
	if err := g.compile(compile); err != nil {
		return nil, err
	}
	for _, check := range []func() error{g.checkVersion, g.describe, g.refer} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	thresholds, from, err := g.thresholds()
	if err != nil {
		return nil, err
	}
	specs := g.specs()
	schema, err := newSchema(g.program, specs, g.options.Mapping)
	if err != nil {
		return nil, err
	}
	if golden != nil {
		probe := newScorer(g.program, schema, g.bundle, thresholds, from, g.fraudIsLow())
		if err := g.checkGolden(probe, golden); err != nil {
			return nil, err
		}
	}
	scorer := newScorer(g.program, schema, g.bundle, thresholds, from, g.fraudIsLow())
	scorer.wanted, scorer.specs, scorer.mapping = g.options.Reasons, specs, g.options.Mapping
	return scorer, nil
}

// compile turns the decoded model into a program of the features that the metadata and the caller name. Where a
// companion names features that the model does not have, the model is compiled once more without them: the
// companion was written by hand, perhaps for another model.
func (g *gate) compile(compile compiler) error {
	names, err := g.names()
	if err != nil {
		return err
	}
	classes, positive, err := g.meta.classes()
	if err != nil {
		return err
	}
	spec := program.Spec{Features: names, Output: g.meta.Model.Output, Positive: positive, Key: g.meta.Model.Key}
	for _, f := range g.meta.Features {
		spec.NoneIsMissing = append(spec.NoneIsMissing, f.MissingAs == "none")
	}
	if len(spec.NoneIsMissing) != len(names) {
		spec.NoneIsMissing = nil
	}
	g.program, err = compile(spec)
	if err != nil && g.source.companion != nil && g.meta.Features != nil && Reason(err) == schemaMismatch {
		g.warn("the features in %s are not those of the model, and are left alone", g.source.note)
		g.meta.Features, spec.Features, spec.NoneIsMissing = nil, nil, nil
		g.program, err = compile(spec)
	}
	if err != nil {
		return err
	}
	if classes != nil && !slices.EqualFunc(classes, g.program.Classes, sameLabel) {
		return refuse(schemaMismatch, "model.classes", "%v are not the classes of the model, %v", classes, g.program.Classes)
	}
	return nil
}

// names are the features in training order: those of the metadata, else the caller's, else nil for the model's own.
func (g *gate) names() ([]string, error) {
	var stated []string
	for _, f := range g.meta.Features {
		stated = append(stated, f.Name)
	}
	given := g.options.Features
	switch {
	case len(given) == 0:
		return stated, nil
	case g.source.bundle == nil && !slices.Equal(stated, given):
		g.meta.Features = nil
	case len(stated) > 0 && !slices.Equal(stated, given):
		return nil, refuse(schemaMismatch, "features", "the metadata names %q, the caller %q", stated, given)
	}
	for i, name := range given {
		if name == "" || slices.Contains(given[:i], name) {
			return nil, refuse(schemaMismatch, "", "the features given by the caller are empty or twice the same: %q", given)
		}
	}
	return given, nil
}

// checkVersion compares the version of scikit-learn in the metadata with the one in the file, where it holds
// one. scikit-learn writes its version into every estimator. Two of them in one file mean a pipeline of parts
// that were fitted at different times; either may be the one that is stated.
func (g *gate) checkVersion() error {
	stated, held := g.meta.Environment.ScikitLearn, g.program.Versions
	if stated == "" || len(held) == 0 || slices.Contains(held, stated) {
		return nil
	}
	if g.source.bundle == nil {
		g.warn("%s says scikit-learn %s, the model was saved by %s", g.source.note, stated, strings.Join(held, " and "))
		return nil
	}
	return refuse(metadataInvalid, "environment.scikit_learn", "is %s, but the model was saved by scikit-learn %s",
		stated, strings.Join(held, " and "))
}

// sameLabel compares class labels as Python does, where true and 1 are equal. JSON has 1 where numpy had True,
// or the other way round, by the way in which the labels were written out.
func sameLabel(a, b program.Constant) bool {
	numeric := func(c program.Constant) bool { return c.Type == program.Number || c.Type == program.Bool }
	return a == b || numeric(a) && numeric(b) && a.Num == b.Num
}
