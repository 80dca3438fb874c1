package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"fraudstream/scoring"
	"fraudstream/scoring/program"
)

// An inferRequest is the body of /v2/models/NAME/infer. What may be absent and may not be null is kept as JSON until
// it is looked at. Members that the protocol does not have are left alone, as it wants of extensions. A member that
// is null and one that is not there are two things to a client, and decoded to a text or a list they would be one.
type inferRequest struct {
	ID         jsontext.Value `json:"id"`
	Parameters jsontext.Value `json:"parameters"`
	Inputs     []tensor       `json:"inputs"`
	Outputs    jsontext.Value `json:"outputs"`
}

// wanted is an entry of the outputs of a request.
type wanted struct {
	Name       string         `json:"name"`
	Parameters jsontext.Value `json:"parameters"`
}

// infer answers tensors with tensors. The rows go through the corridor as events do, so their scores are those of
// /predict, bit for bit. The protocol has no error for a single row: where one cannot be scored, the whole request is
// refused, and the error names the first. Reasons are left out as well: no tensor could hold them, and they would
// cost what they cost for an answer that nobody reads.
func (s *Server) infer(w http.ResponseWriter, r *http.Request, p *place) {
	if contentOf(r) != jsonContent {
		w.Header().Set("Accept-Encoding", "identity")
		s.fail(w, r, http.StatusUnsupportedMediaType, fault{Code: codeMediaType, Message: "send application/json, not compressed; the binary form of tensors is not spoken"})
		return
	}
	body, failed := s.read(w, r, p)
	if failed == nil {
		failed = s.answerInference(p, idOf(w), body)
	}
	if failed != nil {
		s.fail(w, r, failed.status, failed.fault)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(p.answer) // a client that has gone needs no answer
}

// answerInference scores a body and leaves the answer in the place. A request is parsed by the worker as well, so
// that the memory of parsing is bounded by the workers and not by the callers. Four steps, of which each may refuse
// the request: parse the frame, gather the elements of the tensors, compose an event of each row, score. Nothing is
// written to the client before the last one has succeeded, so an answer is whole or an error.
func (s *Server) answerInference(p *place, id string, body []byte) *problem {
	worker := <-s.workers
	defer func() { s.workers <- worker }()
	request, outputs, failed := parseInference(body)
	if failed != nil {
		return failed
	}
	columns, rows, failed := s.gather(worker, request.Inputs)
	if failed != nil {
		return failed
	}
	s.compose(worker, columns, rows)
	results := worker.score(s.plain, id, worker.events, nil, scoring.Untold, scoring.NoReasons)
	if failed := refusedRows(results); failed != nil {
		return failed
	}
	p.answer = s.appendInference(p.answer[:0], request, outputs, results)
	return nil
}

// parseInference reads a request and picks the outputs that it asks for: all, where it names none. What is refused
// here is refused by the type of the request alone, before an element of a tensor is looked at: an id that is no
// text, a parameter that is a list, an output that the model has not or that is asked for twice.
func parseInference(body []byte) (*inferRequest, []output, *problem) {
	request := new(inferRequest)
	if err := json.Unmarshal(body, request); err != nil {
		return nil, nil, notRequest(err)
	}
	if request.ID != nil && request.ID.Kind() != '"' {
		return nil, nil, badTensor("id", "it is a text")
	}
	for _, t := range append([]tensor{{Parameters: request.Parameters}}, request.Inputs...) {
		if !areParameters(t.Parameters) {
			return nil, nil, badTensor(t.Name, "parameters are an object of texts, numbers and booleans")
		}
	}
	if request.Outputs == nil {
		return request, outputs, nil
	}
	var asked []wanted
	if err := json.Unmarshal(request.Outputs, &asked); err != nil || request.Outputs.Kind() != '[' {
		return nil, nil, badTensor("outputs", "they are a list of objects with a name")
	}
	var picked []output
	for _, a := range asked {
		i := slices.IndexFunc(outputs, func(o output) bool { return o.name == a.Name })
		switch {
		case i < 0:
			return nil, nil, badTensor("outputs", "the model has no such output: it has score, predicted, is_fraud, decision and decision_id")
		case slices.ContainsFunc(picked, func(o output) bool { return o.name == a.Name }):
			return nil, nil, badTensor("outputs", "%s is asked for twice", a.Name)
		case !areParameters(a.Parameters):
			return nil, nil, badTensor("outputs", "parameters are an object of texts, numbers and booleans")
		}
		picked = append(picked, outputs[i])
	}
	if len(picked) == 0 {
		picked = outputs
	}
	return request, picked, nil
}

// notRequest says where a body stops being a request, and not what stands there.
func notRequest(err error) *problem {
	message := "the body is no inference request"
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		message = fmt.Sprintf("the body is not strict JSON at byte %d", e.ByteOffset+1)
	} else if e, ok := errors.AsType[*json.SemanticError](err); ok {
		message += fmt.Sprintf(": a value of another type is wanted at byte %d", e.ByteOffset+1)
	}
	return &problem{http.StatusBadRequest, fault{Code: scoring.BadJSON, Message: message}}
}

// areParameters tells whether a value is an object of texts, numbers and booleans. The protocol defines no parameter
// and neither does this door; binary_data, of which some clients ask, is false in all that it answers. No value of a
// parameter is read; they are looked at so that a client hears of a request that is malformed, and not later of an
// answer that it did not expect.
func areParameters(value jsontext.Value) bool {
	if value == nil {
		return true
	}
	var all map[string]jsontext.Value
	if value.Kind() != '{' || json.Unmarshal(value, &all) != nil {
		return false
	}
	for _, v := range all {
		if kind := v.Kind(); kind == '{' || kind == '[' || kind == 'n' {
			return false
		}
	}
	return true
}

// refusedRows is the problem of the first row that has no score; nil where all have one. Rows are counted from 0
// here, as the elements of a tensor are. A plain scorer has no condition that leaves events out, so what is not
// decided is refused and has its error.
func refusedRows(results []scoring.Result) *problem {
	for i := range results {
		r := &results[i]
		if r.Outcome != scoring.Decided {
			return &problem{http.StatusBadRequest, fault{r.Err.Code, r.Err.Field, fmt.Sprintf("row %d: %s", i, r.Err.Message)}}
		}
	}
	return nil
}

// An output is a tensor that the model gives, of the shape [N]. The datatype depends on the model, since labels are
// numbers with one and texts with another; append writes one element as JSON.
type output struct {
	name     string
	datatype func(*program.Program) string
	append   func(dst []byte, p *program.Program, d *scoring.Decision) []byte
}

// outputs are all of them, in the order in which they are given to whoever names none. A request may pick among them
// and order them as it likes. Scores are written with as many digits as it takes to read the same float64 back.
var outputs = []output{
	{"score", always("FP64"), func(dst []byte, _ *program.Program, d *scoring.Decision) []byte {
		return strconv.AppendFloat(dst, d.Score, 'g', -1, 64)
	}},
	{"predicted", classType, func(dst []byte, p *program.Program, d *scoring.Decision) []byte {
		class := p.Classes[d.Class]
		switch classType(p) {
		case "INT64":
			return strconv.AppendInt(dst, int64(class.Num), 10)
		case "FP64":
			return strconv.AppendFloat(dst, class.Num, 'g', -1, 64)
		case "BOOL":
			return strconv.AppendBool(dst, class.Num != 0)
		}
		return appendText(dst, class.String())
	}},
	{"is_fraud", always("BOOL"), func(dst []byte, _ *program.Program, d *scoring.Decision) []byte {
		return strconv.AppendBool(dst, d.IsFraud)
	}},
	{"decision", always("BYTES"), func(dst []byte, _ *program.Program, d *scoring.Decision) []byte {
		return appendText(dst, d.Verdict.String())
	}},
	{"decision_id", always("BYTES"), func(dst []byte, _ *program.Program, d *scoring.Decision) []byte {
		return appendText(dst, string(d.AppendID(nil)))
	}},
}

// always is the datatype of an output whose type no model changes.
func always(datatype string) func(*program.Program) string {
	return func(*program.Program) string { return datatype }
}

// classType is the datatype of class labels: that of their common type, else BYTES. Whole numbers and others mixed
// are FP64, in which all of them can be written; a truth value beside anything else makes them BYTES, the one type
// that can hold both.
func classType(p *program.Program) string {
	found := ""
	for _, c := range p.Classes {
		one := "BYTES"
		switch {
		case c.Type == program.Bool:
			one = "BOOL"
		case c.Type == program.Number && c.Num == float64(int64(c.Num)):
			one = "INT64"
		case c.Type == program.Number:
			one = "FP64"
		}
		switch {
		case found == "" || found == one:
			found = one
		case found != "BYTES" && one != "BYTES" && found != "BOOL" && one != "BOOL":
			found = "FP64"
		default:
			return "BYTES"
		}
	}
	return found
}

// appendText appends a JSON text.
func appendText(dst []byte, text string) []byte {
	quoted, err := jsontext.AppendQuote(dst, text)
	if err != nil {
		return appendJSON(dst, text) // no UTF-8: what cannot be written is replaced
	}
	return quoted
}

// appendInference appends the response. The hash of the model file stands in the parameters, the one place that the
// protocol leaves open: with it, whoever keeps answers can tell later which model gave them, as with the decisions on
// the topic. The id of the request goes back as it was written, without being decoded.
func (s *Server) appendInference(dst []byte, request *inferRequest, outputs []output, results []scoring.Result) []byte {
	bundle, compiled := &s.options.Scorer.Bundle, s.options.Scorer.Program
	dst = appendText(append(dst, `{"model_name":`...), bundle.Name)
	dst = appendText(append(dst, `,"model_version":`...), bundle.Version)
	if request.ID != nil {
		dst = append(append(dst, `,"id":`...), request.ID...)
	}
	dst = appendText(append(dst, `,"parameters":{"sha256":`...), bundle.SHA256)
	dst = append(dst, `},"outputs":[`...)
	for i, o := range outputs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = fmt.Appendf(dst, `{"name":%q,"datatype":%q,"shape":[%d],"data":[`, o.name, o.datatype(compiled), len(results))
		for row := range results {
			if row > 0 {
				dst = append(dst, ',')
			}
			dst = o.append(dst, compiled, &results[row].Decision)
		}
		dst = append(dst, ']', '}')
	}
	return append(dst, ']', '}', '\n')
}
