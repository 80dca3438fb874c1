package scoring

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"fraudstream/scoring/program"
)

// Decision is what the service says of one event. It holds views of the event's bytes. It stays valid until the
// next call of [Scorer.Score] with its batch; whoever keeps it longer has to write it out first.
type Decision struct {
	Origin        Origin
	TransactionID []byte // JSON token; nil: the decision id stands in
	EventTime     int64  // Unix nanoseconds
	HasTime       bool
	Score         float64
	Class         int // index of the predicted class
	Verdict       Verdict
	IsFraud       bool

	scorer      *Scorer
	reasons     [maxReasons]reason
	reasonCount int8
	reasoned    bool // reasons are told, be there some or none
}

// AppendJSON appends the decision in the form of contract cli.md, one line without a line feed. The same event,
// model and thresholds give the same bytes.
//
//	{"decision_id":"transactions/0/7","transaction_id":"t-1","score":0.91,"predicted":1,"is_fraud":true,
//	 "decision":"block","thresholds":{"review":0.3,"block":0.8,"from":"bundle"},
//	 "reasons":[{"feature":"amount","contribution":1.9}],"reason_method":"linear",
//	 "model":{"name":"card-fraud","version":"3","sha256":"…"},"event_time":"2026-11-01T09:00:00Z",
//	 "source":{"topic":"transactions","partition":0,"offset":7}}
//
// is one, broken into lines here. Nothing in it tells when or where it was made, which is why a repeated event
// gives the same bytes and a consumer may drop the copy.
func (d *Decision) AppendJSON(dst []byte) []byte {
	return d.append(append(dst, '{'), d.scorer.outcomes)
}

// AppendPrediction appends the decision as POST /predict answers: with a status, and is_fraud as 0 or 1.
func (d *Decision) AppendPrediction(dst []byte) []byte {
	return d.append(append(dst, `{"status":"success",`...), d.scorer.predictions)
}

// AppendTime appends the event time as the decision has it; nothing where there is none.
func (d *Decision) AppendTime(dst []byte) []byte {
	if !d.HasTime {
		return dst
	}
	return appendTime(dst, d.EventTime)
}

// append appends what follows the opening brace, with the outcome from the given table. What depends on the
// model, its thresholds and its classes alone was made into JSON at load and is copied.
func (d *Decision) append(dst []byte, outcomes [][]byte) []byte {
	dst = append(dst, `"decision_id":`...)
	id := len(dst)
	dst = d.appendJSONID(dst)
	end := len(dst)
	dst = append(dst, `,"transaction_id":`...)
	if d.TransactionID != nil {
		dst = append(dst, d.TransactionID...)
	} else {
		dst = append(dst, dst[id:end]...)
	}
	dst = append(dst, `,"score":`...)
	dst = appendFloat(dst, d.Score)
	dst = d.appendReasons(append(dst, outcomes[d.scorer.outcome(d)]...))
	dst = append(dst, d.scorer.model...)
	if d.HasTime {
		dst = append(dst, `,"event_time":"`...)
		dst = append(appendTime(dst, d.EventTime), '"')
	} else {
		dst = append(dst, `,"event_time":null`...)
	}
	return append(d.appendSource(dst), '}')
}

// appendSource appends the place of the event in its topic or file; a request has none. A Kafka source has
// three parts, which together are the event's name for as long as its topic exists; a row counts from 1.
func (d *Decision) appendSource(dst []byte) []byte {
	switch o := &d.Origin; {
	case o.Topic != "":
		dst = append(dst, `,"source":{"topic":`...)
		dst = appendString(dst, o.Topic)
		dst = append(dst, `,"partition":`...)
		dst = strconv.AppendInt(dst, int64(o.Partition), 10)
		dst = append(dst, `,"offset":`...)
		dst = strconv.AppendInt(dst, o.Offset, 10)
		dst = append(dst, '}')
	case o.Row != 0:
		dst = append(dst, `,"source":{"row":`...)
		dst = strconv.AppendInt(dst, o.Row, 10)
		dst = append(dst, '}')
	}
	return dst
}

// AppendID appends the decision id: topic/partition/offset, row/N or http/REQUEST_ID/N.
func (d *Decision) AppendID(dst []byte) []byte { return d.Origin.AppendID(dst) }

// AppendID appends the id that a decision on this event has. It is the same for every attempt at the event, and
// so the key by which duplicates are known.
func (o *Origin) AppendID(dst []byte) []byte {
	switch {
	case o.Topic != "":
		dst = append(append(dst, o.Topic...), '/')
		dst = strconv.AppendInt(dst, int64(o.Partition), 10)
		return strconv.AppendInt(append(dst, '/'), o.Offset, 10)
	case o.Request != "":
		dst = append(append(dst, "http/"...), o.Request...)
		return strconv.AppendInt(append(dst, '/'), int64(o.Index), 10)
	default:
		return strconv.AppendInt(append(dst, "row/"...), o.Row, 10)
	}
}

// appendJSONID appends the id as a JSON string. Topics need no escapes, request ids may.
func (d *Decision) appendJSONID(dst []byte) []byte {
	dst = append(dst, '"')
	from := len(dst)
	dst = d.AppendID(dst)
	if !isPlain(dst[from:]) {
		return appendString(dst[:from-1], string(dst[from:]))
	}
	return append(dst, '"')
}

// isPlain reports whether s is the same inside of a JSON string.
func isPlain(s []byte) bool {
	for _, c := range s {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// outcomes are the JSON of everything that a decision takes from class, verdict and thresholds alone. no and yes are
// the values of is_fraud. There are six for each class: three verdicts, fraud or not. Of those some cannot
// occur, which costs a few bytes and saves a condition.
func outcomes(p *program.Program, thresholds []byte, no, yes string) [][]byte {
	var all [][]byte
	for class := range len(p.Classes) + 1 {
		for _, verdict := range []Verdict{Approve, Review, Block} {
			for _, fraud := range []string{no, yes} {
				b := []byte(`,"predicted":`)
				if class < len(p.Classes) {
					b = appendConstant(b, p.Classes[class])
				} else {
					b = append(b, "null"...) // a regressor has no classes
				}
				b = append(b, `,"is_fraud":`+fraud+`,"decision":"`+verdict.String()+`"`...)
				all = append(all, append(b, thresholds...))
			}
		}
	}
	return all
}

// outcome is the place in a table of outcomes of what a decision says. It must count as outcomes does: by
// class, then by verdict, then by fraud. An index that is no class is that of a regressor.
func (s *Scorer) outcome(d *Decision) int {
	class := d.Class
	if class < 0 || class >= len(s.Program.Classes) {
		class = len(s.Program.Classes)
	}
	return (class*3+int(d.Verdict))*2 + oneIf(d.IsFraud)
}

// appendConstant appends a class label in its JSON type; 1.0 and 1 are both 1.
func appendConstant(dst []byte, c program.Constant) []byte {
	switch c.Type {
	case program.Number:
		return appendFloat(dst, c.Num)
	case program.Bool:
		return strconv.AppendBool(dst, c.Num != 0)
	case program.String:
		return appendString(dst, c.Text)
	default:
		return append(dst, "null"...)
	}
}

// appendThresholds appends the thresholds in force and where they are from; nothing where there are none.
func appendThresholds(dst []byte, t Thresholds, from string) []byte {
	if !t.Set() {
		return dst
	}
	dst = append(dst, `,"thresholds":{`...)
	if t.Review != nil {
		dst = append(appendFloat(append(dst, `"review":`...), *t.Review), ',')
	}
	if t.Block != nil {
		dst = append(appendFloat(append(dst, `"block":`...), *t.Block), ',')
	}
	return append(appendString(append(dst, `"from":`...), from), '}')
}

// appendModel appends which model decided. The hash is of the model file, so that a decision can be traced to
// the bytes that made it.
func appendModel(dst []byte, b *Bundle) []byte {
	dst = appendString(append(dst, `,"model":{"name":`...), b.Name)
	dst = appendString(append(dst, `,"version":`...), b.Version)
	return append(appendString(append(dst, `,"sha256":`...), b.SHA256), '}')
}

// appendFloat appends the shortest JSON number that reads back bit for bit. The bounds are those at which
// encoding/json, and JavaScript before it, change to an exponent.
func appendFloat(dst []byte, f float64) []byte {
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// appendTime appends RFC 3339 in UTC with as many fractional digits as the time has.
func appendTime(dst []byte, nanos int64) []byte {
	return time.Unix(0, nanos).UTC().AppendFormat(dst, time.RFC3339Nano)
}

// appendString appends s as a JSON string; what is no UTF-8 becomes U+FFFD. Names of features and models come
// from files and may hold anything; control characters are written as \u00XX.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			const digits = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
