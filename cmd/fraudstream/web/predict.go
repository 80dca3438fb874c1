package web

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"fraudstream/scoring"
)

// predict answers one event with 200 or 400, an array of events and a CSV table with 200 and a status each. The order
// of the checks is that of their price: what headers and query say is refused before a byte of the body is read, and
// a body that is too large before a worker is taken.
func (s *Server) predict(w http.ResponseWriter, r *http.Request, p *place) {
	kind := contentOf(r)
	if kind == otherContent || kind == csvContent && s.options.Table == nil {
		w.Header().Set("Accept", "application/json, text/csv")
		w.Header().Set("Accept-Encoding", "identity")
		s.fail(w, r, http.StatusUnsupportedMediaType, fault{Code: codeMediaType, Message: "send application/json or text/csv, in UTF-8 and not compressed"})
		return
	}
	reasons, failed := s.reasonsOf(r)
	if failed != nil {
		s.fail(w, r, failed.status, failed.fault)
		return
	}
	body, failed := s.read(w, r, p)
	if failed != nil {
		s.fail(w, r, failed.status, failed.fault)
		return
	}
	status, failed := s.answerPrediction(p, idOf(w), body, kind, told(r), reasons)
	if failed != nil {
		s.fail(w, r, failed.status, failed.fault)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(p.answer) // a client that has gone needs no answer
}

// reasonsOf are those that the query asks for, once at most, else those that the model was loaded with. A word that
// is not known is refused and not passed over: an analyst who asks for reasons with a slip of the pen would else take
// their absence for an answer. Other parameters of the query are let pass.
func (s *Server) reasonsOf(r *http.Request) (scoring.Reasons, *problem) {
	reasons := s.options.Scorer.Reasons()
	if r.URL.RawQuery == "" {
		return reasons, nil
	}
	words, asked := r.URL.Query()["reasons"]
	if asked && (len(words) > 1 || reasons.UnmarshalText([]byte(words[0])) != nil) {
		return reasons, &problem{http.StatusBadRequest, fault{scoring.WrongType, "reasons", "the query parameter is flagged, all or none"}}
	}
	return reasons, nil
}

// told is what the headers say of CloudEvents, in the names of their binding to HTTP. In a batch, each event is a
// whole one. A version that is sent twice counts by the first of the two. Formats of events other than CloudEvents
// ask for none of this.
func told(r *http.Request) scoring.Content {
	mediaType, version := r.Header.Get("Content-Type"), r.Header.Values("Ce-Specversion")
	switch {
	case strings.HasPrefix(strings.ToLower(mediaType), "application/cloudevents-batch+json"):
		return scoring.Structured
	case len(version) == 0:
		return scoring.ContentOf([]byte(mediaType), nil)
	default:
		return scoring.ContentOf([]byte(mediaType), []byte(version[0]))
	}
}

// answerPrediction scores a body and leaves the answer in the place. The worker is there only for that long. The
// status is that of the answer in the place, and counts only where there is no problem. Waiting for a worker is
// bounded: whoever has one holds it for the time of scoring and never waits for a client.
func (s *Server) answerPrediction(p *place, id string, body []byte, kind content, told scoring.Content, reasons scoring.Reasons) (status int, failed *problem) {
	worker := <-s.workers
	defer func() { s.workers <- worker }()
	if kind == csvContent {
		return http.StatusOK, s.predictTable(worker, p, id, body, reasons)
	}
	single := !isArray(body)
	if single {
		worker.events = append(worker.events[:0], body)
	} else if failed := s.split(worker, body); failed != nil {
		return 0, failed
	}
	results := worker.score(s.options.Scorer, id, worker.events, nil, told, reasons)
	p.answer = appendResults(p.answer[:0], results, single)
	if single && results[0].Outcome == scoring.Refused {
		return http.StatusBadRequest, nil
	}
	return http.StatusOK, nil
}

// isArray tells by its first byte whether a body is to be an array. The white space that may come before it is
// that of RFC 8259, four characters and no more.
func isArray(body []byte) bool {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '['
}

// split cuts an array into its elements: what an event may be is the corridor's business, so names that come twice
// and invalid UTF-8 pass here and are found there, event by event. The events are views of the body. An array of more
// than Limits.Rows elements is refused as a whole before anything is scored: to score the first thousand and drop the
// rest would be a loss that looks like success. Depth is bounded by the decoder, at 10,000 levels.
func (s *Server) split(w *worker, body []byte) *problem {
	bad := &problem{http.StatusBadRequest, fault{Code: scoring.BadJSON, Message: "the body is neither a JSON object nor an array of objects"}}
	w.events = w.events[:0]
	buffer := bytes.NewBuffer(body) // a *bytes.Buffer is decoded in place
	decoder := jsontext.NewDecoder(buffer, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := decoder.ReadToken(); err != nil {
		return bad
	}
	for decoder.PeekKind() != ']' {
		value, err := decoder.ReadValue()
		if err != nil {
			return bad
		}
		if len(w.events) == s.limits.Rows {
			return s.tooManyRows()
		}
		end := decoder.InputOffset()
		w.events = append(w.events, body[end-int64(len(value)):end])
	}
	if _, err := decoder.ReadToken(); err != nil {
		return bad
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return bad
	}
	return nil
}

// appendResults appends what became of the events: one object where one came alone, else an array, in the order of
// the request and with as many elements as it had, so that the n-th answer is that of the n-th event.
func appendResults(dst []byte, results []scoring.Result, single bool) []byte {
	if single {
		return append(appendResult(dst, &results[0]), '\n')
	}
	dst = append(dst, '[')
	for i := range results {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendResult(dst, &results[i])
	}
	return append(dst, ']', '\n')
}

// appendResult appends what became of one event: a prediction, the word skipped with the reason, by the same words as
// in the metric fraudstream_events_skipped_total, or an error. The error names code and field, and never the value.
func appendResult(dst []byte, r *scoring.Result) []byte {
	switch r.Outcome {
	case scoring.Decided:
		return r.Decision.AppendPrediction(dst)
	case scoring.Skipped:
		return append(append(append(dst, `{"status":"skipped","reason":"`...), r.Skip.String()...), `"}`...)
	default:
		return appendFault(dst, fault{r.Err.Code, r.Err.Field, r.Err.Message})
	}
}
