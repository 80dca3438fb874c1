package scoring

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // an image without files knows the zones all the same

	"fraudstream/scoring/program"
)

// A derivation is `from` of a feature: its value is computed from fields of the event, as pandas did before fit, and
// not read. What pandas leaves without a value (an operand is missing, a time is NaT, a logarithm does not exist) is
// missing, and so is a ratio by zero, which no estimator takes as the infinity that it is; any other infinity is
// refused. Zones are those of the machine's zone database, or else of the one that Go brings along.
//
// It is compiled at load and immutable. Its operands have slots of their own in the tree of paths, also where a
// feature reads the same field.
type derivation struct {
	op       operation
	whole    bool // an integer column: cut off towards zero, as astype does
	zone     *time.Location
	operands []operand
	lacking  string // says where a missing value is from
}

// An operand is a field of the event. One that is a feature as well, or the time of the event, is refused where it is
// read for itself, and not a second time here. A number is read by field, a time by clock, for which field has
// the name and the slot; the time of the event is neither, since the schema has read it by then.
type operand struct {
	field     feature // of a number
	clock     clock   // of a time
	isTime    bool
	eventTime bool
	judged    bool // refused elsewhere
}

// An argument is what an operand holds in one event. A code says that the field is there and cannot be read;
// missing, that it is absent, null or NaN.
type argument struct {
	number  float64
	at      int64 // Unix nanoseconds
	missing bool
	code    Code
}

// newDerivation compiles `from` of a feature, but for its operands. The zone was found once already, when the
// metadata was checked; an error here means that the zone database has gone since.
func newDerivation(from *fromEntry, dtype string) (*derivation, error) {
	d := &derivation{op: operationOf(from.Op), zone: time.UTC}
	d.whole = strings.HasPrefix(strings.ToLower(strings.TrimPrefix(dtype, "u")), "int")
	if from.Zone != "" {
		var err error
		if d.zone, err = time.LoadLocation(from.Zone); err != nil {
			return nil, err
		}
	}
	d.lacking = from.describe() + " has no value: an operand is missing"
	if d.op == opRatio {
		d.lacking += ", or the divisor is zero"
	}
	return d, nil
}

// compileDerived makes feature i one that is computed. Its column, and the features that are fields, are
// compiled. The column decides what may be computed for it: a coded one would need a category, and no operation
// gives one.
func (s *Schema) compileDerived(i int, spec *featureSpec, m Mapping, r *routes) error {
	at := fmt.Sprintf("features[%d].from", i)
	d, err := newDerivation(spec.From, spec.DType)
	if err != nil {
		return refuse(metadataInvalid, at+".zone", "%q: %v", spec.From.Zone, err)
	}
	f := &s.features[i]
	gives := numbers
	if d.op == opIsWeekend {
		gives |= booleans
	}
	if f.takes&gives == 0 || f.dictionary != nil {
		return refuse(schemaMismatch, at+".op", "%s gives %s, and the pipeline takes %s", spec.From.Op, gives, f.takes)
	}
	d.operands = make([]operand, len(spec.From.Of))
	// The operands do not move any more: the routes keep the addresses of their slots.
	for k, name := range spec.From.Of {
		o := &d.operands[k]
		if *o, err = s.compileOperand(d.op, name, m.Fields[name]); err == nil && !o.eventTime {
			err = r.add(name, m.Fields[name], &o.field.slot)
		}
		if err != nil {
			return fmt.Errorf("event.fields.%s.%w", name, err)
		}
		if o.judged && !o.eventTime && (o.isTime || o.field.takes&numbers == 0 || o.field.dictionary != nil) {
			return refuse(schemaMismatch, fmt.Sprintf("%s.of[%d]", at, k),
				"%q is a feature of another kind than %s computes with", name, spec.From.Op)
		}
	}
	f.from = d
	return nil
}

// compileOperand compiles the reading of a field that a feature is computed from: the time of the event as the mapping
// has it, a feature as that feature is read (its path, its type, its default, its rounding to float32), or any other
// field, which is a JSON number, or an RFC 3339 text where a time is wanted, unless the mapping says otherwise.
func (s *Schema) compileOperand(op operation, name string, field Field) (o operand, err error) {
	o.isTime = operations[op].times
	if o.isTime && name == defaultTime {
		o.eventTime, o.judged = true, true
		return o, nil
	}
	// A feature under its own rule (x = log1p(x)) has become a derivation by now; its name means the raw field.
	isField := func(f feature) bool { return f.name == name && f.from == nil }
	if i := slices.IndexFunc(s.features, isField); i >= 0 {
		o.field, o.judged = s.features[i], true
		return o, nil
	}
	if !o.isTime {
		o.field, err = compileField(column{name: name, takes: numbers, needs: "it is a number to compute with"}, field)
		return o, err
	}
	o.field.name = name
	o.clock, err = compileFieldClock(field)
	return o, err
}

// read returns what the operand holds in the event whose time is event. The token is that of a scan which has passed.
// Each use reads its operand anew: that costs a copied number, and keeps features independent of their order.
func (o *operand) read(sc *scanner, event argument) argument {
	if o.eventTime {
		return event
	}
	t := &sc.tokens[o.field.slot]
	if !o.isTime {
		value, code := o.field.read(sc, t)
		return argument{number: value, missing: math.IsNaN(value), code: code}
	}
	switch {
	case t.kind == absent || t.kind == null:
		return argument{missing: true}
	case t.kind == number && isInf(t.number):
		return argument{code: NonFinite}
	}
	at, ok := o.clock.read(sc, t)
	if !ok {
		return argument{code: WrongType}
	}
	return argument{at: at}
}

// message says what is wrong with the operand. It is asked only after read has given the code.
func (o *operand) message(code Code, found kind) string {
	if code == WrongType && o.isTime {
		return o.clock.message()
	}
	return o.field.message(code, found)
}

// readDerived computes feature i of the event whose time is event. What cannot be computed is missing; what has an
// operand that cannot be read, or becomes infinite, is +Inf. The first operand that cannot be read decides, in
// the order of the rule.
func (s *Schema) readDerived(sc *scanner, i int, event argument, r *Result) float64 {
	f := &s.features[i]
	var in [2]argument
	lacking := false
	for k := range f.from.operands {
		o := &f.from.operands[k]
		in[k] = o.read(sc, event)
		if code := in[k].code; code != "" {
			if !o.judged {
				r.refuseFeature(i, code, o.field.name, o.message(code, sc.tokens[o.field.slot].kind))
			}
			if code == MissingField {
				return program.Missing
			}
			return math.Inf(1)
		}
		lacking = lacking || in[k].missing
	}
	value := math.NaN() // pandas carries a missing operand through every operation
	if !lacking {
		value = f.from.compute(&in)
	}
	switch {
	case math.IsNaN(value) && f.missingRejected:
		r.refuseFeature(i, MissingField, f.name, f.from.lacking)
		return program.Missing
	case math.IsNaN(value):
		return program.Missing
	case isInf(value):
		r.refuseFeature(i, NonFinite, f.name, "the computed value is beyond float64")
		return math.Inf(1)
	}
	value, code := f.computed(value)
	if code != "" {
		r.refuseFeature(i, code, f.name, f.needs)
	}
	return value
}

// computed is a computed number as the column holds it: a category of true and false takes a boolean, an integer
// column what astype(int) leaves, a float32 column the nearest float32. Of a ratio or difference of float32 columns that
// is also what pandas gets by computing in float32 from the start: 53 digits are enough to round twice.
func (f *feature) computed(value float64) (float64, Code) {
	switch {
	case f.takes&numbers == 0:
		return f.boolean(value != 0)
	case f.from.whole:
		value = math.Trunc(value) + 0 // an integer has no negative zero
	}
	return f.column.number(value)
}

// agrees is asked by the golden check. It tells whether an event gave what the golden row holds: bit for bit,
// but for the slack of an operation. The slack is relative to the value of the row; NaN agrees with NaN, since
// both are a missing value.
func (f *feature) agrees(want, got float64) bool {
	if math.Float64bits(want) == math.Float64bits(got) || math.IsNaN(want) && math.IsNaN(got) {
		return true
	}
	if f.from == nil || f.from.whole {
		return false
	}
	slack := operations[f.from.op].slack
	if f.single {
		slack *= 1 << 29 // the same number of units in the last of 24 digits, not of 53
	}
	return math.Abs(want-got) <= slack*math.Abs(want)
}

// check refuses a rule that cannot be, as far as that shows without the model: at is its JSON path. A zone where none
// is read is refused and not ignored, because whoever wrote it expected it to matter. "Local" would be the zone of
// whatever machine happens to score.
func (r *fromEntry) check(at string) error {
	op := operationOf(r.Op)
	if op == 0 {
		var names []string
		for _, o := range operations[1:] {
			names = append(names, o.name)
		}
		return refuse(metadataInvalid, at+".op", "%q is none of %s", r.Op, strings.Join(names, ", "))
	}
	rule := operations[op]
	if len(r.Of) != rule.operands {
		return refuse(metadataInvalid, at+".of", "%d fields; %s is computed from %d", len(r.Of), r.Op, rule.operands)
	}
	for i, name := range r.Of {
		switch {
		case name == "":
			return refuse(metadataInvalid, fmt.Sprintf("%s.of[%d]", at, i), "is empty")
		case name == defaultTime && !rule.times:
			return refuse(metadataInvalid, fmt.Sprintf("%s.of[%d]", at, i), "%s computes with numbers, and %s is a time", r.Op, name)
		}
	}
	if r.Zone == "" {
		return nil
	}
	if !rule.zoned {
		return refuse(metadataInvalid, at+".zone", "%s is the same in every zone", r.Op)
	}
	if _, err := time.LoadLocation(r.Zone); err != nil || r.Zone == "Local" {
		return refuse(metadataInvalid, at+".zone", "%q is no IANA time zone such as Europe/London", r.Zone)
	}
	return nil
}

// describe writes the rule for people: hour of event_time in Europe/London.
func (r *fromEntry) describe() string {
	text := r.Op + " of " + strings.Join(r.Of, ", ")
	if r.Zone != "" {
		text += " in " + r.Zone
	}
	return text
}

// checkOperands refuses a feature that is computed from another computed one: operands are fields of the event. A
// feature may have the name of its own operand, as after x = log1p(x). index is that of a name. So no order of
// computation is needed, and no circle is possible.
func (m *metadata) checkOperands(index map[string]int) error {
	for i, f := range m.Features {
		if f.From == nil {
			continue
		}
		for k, name := range f.From.Of {
			if j, found := index[name]; found && j != i && m.Features[j].From != nil {
				return refuse(metadataInvalid, fmt.Sprintf("features[%d].from.of[%d]", i, k),
					"%q is computed itself; name fields of the event", name)
			}
		}
	}
	return nil
}
