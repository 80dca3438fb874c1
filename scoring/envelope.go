package scoring

import "slices"

// The formats of events (event.format). Nothing is guessed: an event of another format than the one configured is
// refused.
const (
	formatJSON        = "json"        // the fields at the top
	formatCloudEvents = "cloudevents" // the fields in the data of a CloudEvent, in either mode
	formatDebezium    = "debezium"    // the fields in the new state of a row
)

// An envelope is what stands around the object that holds the fields: the attributes of a CloudEvent, or what a
// change-data-capture connector says of a row. It is immutable.
//
// Its tree has the paths of the fields once below each place where that object may be, and the paths of what must be
// known beside it. Slots are given depth first, so that those below a place are neighbours, in the order that they have
// in a plain event: once the place is known, their tokens are moved to the front, and all that reads fields reads them
// there, whatever was around them. A plain event pays nothing for this.
type envelope struct {
	paths  *paths
	fields int // how many slots the fields have

	// Of a CloudEvent in structured mode.
	data, base64, version, mediaType int32

	// Of a row, with the schema in front of it (payload) and without.
	payload int32
	changes [2]change
}

// A change is where one form of a Debezium message has the row's new state and the letter of the operation.
type change struct {
	row, operation         int32
	rowPath, operationPath string
}

// newEnvelope adds the envelope of a format to the paths of the fields, of which plain is the tree; nil for json, which
// has none.
func newEnvelope(format string, fields [][]step, plain *paths) *envelope {
	e := &envelope{fields: plain.slots}
	var r routes
	below := func(place []step, slot *int32) {
		for _, path := range fields {
			r.list, r.slots = append(r.list, slices.Concat(place, path)), append(r.slots, new(int32))
		}
		r.list, r.slots = append(r.list, place), append(r.slots, slot)
	}
	at := func(slot *int32, names ...string) {
		r.list, r.slots = append(r.list, steps(names...)), append(r.slots, slot)
	}
	switch format {
	case formatCloudEvents:
		below(steps("data"), &e.data)
		at(&e.base64, "data_base64")
		at(&e.version, "specversion")
		at(&e.mediaType, "datacontenttype")
	case formatDebezium:
		e.changes = [2]change{{rowPath: "payload.after", operationPath: "payload.op"}, {rowPath: "after", operationPath: "op"}}
		below(steps("payload", "after"), &e.changes[0].row)
		at(&e.changes[0].operation, "payload", "op")
		at(&e.payload, "payload")
		below(steps("after"), &e.changes[1].row)
		at(&e.changes[1].operation, "op")
	default:
		return nil
	}
	e.paths = r.lay()
	return e
}

// steps is a path of names.
func steps(names ...string) []step {
	path := make([]step, len(names))
	for i, name := range names {
		path[i] = step{name, -1}
	}
	return path
}

// A reader is the scratch of one loop for reading events: a scanner for plain values and for the data of CloudEvents in
// binary mode, and one for the envelope, where there is one. Each remembers the shape of its own last value.
type reader struct {
	plain, outer *scanner
	decoded      []byte // what the events of this batch had in base64, which their results hold views of
}

func (s *Schema) newReader() reader {
	rd := reader{plain: newScanner(s.paths)}
	if s.envelope != nil {
		rd.outer = newScanner(s.envelope.paths)
	}
	return rd
}

// open scans an event and finds the object that holds the fields. It returns the scanner that has their tokens, in the
// slots of a plain event, and the text that the tokens are places of; nil where there is nothing to read, with the
// reason in r.
func (s *Schema) open(rd *reader, e *Event, r *Result) (sc *scanner, text []byte) {
	value, readable := unframe(e.Value)
	sc = rd.plain
	switch {
	case len(e.Value) == 0 && s.format == formatDebezium:
		r.leaveOut(SkipTombstone)
		return nil, nil
	case !readable:
		r.refuse(UnknownSchema, "", grammarMessage(UnknownSchema))
		return nil, nil
	case s.format == formatDebezium:
		sc = rd.outer
	case s.format == formatCloudEvents:
		if !r.admit(e.Content) {
			return nil, nil
		}
		if e.Content == Structured {
			sc = rd.outer
		}
	}
	if !sc.scan(value) {
		r.refuse(sc.code, "", grammarMessage(sc.code))
		r.Err.Byte = len(e.Value) - len(value) + sc.at + 1
		return nil, nil
	}
	if sc.top != object {
		r.refuse(WrongType, "", "an event is a JSON object")
		return nil, nil
	}
	switch {
	case sc == rd.plain:
		return sc, value
	case s.format == formatDebezium:
		return s.envelope.row(sc, value, r)
	default:
		return s.envelope.openData(rd, value, r)
	}
}

// admit refuses what is no CloudEvent that can be read, by its headers.
func (r *Result) admit(c Content) bool {
	switch c {
	case Untold:
		r.refuse(MissingField, "ce_specversion", "no CloudEvent: neither is the content type application/cloudevents+json nor is there "+
			"a header ce_specversion (ce-specversion over HTTP)")
	case Foreign:
		r.refuse(UnknownSchema, "", "a CloudEvent of another version than 1.0, or of a media type that is not JSON; Avro and Protobuf are not "+
			"read: produce JSON")
	default:
		return true
	}
	return false
}

// openData finds the data of a CloudEvent in structured mode. Data in base64 is a value of its own, which is scanned
// like one.
func (e *envelope) openData(rd *reader, value []byte, r *Result) (*scanner, []byte) {
	sc := rd.outer
	data, encoded := &sc.tokens[e.data], &sc.tokens[e.base64]
	switch version, media := &sc.tokens[e.version], &sc.tokens[e.mediaType]; {
	case version.kind == absent || version.kind == null:
		r.refuse(MissingField, "specversion", "no CloudEvent: its version is missing")
	case version.kind != text || string(sc.body(version)) != cloudEventsVersion,
		media.kind == text && !isJSONType(withoutParameters(sc.body(media))):
		r.admit(Foreign)
	case data.kind == absent && encoded.kind == text:
		return e.decodeData(rd, sc.body(encoded), r)
	case encoded.kind != absent && encoded.kind != null:
		r.refuse(WrongType, "data_base64", "the field must hold base64 text, and there is no field data beside it")
	case data.kind == absent || data.kind == null:
		r.refuse(MissingField, "data", "a CloudEvent without data")
	case data.kind != object:
		r.refuse(WrongType, "data", "an event is a JSON object")
	default:
		e.bringUp(sc, e.data)
		return sc, value
	}
	return nil, nil
}

// decodeData scans what was written in base64. A place in it is no place in the value, and is not told.
func (e *envelope) decodeData(rd *reader, encoded []byte, r *Result) (*scanner, []byte) {
	from := len(rd.decoded)
	decoded, err := strictBase64.AppendDecode(rd.decoded, encoded)
	if err != nil {
		r.refuse(WrongType, "data_base64", "the field must hold base64 text")
		return nil, nil
	}
	rd.decoded = decoded
	data, sc := decoded[from:], rd.plain
	switch {
	case !sc.scan(data):
		r.refuse(sc.code, "data_base64", grammarMessage(sc.code))
	case sc.top != object:
		r.refuse(WrongType, "data_base64", "an event is a JSON object")
	default:
		return sc, data
	}
	return nil, nil
}

// row finds the new state of a row. Rows that were inserted (c) or were there before the connector began (r, read) are
// scored; what else happens to rows is no transaction.
func (e *envelope) row(sc *scanner, value []byte, r *Result) (*scanner, []byte) {
	c := &e.changes[1]
	switch payload := &sc.tokens[e.payload]; {
	case payload.kind == absent:
	case payload.kind == null:
		r.leaveOut(SkipTombstone) // as the JSON converter writes one where it adds the schema
		return nil, nil
	case payload.kind != object:
		r.refuse(WrongType, "payload", "the field must hold an object")
		return nil, nil
	case sc.tokens[c.row].kind != absent || sc.tokens[c.operation].kind != absent:
		r.refuse(WrongType, "payload", "there is a row in payload and another one beside it")
		return nil, nil
	default:
		c = &e.changes[0]
	}
	if !r.inserts(sc, &sc.tokens[c.operation], c.operationPath) {
		return nil, nil
	}
	switch sc.tokens[c.row].kind {
	case object:
		e.bringUp(sc, c.row)
		return sc, value
	case absent, null:
		r.refuse(MissingField, c.rowPath, "an inserted row without its new state")
	default:
		r.refuse(WrongType, c.rowPath, "the field must hold an object")
	}
	return nil, nil
}

// inserts tells whether an operation makes a transaction, by its letter.
func (r *Result) inserts(sc *scanner, operation *token, path string) bool {
	if operation.kind == absent || operation.kind == null {
		r.refuse(MissingField, path, "no message of Debezium: the operation is missing; events without an envelope have the format json")
		return false
	}
	letter := byte(0)
	if operation.kind == text {
		if body := sc.body(operation); len(body) == 1 {
			letter = body[0]
		}
	}
	switch letter {
	case 'c', 'r':
		return true
	case 'u':
		r.leaveOut(SkipUpdate)
	case 'd':
		r.leaveOut(SkipDelete)
	case 't':
		r.leaveOut(SkipTruncate)
	case 'm':
		r.leaveOut(SkipMessage)
	default:
		r.refuse(WrongType, path, "the field must hold one of the letters c, r, u, d, t, m")
	}
	return false
}

// bringUp moves the tokens of the fields below a place, which follow its own, to where those of a plain event are.
func (e *envelope) bringUp(sc *scanner, place int32) {
	from := int(place) + 1
	copy(sc.tokens[:e.fields], sc.tokens[from:from+e.fields])
}
