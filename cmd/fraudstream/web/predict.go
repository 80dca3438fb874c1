package web

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"fraudstream/drift"
	"fraudstream/scoring"
)

// maxBody bounds a request, and with it the number of events in one.
const maxBody = 1 << 20

// A worker is the scratch of one request: as many requests are scored at a time as there are workers. It
// belongs to the request that took it out of the channel until that request puts it back, so nothing in it
// needs a lock. The buffers keep the size of the largest request they have met, which maxBody bounds.
type worker struct {
	batch  *scoring.Batch
	shard  *drift.Shard // nil: not observed
	ticked func(drift.Tick)
	out    []byte
}

// newWorkers fills the channel: two for each processor, so that one can be scored while another is written to
// its client.
func newWorkers(o Options) chan *worker {
	n := 2 * runtime.GOMAXPROCS(0)
	workers := make(chan *worker, n)
	for range n {
		w := &worker{batch: o.Scorer.NewBatch(64)}
		if o.Observe {
			w.shard, w.ticked = o.Monitor.Shard(""), o.Ticked
		}
		workers <- w
	}
	return workers
}

// predict answers one event with 200 or 400, an array of events with 200 and a status each.
func (s *Server) predict(w http.ResponseWriter, r *http.Request) {
	id := requestID(r)
	w.Header().Set("X-Request-Id", id)
	w.Header().Set("Content-Type", "application/json")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			refuseLarge(w, body)
			return
		}
		refuse(w, http.StatusBadRequest, "bad_json", "the body could not be read to its end")
		return
	}
	reasons := s.options.Scorer.Reasons()
	if word := r.URL.Query().Get("reasons"); word != "" {
		if err := reasons.UnmarshalText([]byte(word)); err != nil {
			refuseField(w, "wrong_type", "reasons", "the query parameter is flagged, all or none")
			return
		}
	}
	events, single, err := split(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_json", "the body is neither a JSON object nor an array of objects")
		return
	}

	// The body has been read by now: a client that sends slowly must not hold a worker meanwhile.
	worker := <-s.workers
	defer func() { s.workers <- worker }()
	worker.batch.Reasons = reasons
	worker.score(s.options.Scorer, id, events)
	status := http.StatusOK
	if single && worker.batch.Results[0].Outcome == scoring.Refused {
		status = http.StatusBadRequest
	}
	w.WriteHeader(status)
	_, _ = w.Write(worker.render(single)) // a client that has gone needs no answer
}

// refuseLarge answers a body that is over the limit, of which begun was read. One event is refused as any other bad
// event is; of an array it is the request that is too large.
func refuseLarge(w http.ResponseWriter, begun []byte) {
	if isArray(begun) {
		refuse(w, http.StatusRequestEntityTooLarge, "too_large", "the body is over 1 MiB; send fewer events at a time")
		return
	}
	refuse(w, http.StatusBadRequest, "too_large", "the value is over 1 MiB")
}

// isArray tells by its first byte whether a body is to be an array. The white space that may come before it is
// that of RFC 8259, four characters and no more.
func isArray(body []byte) bool {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '['
}

// split cuts an array into its elements and leaves everything else whole: what an event may be is the corridor's
// business, so names that come twice and invalid UTF-8 pass here and are found there, event by event.
func split(body []byte) (events [][]byte, single bool, err error) {
	if !isArray(body) {
		return [][]byte{body}, true, nil
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := decoder.ReadToken(); err != nil {
		return nil, false, err
	}
	for decoder.PeekKind() != ']' {
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, false, err
		}
		// The decoder reuses its buffer, and the events must all be there at once.
		events = append(events, bytes.Clone(value))
	}
	if _, err := decoder.ReadToken(); err != nil {
		return nil, false, err
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, false, errors.New("text after the array")
	}
	return events, false, nil
}

// score runs the corridor over the events of one request and tells the monitor, if there is one to tell.
//
// Refused events are told as well, with what of them could be read: a field that has begun to arrive as text is
// the drift that matters most. An event whose value is no JSON has no row, and the monitor has nothing to look
// at. The times are Unix milliseconds there and nanoseconds here.
func (w *worker) score(scorer *scoring.Scorer, id string, events [][]byte) {
	w.batch.Events = w.batch.Events[:0]
	for i, value := range events {
		w.batch.Events = append(w.batch.Events, scoring.Event{
			Value:  value,
			Origin: scoring.Origin{Request: id, Index: i + 1},
		})
	}
	scorer.Score(w.batch)
	if w.shard == nil {
		return
	}
	for i := range w.batch.Results {
		r := &w.batch.Results[i]
		if r.X == nil || r.Outcome == scoring.Skipped {
			continue
		}
		at := r.Time / 1_000_000
		if r.Outcome == scoring.Refused {
			w.shard.ObserveRefused(r.X, string(r.Err.Code), r.Feature, at)
			continue
		}
		w.shard.Observe(r.X, r.Decision.Score, at)
	}
	// A request may be the last one for hours, so what it says of the traffic is handed over at once and not
	// with the next.
	w.shard.Flush()
	if tick, closed := w.shard.CloseTick(time.Now()); closed && w.ticked != nil {
		w.ticked(tick)
	}
}

// render writes the results of the last request into the worker's buffer.
func (w *worker) render(single bool) []byte {
	w.out = w.out[:0]
	if !single {
		w.out = append(w.out, '[')
	}
	for i := range w.batch.Results {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = appendResult(w.out, &w.batch.Results[i])
	}
	if !single {
		w.out = append(w.out, ']')
	}
	w.out = append(w.out, '\n')
	return w.out
}

// appendResult appends what became of one event: a prediction, the word skipped where the filter of the mapping
// leaves it out, or an error.
func appendResult(dst []byte, r *scoring.Result) []byte {
	switch r.Outcome {
	case scoring.Decided:
		return r.Decision.AppendPrediction(dst)
	case scoring.Skipped:
		return append(dst, `{"status":"skipped"}`...)
	default:
		return appendError(dst, string(r.Err.Code), r.Err.Field, r.Err.Message)
	}
}

// appendError appends the error object of the contract.
func appendError(dst []byte, code, field, message string) []byte {
	type fault struct {
		Code    string `json:"code"`
		Field   string `json:"field"`
		Message string `json:"message"`
	}
	text, err := json.Marshal(struct {
		Status string `json:"status"`
		Error  fault  `json:"error"`
	}{"error", fault{code, field, message}})
	if err != nil {
		panic(err) // three strings always marshal
	}
	return append(dst, text...)
}

// refuseField refuses a request for one of its parameters.
func refuseField(w http.ResponseWriter, code, field, message string) {
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(append(appendError(nil, code, field, message), '\n')) // a client that has gone needs no answer
}

// refuse answers a request that failed as a whole; no field of any event is at fault.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	_, _ = w.Write(append(appendError(nil, code, "", message), '\n')) // a client that has gone needs no answer
}

// requestID takes the caller's id where it is one that can stand in a decision id, else makes one. Letters,
// digits and the signs - _ . are allowed, 128 of them at most: the id becomes a part of log lines and of
// decision ids, whose parts are divided by slashes. A made one has 128 random bits or more, so two processes
// need not agree on who counts.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if len(id) > 0 && len(id) <= 128 && !bytes.ContainsFunc([]byte(id), func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.'
	}) {
		return id
	}
	return rand.Text()
}
