package scoring

import "bytes"

// Content is what stands beside a value about its kind: in the headers of a record, or of a request. Only the format
// cloudevents asks for it.
type Content uint8

// The kinds of content. A door that has no headers, such as a file, says Structured: an event that stands alone must be
// whole.
const (
	Untold     Content = iota // neither a content type nor an attribute of CloudEvents
	Structured                // application/cloudevents+json: the value is the event with its attributes
	Binary                    // attributes in headers: the value is the data
	Foreign                   // of a media type or a version that is not read
)

// ContentOf tells the kind from the content-type header and ce_specversion (over HTTP ce-specversion), as the Kafka and
// HTTP bindings of CloudEvents 1.0 do (section 3: the mode is told by the content type); nil is a header that is not
// there. The views are not kept.
func ContentOf(mediaType, specVersion []byte) Content {
	mediaType = withoutParameters(mediaType)
	switch {
	case equalFold(mediaType, "application/cloudevents+json"):
		return Structured
	case hasPrefixFold(mediaType, "application/cloudevents"):
		return Foreign // Avro, Protobuf, XML, or a batch
	case specVersion == nil:
		return Untold
	case string(specVersion) != cloudEventsVersion || !isJSONType(mediaType):
		return Foreign
	default:
		return Binary
	}
}

// withoutParameters is a media type without its charset and the like.
func withoutParameters(t []byte) []byte {
	if i := bytes.IndexByte(t, ';'); i >= 0 {
		t = t[:i]
	}
	return bytes.TrimSpace(t)
}

// cloudEventsVersion is the only one there is; the specification promises that its minor versions keep the number.
const cloudEventsVersion = "1.0"

// isJSONType tells whether a media type is JSON: none (which CloudEvents takes for JSON), any that ends with +json, and
// those whose subtype is json.
func isJSONType(t []byte) bool {
	if len(t) == 0 {
		return true
	}
	_, subtype, _ := bytes.Cut(t, []byte("/"))
	const suffix = "+json"
	return equalFold(subtype, "json") || len(subtype) > len(suffix) && equalFold(subtype[len(subtype)-len(suffix):], suffix)
}

// equalFold compares with a lower-case text of ASCII letters and signs, whatever the case, without a conversion.
func equalFold(a []byte, lower string) bool { return len(a) == len(lower) && hasPrefixFold(a, lower) }

func hasPrefixFold(a []byte, lower string) bool {
	if len(a) < len(lower) {
		return false
	}
	for i := range len(lower) {
		c := a[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
