package scoring

import "strconv"

// Code is a stable error code (contract cli.md): a dead-letter header, a field of an HTTP answer, a metric
// label. Codes are compared and counted and never parsed; a new one may be added, and none changes its meaning.
type Code string

// The codes. Empty and BadJSON to TooLarge are about the value as a whole; see [EventError] for the order in which
// they are found.
const (
	Empty           Code = "empty"            // no bytes at all: a tombstone (white space alone is bad_json)
	BadJSON         Code = "bad_json"         // no JSON, text after it, or a byte order mark before it
	BadUTF8         Code = "bad_utf8"         // also an escaped half of a surrogate pair
	DuplicateKey    Code = "duplicate_key"    // compared after unescaping
	TooDeep         Code = "too_deep"         // nested over 32
	TooLarge        Code = "too_large"        // over 1 MiB, or an object of over 1,024 keys
	MissingField    Code = "missing_field"    // absent or null where the pipeline needs a value
	WrongType       Code = "wrong_type"       // a value of another type or form
	NonFinite       Code = "non_finite"       // a number that no finite float64 is near
	UnknownCategory Code = "unknown_category" // the encoder is fitted to refuse what it has not seen
	Unscorable      Code = "unscorable"       // scikit-learn would raise, or the score is not finite
	OutputTooLarge  Code = "output_too_large" // the decision does not fit a record
	UnknownSchema   Code = "unknown_schema"   // framed by a schema registry, and no JSON behind
)

// Codes lists them all.
func Codes() []Code {
	return []Code{
		Empty, BadJSON, BadUTF8, DuplicateKey, TooDeep, TooLarge, MissingField, WrongType, NonFinite, UnknownCategory,
		Unscorable, OutputTooLarge, UnknownSchema,
	}
}

// EventError says why an event cannot be scored. Field is a feature, id or time path; Message holds no payload.
//
// Where several things are wrong, it is the first: the size of the value, then its grammar (UTF-8, JSON, depth, keys;
// by byte), then a top level that is no object, then an infinite number that no path reads, then id, time and features
// in training order, then the steps of the pipeline. Byte is of the value as it came, the framing of a schema
// registry included.
type EventError struct {
	Code    Code
	Field   string
	Message string
	Byte    int // 1-based place in the value of what breaks its grammar; 0: none
}

// Error is code, field and message in one line.
func (e *EventError) Error() string {
	s := string(e.Code)
	if e.Field != "" {
		s += ": " + e.Field
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Byte > 0 {
		s += " (byte " + strconv.Itoa(e.Byte) + ")"
	}
	return s
}

// grammarMessage is the message of a fault of the value as a whole. It is a constant, since the value must not
// appear in it and its place is in Byte.
func grammarMessage(c Code) string {
	switch c {
	case Empty:
		return "the value is empty"
	case BadUTF8:
		return "the text is not valid UTF-8"
	case DuplicateKey:
		return "an object has the same key twice"
	case TooDeep:
		return "objects and arrays are nested over 32 deep"
	case UnknownSchema:
		return "the value has the framing of a schema registry and no JSON object behind it; Avro and Protobuf are not " +
			"read: produce JSON or JSON Schema"
	case TooLarge:
		return "the value is over 1 MiB, or an object has over 1024 keys"
	default:
		return "the value is not strict JSON"
	}
}
