package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"fraudstream/cmd/fraudstream/privacy"
	"fraudstream/scoring"
)

// The codes of errors that are the request's and not an event's. Those of events are scoring's.
const (
	codeNotFound     scoring.Code = "not_found"
	codeMethod       scoring.Code = "method_not_allowed"
	codeMediaType    scoring.Code = "unsupported_media_type"
	codeUnauthorized scoring.Code = "unauthorized"
	codeBusy         scoring.Code = "too_many_requests"
	codeTimeout      scoring.Code = "timeout"
	codeInternal     scoring.Code = "internal"
)

// A fault is the error object of the contract. Field is empty where no field of an event and no parameter is at fault.
type fault struct {
	Code    scoring.Code `json:"code"`
	Field   string       `json:"field"`
	Message string       `json:"message"`
}

// problem is a fault with its status, as it travels up to the handler that answers. Functions that may refuse a
// request return one, or nil, and write nothing: only the handler at the top knows the form of the answer, and only
// there is it written, once.
type problem struct {
	status int
	fault
}

// Error says what the answer says.
func (p *problem) Error() string { return fmt.Sprintf("%s: %s", p.Code, p.Message) }

// fail answers a request that failed as a whole, in the form that its caller understands: that of the Open Inference
// Protocol below /v2, that of the contract everywhere else.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, f fault) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	text := appendFault(nil, f)
	if r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/") {
		text = appendInferError(nil, f)
	}
	_, _ = w.Write(append(text, '\n')) // a client that has gone needs no answer
}

// masked is the fault without card numbers: a name that the caller made up may be one, and answers are logged.
func (f fault) masked() fault {
	mask := privacy.New(privacy.Options{})
	f.Field, f.Message = mask.Text(f.Field), mask.Text(f.Message)
	return f
}

// appendFault appends the error object of the contract, masked.
func appendFault(dst []byte, f fault) []byte {
	return appendJSON(dst, struct {
		Status string `json:"status"`
		Error  fault  `json:"error"`
	}{"error", f.masked()})
}

// appendInferError appends the error object of the protocol, masked, which has one text. The order is code, field,
// message, so that a program may split off what stands before the first colon and a person can read the line.
func appendInferError(dst []byte, f fault) []byte {
	f = f.masked()
	text := string(f.Code)
	if f.Field != "" {
		text += ": " + f.Field
	}
	return appendJSON(dst, struct {
		Error string `json:"error"`
	}{text + ": " + f.Message})
}

// appendJSON appends a value that always marshals: texts, numbers and lists of them.
func appendJSON(dst []byte, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return append(dst, text...)
}
