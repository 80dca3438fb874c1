package scoring

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"fraudstream/scoring/program"
)

// featureSpec is what the bundle says of one feature, in training order. It is the metadata's word, settled
// with the model's help where the metadata is silent, in the form that the schema compiles.
type featureSpec struct {
	Name            string
	DType           string // pandas dtype: float64, float32, int64, bool, object, category, …; empty: unknown
	Categorical     bool
	MissingRejected bool       // null or absent is missing_field
	NoneIsMissing   bool       // a missing category is None rather than NaN
	From            *fromEntry // nil: a field of its own
}

// Schema tells where the values of an event are and what they must be. It is immutable. Any number of loops may
// read events through one Schema, each with a scanner of its own.
type Schema struct {
	paths    *paths
	features []feature
	id       int32 // slot
	idPath   string
	time     clock
	where    *filter // nil: every event is scored
	nones    []int   // features whose missing value is None to the pipeline
	format   string
	envelope *envelope // nil: the fields are at the top of the event
}

// newSchema compiles a mapping. The domains of the program's columns are complete by then. Its errors name the key of
// the mapping at fault. Features come first, because they say which entries of the mapping mean something; an
// entry that means nothing is refused, for it was written to have an effect.
func newSchema(p *program.Program, features []featureSpec, m Mapping) (*Schema, error) {
	if len(features) != len(p.Columns) {
		return nil, fmt.Errorf("the model has %d columns, and %d features are described", len(p.Columns), len(features))
	}
	s := &Schema{features: make([]feature, len(features)), format: cmp.Or(m.Format, formatJSON)}
	switch s.format {
	case formatJSON, formatCloudEvents, formatDebezium:
	default:
		return nil, fmt.Errorf("event.format: %q is none of json, cloudevents, debezium", m.Format)
	}
	var r routes
	if err := s.compileFeatures(p, features, m, &r); err != nil {
		return nil, err
	}
	if err := s.checkFields(m); err != nil {
		return nil, err
	}
	if err := s.compileHead(m, &r); err != nil {
		return nil, err
	}
	s.paths = r.lay()
	s.envelope = newEnvelope(s.format, r.list, s.paths)
	return s, nil
}

// compileFeatures compiles the features that are fields, and then those that are computed from fields. The
// fields must come first: an operand that is a feature as well is read as that feature is.
func (s *Schema) compileFeatures(p *program.Program, features []featureSpec, m Mapping, r *routes) error {
	for i, spec := range features {
		f, col, field := &s.features[i], newColumn(&p.Columns[i], spec), m.Fields[spec.Name]
		if col.noneIsMissing {
			s.nones = append(s.nones, i)
		}
		if spec.From != nil {
			*f = feature{column: col, from: new(derivation)}
			continue
		}
		var err error
		if *f, err = compileField(col, field); err == nil {
			err = r.add(spec.Name, field, &f.slot)
		}
		if err != nil {
			return fmt.Errorf("event.fields.%s.%w", spec.Name, err)
		}
	}
	for i := range features {
		if features[i].From == nil {
			continue
		}
		if err := s.compileDerived(i, &features[i], m, r); err != nil {
			return err
		}
	}
	return nil
}

// checkFields refuses entries of a mapping that nothing reads.
func (s *Schema) checkFields(m Mapping) error {
	var read []string
	for i := range s.features {
		f := &s.features[i]
		if f.from == nil {
			read = append(read, f.name)
			continue
		}
		for _, o := range f.from.operands {
			read = append(read, o.field.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Fields)) {
		if slices.Contains(read, name) {
			continue
		}
		if slices.ContainsFunc(s.features, func(f feature) bool { return f.name == name }) {
			return fmt.Errorf("event.fields.%s: the feature is computed; map the fields that it is computed from", name)
		}
		return unknownField(name, read)
	}
	return nil
}

// routes collects the paths to read, each with the slot to be told where its token will be. The slots are known
// only when all paths are, since they follow the tree and not the order in which the paths were added.
type routes struct {
	list  [][]step
	slots []*int32
}

// add adds the path of a field: its own name, dots and all, where the mapping has none. Two features may read
// one path: both are told the same slot.
func (r *routes) add(name string, field Field, slot *int32) error {
	steps := []step{{name, -1}}
	if field.Path != "" {
		var err error
		if steps, err = parsePath(field.Path); err != nil {
			return err
		}
	}
	r.list, r.slots = append(r.list, steps), append(r.slots, slot)
	return nil
}

// lay joins the paths to a tree and tells the slots.
func (r *routes) lay() *paths {
	p, slots := newPaths(r.list)
	for i, slot := range slots {
		*r.slots[i] = slot
	}
	return p
}

// compileHead compiles what stands beside the features: id, time, where. Both id and time are looked for
// under their usual names where the mapping has none, and an event need have neither.
func (s *Schema) compileHead(m Mapping, r *routes) (err error) {
	s.idPath = cmp.Or(m.ID.Path, defaultID)
	if m.ID.Type != "" || m.ID.Scale != 0 || m.ID.Default != nil || m.ID.Absent != "" || len(m.ID.Map) > 0 {
		return errors.New("event.id: only path can be set; an id keeps its JSON type and digits")
	}
	if err := r.add("", Field{Path: s.idPath}, &s.id); err != nil {
		return fmt.Errorf("event.id.%w", err)
	}
	if s.time, err = compileClock(m.Time); err != nil {
		return err
	}
	if err := r.add("", Field{Path: s.time.path}, &s.time.slot); err != nil {
		return fmt.Errorf("event.time.%w", err)
	}
	if m.Where == nil {
		return nil
	}
	if s.where, err = compileFilter(*m.Where); err != nil {
		return err
	}
	steps, err := parsePath(m.Where.Path) // an empty path is no name here
	if err != nil {
		return fmt.Errorf("event.where.%w", err)
	}
	r.list, r.slots = append(r.list, steps), append(r.slots, &s.where.slot)
	return nil
}

// read reads one event into x, in training order, and everything of r that does not depend on the pipeline. It
// reports whether the pipeline can be asked.
//
// The order of its steps is the order of [EventError]. Every feature is read even when an earlier one has
// refused the event, because the monitor must see all of x; only the first fault is kept.
func (s *Schema) read(rd *reader, e *Event, x []float64, missing []Missing, r *Result) bool {
	*r = Result{Feature: -1, Time: e.Timestamp * 1_000_000}
	r.Decision.Score = math.NaN() // until there is one: 0 would mean "no fraud"
	r.Decision.Origin = e.Origin
	r.Decision.EventTime, r.Decision.HasTime = r.Time, e.Timestamp != 0
	sc, text := s.open(rd, e, r)
	if sc == nil {
		return false
	}
	if s.where != nil && !s.where.admits(sc, &sc.tokens[s.where.slot]) {
		r.leaveOut(SkipWhere)
		return false
	}
	if sc.infinite >= 0 {
		r.refuse(NonFinite, "", "a number is beyond float64")
		if decoded := sc == rd.plain && s.envelope != nil && e.Content == Structured; !decoded {
			r.Err.Byte = len(e.Value) - len(text) + sc.infinite + 1
		}
	}
	s.readID(sc, text, r)
	event := s.readTime(sc, r)
	r.X = x
	for i := range s.features {
		f := &s.features[i]
		t := &sc.tokens[f.slot]
		if f.plain && t.kind == number && !isInf(t.number) {
			x[i] = t.number
			continue
		}
		if f.from != nil {
			x[i] = s.readDerived(sc, i, event, r)
			continue
		}
		switch t.kind {
		case absent:
			missing[i].Absent++
		case null:
			missing[i].Null++
		}
		value, code := f.read(sc, t)
		x[i] = value
		if code != "" {
			r.refuseFeature(i, code, f.name, f.message(code, t.kind))
		}
	}
	return r.Outcome != Refused
}

// fill copies x to a row of a frame. What is missing is NaN to the monitor and may be None to the pipeline. The
// monitor has the one NaN for all that is missing, and an encoder that was fitted on None has a category for
// it.
func (s *Schema) fill(row, x []float64) {
	copy(row, x)
	for _, i := range s.nones {
		if math.IsNaN(x[i]) {
			row[i] = program.None
		}
	}
}

// refuse keeps the first error. The codes and fields of faults are metric labels and headers, so one event has
// exactly one.
func (r *Result) refuse(code Code, field, message string) {
	if r.Outcome != Refused {
		r.Outcome, r.Err = Refused, EventError{Code: code, Field: field, Message: message}
	}
}

// refuseFeature keeps the first error, that of feature i; field is the feature, or one that it is computed from.
func (r *Result) refuseFeature(i int, code Code, field, message string) {
	if r.Outcome != Refused {
		r.Feature = i
	}
	r.refuse(code, field, message)
}

// readID keeps the id as it is written: a number of 20 digits, or with a zero at its end, must come out as it
// came in. It is a view of the event, a text with its quotes, which goes into the decision as it
// stands.
func (s *Schema) readID(sc *scanner, value []byte, r *Result) {
	switch t := &sc.tokens[s.id]; {
	case t.kind == absent || t.kind == null:
	case t.kind == text:
		r.Decision.TransactionID = value[t.start:t.end]
	case t.kind != number:
		r.refuse(WrongType, s.idPath, "an id is a string or a number")
	case isInf(t.number):
		r.refuse(NonFinite, s.idPath, "a number is beyond float64")
	default:
		r.Decision.TransactionID = value[t.start:t.end]
	}
}

// readTime replaces the time of the record by that of the event, where it has one, and returns the one that holds.
func (s *Schema) readTime(sc *scanner, r *Result) argument {
	t := &sc.tokens[s.time.slot]
	if t.kind == absent || t.kind == null {
		return argument{at: r.Time, missing: !r.Decision.HasTime}
	}
	if t.kind == number && isInf(t.number) {
		r.refuse(NonFinite, s.time.path, "a number is beyond float64")
		return argument{code: NonFinite}
	}
	at, ok := s.time.read(sc, t)
	if !ok {
		r.refuse(WrongType, s.time.path, s.time.message())
		return argument{code: WrongType}
	}
	r.Time, r.Decision.EventTime, r.Decision.HasTime = at, at, true
	return argument{at: at}
}
