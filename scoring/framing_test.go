package scoring

import (
	"strings"
	"testing"
)

func TestFramedValues(t *testing.T) {
	const frame = "\x00\x00\x00\x01\x02"
	for _, c := range []struct {
		name, value string
		code        Code
		at          int
	}{
		{"JSON behind a schema id", frame + `{"transaction_id":"t-1","amount":7,"needed":0}`, "", 0},
		{"white space before it", frame + " \n" + `{"transaction_id":"t-1","amount":7,"needed":0}`, "", 0},
		{"a limit is of the JSON alone", frame + with(`"amount":7`) + strings.Repeat(" ", maxBytes-len(with(`"amount":7`))), "", 0},
		{"one byte over it", frame + with(`"amount":7`) + strings.Repeat(" ", maxBytes+1-len(with(`"amount":7`))), TooLarge, maxBytes + 6},
		{"a fault is counted from the first byte of the value", frame + `{"amount":}`, BadJSON, 16},
		{"Avro", frame + "\x06abc\x02", UnknownSchema, 0},
		{"Protobuf, with its message index", frame + "\x00\x0a\x03abc", UnknownSchema, 0},
		{"nothing behind the schema id", frame, UnknownSchema, 0},
		{"JSON that is no event", frame + `[1]`, UnknownSchema, 0},
		{"too short for a schema id", "\x00\x00\x00\x01", BadJSON, 1},
		{"another magic byte", "\x01" + frame[1:] + `{}`, BadJSON, 1},
	} {
		r := scoreOne(newProbeScorer(t, Mapping{}), c.value)
		if r.Err.Code != c.code || r.Err.Byte != c.at {
			t.Errorf("%s: %s at byte %d, want %s at %d", c.name, r.Err.Code, r.Err.Byte, c.code, c.at)
		}
		if c.code == "" && (r.Outcome != Decided || r.Decision.Score != 7) {
			t.Errorf("%s: %+v", c.name, r)
		}
		if strings.HasPrefix(c.name, "JSON behind") && string(r.Decision.TransactionID) != `"t-1"` {
			t.Errorf("the id is %s", r.Decision.TransactionID)
		}
		if c.code == UnknownSchema && !strings.Contains(r.Err.Message, "Avro and Protobuf") {
			t.Errorf("%s: %s", c.name, r.Err.Message)
		}
	}
}
