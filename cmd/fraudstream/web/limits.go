package web

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"fraudstream/scoring"
)

// Limits bound what callers can take. A zero is the default.
type Limits struct {
	Body       int64 // bytes of a request; default and largest value of an event: 1 MiB
	Rows       int   // events of a request; default 1,000
	Concurrent int   // requests to score that are under way at a time, from their first byte to the last; default 64
}

// The defaults, and what a header may take: a token, a trace and the headers of a proxy are far below.
const (
	DefaultBody       = 1 << 20
	DefaultRows       = 1000
	DefaultConcurrent = 64

	maxHeader = 16 << 10
)

// withDefaults fills what was left out.
func (l Limits) withDefaults() Limits {
	return Limits{cmp.Or(l.Body, DefaultBody), cmp.Or(l.Rows, DefaultRows), cmp.Or(l.Concurrent, DefaultConcurrent)}
}

// retryAfter is what a caller who found no place is told, in seconds. Scoring takes milliseconds, so a place is free
// again long before; but a second is the smallest number that the header can say.
const retryAfter = "1"

// A place is the right to have one request under way, with the buffers for its body and its answer. A request has a
// place from before its body is read until its answer is written; the worker that scores it is taken only in between,
// so a client that sends or reads slowly holds a place and never a worker.
type place struct {
	body, answer []byte
}

// keptBuffer is the largest buffer that a place keeps for its next request: the memory of a crowd of large requests is
// given back when it has gone.
const keptBuffer = 64 << 10

// newPlaces fills the channel. The places are small until somebody uses them.
func newPlaces(n int) chan *place {
	places := make(chan *place, n)
	for range n {
		places <- new(place)
	}
	return places
}

// take returns a place, or nil where all are taken: whoever comes then is told to come back, instead of waiting in a
// queue that nobody sees and that grows while the caller's patience runs out.
func (s *Server) take() *place {
	select {
	case p := <-s.places:
		return p
	default:
		return nil
	}
}

// leave gives a place back.
func (s *Server) leave(p *place) {
	if cap(p.body) > keptBuffer {
		p.body = nil
	}
	if cap(p.answer) > keptBuffer {
		p.answer = nil
	}
	s.places <- p
}

// read reads the body of a request into its place. What is over the limit is returned as far as it was read, with the
// error that says so; a client that has stopped sending is another error.
func (s *Server) read(w http.ResponseWriter, r *http.Request, p *place) ([]byte, *problem) {
	limited := http.MaxBytesReader(w, r.Body, s.limits.Body)
	p.body = p.body[:0]
	// What is said to come is not believed before it comes: a header alone must not cost a megabyte.
	if n := min(r.ContentLength+1, keptBuffer); n > int64(cap(p.body)) {
		p.body = make([]byte, 0, n)
	}
	for {
		if len(p.body) == cap(p.body) {
			p.body = append(p.body, 0)[:len(p.body)]
		}
		n, err := limited.Read(p.body[len(p.body):cap(p.body)])
		p.body = p.body[:len(p.body)+n]
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return p.body, nil
		default:
			return p.body, s.unread(err)
		}
	}
}

// unread says why a body was not read to its end.
func (s *Server) unread(err error) *problem {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		message := fmt.Sprintf("the body is over %d bytes; send fewer events at a time", s.limits.Body)
		return &problem{http.StatusRequestEntityTooLarge, fault{Code: scoring.TooLarge, Message: message}}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &problem{http.StatusRequestTimeout, fault{Code: codeTimeout, Message: "the body did not arrive in time"}}
	}
	return &problem{http.StatusBadRequest, fault{Code: scoring.BadJSON, Message: "the body could not be read to its end"}}
}

// tooManyRows refuses a request for the number of its events.
func (s *Server) tooManyRows() *problem {
	message := fmt.Sprintf("a request has at most %d events; send fewer at a time", s.limits.Rows)
	return &problem{http.StatusRequestEntityTooLarge, fault{Code: scoring.TooLarge, Message: message}}
}

// The kinds of content that /predict reads.
type content uint8

const (
	jsonContent content = iota
	csvContent
	otherContent
)

// contentOf tells what a request says it sends. Nothing said is JSON; so is a form, because that is what curl -d says
// of whatever it sends, and no form could be a JSON object. Another character set than UTF-8 would be misread, and what is
// compressed is not read: a limit on its bytes would say nothing of what comes out.
func contentOf(r *http.Request) content {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return otherContent
	}
	header := r.Header.Get("Content-Type")
	if header == "" || header == "application/json" {
		return jsonContent
	}
	kind, parameters, err := mime.ParseMediaType(header)
	if set := parameters["charset"]; err != nil || set != "" && !strings.EqualFold(set, "utf-8") {
		return otherContent
	}
	switch {
	case kind == "application/json", kind == "application/x-www-form-urlencoded",
		strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"):
		return jsonContent
	case kind == "text/csv":
		return csvContent
	}
	return otherContent
}
