package web

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// guarded puts in front of a route what its line in the table asks for. The token comes before anything else, so that a
// stranger cannot fill the places of those that are under way.
func (s *Server) guarded(route route) http.HandlerFunc {
	handle := route.handle
	if route.dear {
		handle = s.few(handle)
	}
	if s.asksToken(route) {
		handle = s.authorised(handle)
	}
	return s.measured(route, handle)
}

// bounded gives a handler a place, and answers 429 where all are taken, before a byte of the body is read.
func (s *Server) bounded(handle func(http.ResponseWriter, *http.Request, *place)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := s.take()
		if p == nil {
			s.busy(w, r)
			return
		}
		defer s.leave(p)
		handle(w, r, p)
	}
}

// busy tells a caller to come back.
func (s *Server) busy(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", retryAfter)
	s.fail(w, r, http.StatusTooManyRequests, fault{Code: codeBusy, Message: "as many requests are under way as are allowed; try again in a second"})
}

// atOnce is how many answers of a dear route are made at a time: a pair of Prometheus servers, some dashboards and a
// person are fewer, and a crowd must not take the processors from the stream.
const atOnce = 8

// few answers 429 while atOnce requests of the route are under way. They have places of their own, so that a crowd of
// predictions hides no metrics.
func (s *Server) few(handle http.HandlerFunc) http.HandlerFunc {
	places := make(chan struct{}, atOnce)
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
		default:
			s.busy(w, r)
			return
		}
		defer func() { <-places }()
		handle(w, r)
	}
}

// authorised asks for the bearer token, where there is one. Hashes of both are compared, in constant time, so that how
// long it takes tells neither a byte nor the length of the token.
func (s *Server) authorised(handle http.HandlerFunc) http.HandlerFunc {
	if s.options.Token == "" {
		return handle
	}
	want := sha256.Sum256([]byte(s.options.Token))
	return func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(strings.TrimLeft(token, " ")))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(want[:], got[:]) == 0 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="fraudstream"`)
			s.fail(w, r, http.StatusUnauthorized, fault{Code: codeUnauthorized, Message: "send the token of the configuration: Authorization: Bearer TOKEN"})
			return
		}
		handle(w, r)
	}
}

// identified gives every request its id, before anything else is decided about it. The answer carries it.
func identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(requestIDHeader, requestID(r))
		// No answer of this door is a page that a browser should guess at.
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

const requestIDHeader = "X-Request-Id"

// idOf is the id that identified gave to the request of this answer.
func idOf(w http.ResponseWriter) string { return w.Header().Get(requestIDHeader) }

// requestID takes the caller's id where it is one that can stand in a decision id, else makes one. Letters,
// digits and the signs - _ . are allowed, 128 of them at most: the id becomes a part of log lines and of
// decision ids, whose parts are divided by slashes. A made one has 128 random bits or more, so two processes
// need not agree on who counts.
func requestID(r *http.Request) string {
	id := r.Header.Get(requestIDHeader)
	if len(id) > 0 && len(id) <= 128 && !bytes.ContainsFunc([]byte(id), func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.'
	}) {
		return id
	}
	return rand.Text()
}

// measured counts the requests of a route and, at the level of debugging, says each in the log. A failure of ours is
// said at any level. Neither has anything of the body, of the query or of the headers.
func (s *Server) measured(route route, handle http.HandlerFunc) http.HandlerFunc {
	if route.endless {
		return handle
	}
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		answer := &answerStatus{ResponseWriter: w, status: http.StatusOK}
		handle(answer, r)
		took := time.Since(began)
		s.requests.observe(route.path, answer.status, took)
		level := slog.LevelDebug
		if answer.status >= http.StatusInternalServerError && !route.open { // a probe that is told no is no failure
			level = slog.LevelError
		}
		if s.options.Log.Enabled(r.Context(), level) {
			s.options.Log.LogAttrs(r.Context(), level, "request", slog.String("id", idOf(w)), slog.String("method", r.Method),
				slog.String("route", route.path), slog.Int("status", answer.status), slog.Duration("took", took))
		}
	}
}
