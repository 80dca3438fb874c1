package scoring

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"fraudstream/scoring/program"
)

// featureSpec is what the bundle says of one feature, in training order.
type featureSpec struct {
	Name            string
	DType           string // pandas dtype: float64, float32, int64, bool, object, category, …; empty: unknown
	Categorical     bool
	MissingRejected bool // null or absent is missing_field
	NoneIsMissing   bool // a missing category is None rather than NaN
}

// Schema tells where the values of an event are and what they must be. It is immutable.
type Schema struct {
	paths    *paths
	features []feature
	id       int32 // slot
	idPath   string
	time     clock
	where    *filter // nil: every event is scored
	nones    []int   // features whose missing value is None to the pipeline
}

// newSchema compiles a mapping. The domains of the program's columns are complete by then. Its errors name the key of
// the mapping at fault.
func newSchema(p *program.Program, features []featureSpec, m Mapping) (*Schema, error) {
	if len(features) != len(p.Columns) {
		return nil, fmt.Errorf("the model has %d columns, and %d features are described", len(p.Columns), len(features))
	}
	s := new(Schema)
	var list [][]step
	for i, spec := range features {
		field := m.Fields[spec.Name]
		f, err := compileField(newColumn(&p.Columns[i], spec), field)
		if err != nil {
			return nil, fmt.Errorf("event.fields.%s.%w", spec.Name, err)
		}
		steps := []step{{spec.Name, -1}}
		if field.Path != "" {
			if steps, err = parsePath(field.Path); err != nil {
				return nil, fmt.Errorf("event.fields.%s.%w", spec.Name, err)
			}
		}
		s.features = append(s.features, f)
		if f.noneIsMissing {
			s.nones = append(s.nones, i)
		}
		list = append(list, steps)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Fields)) {
		if !slices.ContainsFunc(features, func(f featureSpec) bool { return f.Name == name }) {
			return nil, unknownField(name, features)
		}
	}
	list, err := s.compileEnvelope(list, m)
	if err != nil {
		return nil, err
	}
	var slots []int32
	s.paths, slots = newPaths(list)
	for i := range s.features {
		s.features[i].slot = slots[i]
	}
	rest := slots[len(s.features):]
	s.id, s.time.slot = rest[0], rest[1]
	if s.where != nil {
		s.where.slot = rest[2]
	}
	return s, nil
}

// compileEnvelope compiles what stands around the features and appends its paths: id, time, where.
func (s *Schema) compileEnvelope(list [][]step, m Mapping) ([][]step, error) {
	s.idPath = m.ID.Path
	if s.idPath == "" {
		s.idPath = defaultID
	}
	if m.ID.Type != "" || m.ID.Scale != 0 || m.ID.Default != nil || m.ID.Absent != "" || len(m.ID.Map) > 0 {
		return nil, errors.New("event.id: only path can be set; an id keeps its JSON type and digits")
	}
	steps, err := parsePath(s.idPath)
	if err != nil {
		return nil, fmt.Errorf("event.id.%w", err)
	}
	list = append(list, steps)

	if s.time, err = compileClock(m.Time); err != nil {
		return nil, err
	}
	if steps, err = parsePath(s.time.path); err != nil {
		return nil, fmt.Errorf("event.time.%w", err)
	}
	list = append(list, steps)

	if m.Where == nil {
		return list, nil
	}
	if s.where, err = compileFilter(*m.Where); err != nil {
		return nil, err
	}
	if steps, err = parsePath(m.Where.Path); err != nil {
		return nil, fmt.Errorf("event.where.%w", err)
	}
	return append(list, steps), nil
}

// read reads one event into x, in training order, and everything of r that does not depend on the pipeline. It
// reports whether the pipeline can be asked.
func (s *Schema) read(sc *scanner, e *Event, x []float64, r *Result) bool {
	*r = Result{Feature: -1, Time: e.Timestamp * 1_000_000}
	r.Decision.Score = math.NaN() // until there is one: 0 would mean "no fraud"
	r.Decision.Origin = e.Origin
	r.Decision.EventTime, r.Decision.HasTime = r.Time, e.Timestamp != 0
	value, ok := unframe(e.Value)
	if !ok {
		r.refuse(UnknownSchema, "", grammarMessage(UnknownSchema))
		return false
	}
	if !sc.scan(value) {
		r.refuse(sc.code, "", grammarMessage(sc.code))
		r.Err.Byte = len(e.Value) - len(value) + sc.at + 1
		return false
	}
	if sc.top != object {
		r.refuse(WrongType, "", "an event is a JSON object")
		return false
	}
	if s.where != nil && !s.where.admits(sc, &sc.tokens[s.where.slot]) {
		r.Outcome = Skipped
		return false
	}
	if sc.infinite >= 0 {
		r.refuse(NonFinite, "", "a number is beyond float64")
		r.Err.Byte = len(e.Value) - len(value) + sc.infinite + 1
	}
	s.readID(sc, value, r)
	s.readTime(sc, r)
	r.X = x
	for i := range s.features {
		f := &s.features[i]
		t := &sc.tokens[f.slot]
		if f.plain && t.kind == number && !isInf(t.number) {
			x[i] = t.number
			continue
		}
		value, code := f.read(sc, t)
		x[i] = value
		if code != "" && r.Outcome != Refused {
			r.refuse(code, f.name, f.message(code, t.kind))
			r.Feature = i
		}
	}
	return r.Outcome != Refused
}

// fill copies x to a row of a frame. What is missing is NaN to the monitor and may be None to the pipeline.
func (s *Schema) fill(row, x []float64) {
	copy(row, x)
	for _, i := range s.nones {
		if math.IsNaN(x[i]) {
			row[i] = program.None
		}
	}
}

// refuse keeps the first error.
func (r *Result) refuse(code Code, field, message string) {
	if r.Outcome != Refused {
		r.Outcome, r.Err = Refused, EventError{Code: code, Field: field, Message: message}
	}
}

// readID keeps the id as it is written: a number of 20 digits, or with a zero at its end, must come out as it came in.
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

// readTime replaces the time of the record by that of the event, where it has one.
func (s *Schema) readTime(sc *scanner, r *Result) {
	t := &sc.tokens[s.time.slot]
	if t.kind == absent || t.kind == null {
		return
	}
	if t.kind == number && isInf(t.number) {
		r.refuse(NonFinite, s.time.path, "a number is beyond float64")
		return
	}
	at, ok := s.time.read(sc, t)
	if !ok {
		r.refuse(WrongType, s.time.path, s.time.message())
		return
	}
	r.Time, r.Decision.EventTime, r.Decision.HasTime = at, at, true
}
