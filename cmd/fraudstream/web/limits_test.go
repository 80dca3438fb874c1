package web

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"fraudstream/cmd/fraudstream/web/console"
	"fraudstream/scoring"
)

// A body that is too large, of either kind and with or without a length, is refused before it is all read; so are too
// many events, in every form.
func TestLimits(t *testing.T) {
	s := newCards(t, func(o *Options) {
		o.Limits, o.Table = Limits{Body: 4096, Rows: 3}, commaTable(o.Scorer)
	})
	door := checked(t, s.http.Handler, "")
	for name, c := range map[string]struct{ path, media, body string }{
		"one event":       {"/predict", "", `{"a":"` + strings.Repeat("x", 4096) + `"}`},
		"an array":        {"/predict", "", `["` + strings.Repeat("x", 4096) + `"]`},
		"four events":     {"/predict", "", `[1,2,3,4]`},
		"four rows":       {"/predict", "text/csv", "a\n1\n2\n3\n4\n"},
		"tensors":         {"/v2/models/card-fraud/infer", "", `{"inputs":[{"name":"` + strings.Repeat("x", 4096) + `"}]}`},
		"rows of tensors": {"/v2/models/card-fraud/infer", "", `{"inputs":[{"name":"amount","shape":[4],"datatype":"FP64","data":[1,2,3,4]}]}`},
	} {
		for _, length := range []int64{int64(len(c.body)), -1} {
			request := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
			request.ContentLength = length
			request.Header.Set("Content-Type", c.media)
			recorder := httptest.NewRecorder()
			door.ServeHTTP(recorder, request)
			if recorder.Code != http.StatusRequestEntityTooLarge || !strings.Contains(recorder.Body.String(), "too_large") {
				t.Errorf("%s: %d, %s", name, recorder.Code, recorder.Body)
			}
		}
	}
	for _, body := range []string{`[1,2,3]`, " [ ] "} {
		if r := ask(t, door, "POST", "/predict", body, nil); r.StatusCode != 200 {
			t.Errorf("%s: %d", body, r.StatusCode)
		}
	}
}

// Where all places are taken, the next caller is told when to come back, and its body stays unread. Probes and metrics
// need no place.
func TestBusy(t *testing.T) {
	s := newCards(t, func(o *Options) { o.Limits = Limits{Concurrent: 2} })
	door := checked(t, s.http.Handler, "")
	first, second := s.take(), s.take()
	for _, path := range []string{"/predict", "/v2/models/card-fraud/infer"} {
		body := &countedReader{}
		recorder := httptest.NewRecorder()
		door.ServeHTTP(recorder, httptest.NewRequest("POST", path, body))
		if recorder.Code != http.StatusTooManyRequests || recorder.Header().Get("Retry-After") != "1" || body.n > 0 {
			t.Errorf("%s: %d after %d bytes, %s", path, recorder.Code, body.n, recorder.Body)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/drift", "/openapi.json", "/v2/health/live"} {
		if r := ask(t, door, "GET", path, "", nil); r.StatusCode != 200 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	s.leave(first)
	if r := ask(t, door, "POST", "/predict", `[]`, nil); r.StatusCode != 200 {
		t.Errorf("with a place: %d", r.StatusCode)
	}
	s.leave(second)
	if len(s.places) != 2 {
		t.Errorf("%d places of 2 came back", len(s.places))
	}
}

// Of what is dear to make, eight are under way at a time: the next caller is told when to come back, other routes go on,
// and whoever has no token takes no place.
func TestFew(t *testing.T) {
	const token = "a token of sixteen"
	waiting, release := make(chan struct{}), make(chan struct{})
	s := newCards(t, func(o *Options) {
		o.Token, o.ProtectMetrics = token, true
		o.Gatherer = prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
			waiting <- struct{}{}
			<-release
			return nil, nil
		})
	})
	door := checked(t, s.http.Handler, token)
	get := func(path, token string) *httptest.ResponseRecorder {
		request, recorder := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
		request.Header.Set("Authorization", "Bearer "+token)
		door.ServeHTTP(recorder, request)
		return recorder
	}
	var crowd sync.WaitGroup
	for range atOnce {
		crowd.Go(func() {
			if r := get("/metrics", token); r.Code != http.StatusOK {
				t.Errorf("with a place: %d", r.Code)
			}
		})
		<-waiting
	}
	if r := get("/metrics", token); r.Code != http.StatusTooManyRequests || r.Header().Get("Retry-After") != "1" {
		t.Errorf("one more: %d, %v", r.Code, r.Header())
	}
	if r := get("/metrics", "another token"); r.Code != http.StatusUnauthorized {
		t.Errorf("a stranger: %d", r.Code)
	}
	if r := get("/drift", token); r.Code != http.StatusOK {
		t.Errorf("another route: %d", r.Code)
	}
	close(release)
	crowd.Wait()
	go func() { <-waiting }()
	if r := get("/metrics", token); r.Code != http.StatusOK {
		t.Errorf("after the crowd: %d", r.Code)
	}
}

// Which routes are dear: all that a report or a registry is gathered for.
func TestDearRoutes(t *testing.T) {
	s := newCards(t, func(o *Options) { o.Console = console.New(console.Options{}) })
	var dear []string
	for _, r := range s.routes() {
		if r.dear {
			dear = append(dear, r.path)
		}
	}
	slices.Sort(dear)
	if want := []string{"/console/state", "/drift", "/metrics"}; !slices.Equal(dear, want) {
		t.Errorf("%q, want %q", dear, want)
	}
}

type countedReader struct{ n int }

func (r *countedReader) Read(p []byte) (int, error) {
	r.n += len(p)
	return 0, io.EOF
}

// A place keeps the buffers of small requests and gives those of large ones back.
func TestPlacesStaySmall(t *testing.T) {
	s := newCards(t, func(o *Options) { o.Limits = Limits{Concurrent: 1} })
	ask(t, s.http.Handler, "POST", "/predict", `["`+strings.Repeat("x", 1<<19)+`"]`, nil)
	p := s.take()
	if cap(p.body) > keptBuffer || cap(p.answer) > keptBuffer {
		t.Errorf("%d and %d bytes are kept", cap(p.body), cap(p.answer))
	}
}

// TestRules is what the door makes of methods, paths and types of content.
func TestRules(t *testing.T) {
	door := checked(t, newCards(t, func(o *Options) { o.Table = commaTable(o.Scorer) }).http.Handler, "")
	for _, c := range []struct {
		method, path, media string
		status              int
		allow               string
	}{
		{"GET", "/predict", "", 405, "OPTIONS, POST"},
		{"HEAD", "/predict", "", 405, "OPTIONS, POST"},
		{"OPTIONS", "/predict", "", 204, "OPTIONS, POST"},
		{"DELETE", "/healthz", "", 405, "GET, HEAD, OPTIONS"},
		{"OPTIONS", "/v2", "", 204, "GET, HEAD, OPTIONS"},
		{"GET", "/v2/models/card-fraud/infer", "", 405, "OPTIONS, POST"},
		{"HEAD", "/healthz", "", 200, ""},
		{"GET", "/nothing", "", 404, ""},
		{"POST", "/predict/", "", 404, ""},
		{"POST", "//predict", "", 404, ""},
		{"POST", "/x/../predict", "", 404, ""},
		{"GET", "//", "", 404, ""},
		{"GET", "///", "", 404, ""},
		{"GET", "/./", "", 404, ""},
		{"GET", "/v2//", "", 404, ""},
		{"GET", "/v2/models/other", "", 404, ""},
		{"GET", "/v2/models/card-fraud/versions/2", "", 404, ""},
		{"GET", "/v2/models/card-fraud/versions/2026-11-01/ready", "", 200, ""},
		{"GET", "/debug/pprof/", "", 404, ""},
		{"PUT", "/log-level", "", 404, ""},
		{"POST", "/predict", "application/json; charset=UTF-8", 200, ""},
		{"POST", "/predict", "application/x-www-form-urlencoded", 200, ""},
		{"POST", "/predict", "application/cloudevents+json", 200, ""},
		{"POST", "/predict", "application/json; charset=latin1", 415, ""},
		{"POST", "/predict", "text/plain", 415, ""},
		{"POST", "/predict", "multipart/form-data; boundary=x", 415, ""},
		{"POST", "/predict", ";", 415, ""},
		{"POST", "/v2/models/card-fraud/infer", "text/csv", 415, ""},
		{"POST", "/v2/models/card-fraud/infer", "application/octet-stream", 415, ""},
	} {
		request := httptest.NewRequest("GET", c.path, strings.NewReader("[]"))
		request.Method = c.method
		request.Header.Set("Content-Type", c.media)
		recorder := httptest.NewRecorder()
		door.ServeHTTP(recorder, request)
		if recorder.Code != c.status || recorder.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s as %q: %d, Allow %q", c.method, c.path, c.media, recorder.Code, recorder.Header().Get("Allow"))
		}
	}
	for path, codings := range map[string]map[string]int{
		"/predict": {"gzip": 415, "identity, br": 415, "Identity": 200}, "/v2/models/card-fraud/infer": {"gzip": 415},
	} {
		for coding, status := range codings {
			request, recorder := httptest.NewRequest("POST", path, strings.NewReader("[]")), httptest.NewRecorder()
			request.Header.Set("Content-Encoding", coding)
			door.ServeHTTP(recorder, request)
			if takes := recorder.Header().Get("Accept-Encoding"); recorder.Code != status || status == 415 && takes != "identity" {
				t.Errorf("POST %s as %s: %d, Accept-Encoding %q", path, coding, recorder.Code, takes)
			}
		}
	}
	for query, status := range map[string]int{"reasons=all": 200, "reasons=": 400, "reasons=some": 400, "reasons=all&reasons=none": 400, "other=1": 200} {
		if r := ask(t, door, "POST", "/predict?"+query, "[]", nil); r.StatusCode != status {
			t.Errorf("?%s: %d", query, r.StatusCode)
		}
	}
}

// listening returns the address of a door that is up, and a function that ends it and returns what Serve said.
func listening(t *testing.T, s *Server) (address string, stop func() error) {
	t.Helper()
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	said := false
	stop = func() error {
		if said {
			return nil
		}
		said = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { _ = stop() })
	return s.Addr(), stop
}

// A client that does not read its answer holds its place and no worker: everybody else is served meanwhile.
func TestSlowReadersHoldNoWorker(t *testing.T) {
	t.Parallel()
	s := newCards(t, func(o *Options) { o.Limits = Limits{Rows: 1 << 20, Concurrent: 64} })
	address, _ := listening(t, s)
	body := "[" + strings.Repeat("0,", 1<<16) + "0]" // about seven megabytes of errors, more than a socket to a small window holds
	slow := cap(s.workers) + 2
	for range slow {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if err := connection.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(connection, "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if _, err := connection.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if held := cap(s.places) - len(s.places); held != slow {
		t.Errorf("%d places are held, by %d who do not read", held, slow)
	}
	response, err := http.Post("http://"+address+"/predict", "", bytes.NewReader(appendJSON(nil, s.example())))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("status %d", response.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
}

// On the signal to stop, readiness says no, what is under way is answered, and then the door is shut.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := newCards(t, nil)
	address, stop := listening(t, s)
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	event := appendJSON(nil, s.example())
	fmt.Fprintf(connection, "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", len(event))
	for len(s.places) == cap(s.places) {
		time.Sleep(time.Millisecond)
	}
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	<-s.closing
	if s.isReady() {
		t.Error("ready while it stops")
	}
	if _, err := connection.Write(event); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("status %d", response.StatusCode)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the door is still open")
	}
}

// All four timeouts are set, and the headers are bounded.
func TestServerIsBounded(t *testing.T) {
	for name, s := range map[string]*Server{"door": newCards(t, nil), "admin": NewAdmin(AdminOptions{Log: slog.New(slog.DiscardHandler), Level: new(slog.LevelVar)})} {
		h := &s.http
		if h.ReadHeaderTimeout == 0 || h.ReadTimeout == 0 || h.WriteTimeout == 0 || h.IdleTimeout == 0 || h.MaxHeaderBytes > 1<<16 {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

// A single event, from its body to its answer, costs a handful of small allocations, none of them of scoring.
func TestPredictAllocates(t *testing.T) {
	s := newCards(t, nil)
	event := appendJSON(nil, s.example())
	p := s.take()
	reasons := s.options.Scorer.Reasons()
	ask(t, s.http.Handler, "POST", "/predict", string(event), nil)
	if n := testing.AllocsPerRun(100, func() {
		if status, failed := s.answerPrediction(p, "q-1", event, jsonContent, scoring.Untold, reasons); status != 200 || failed != nil {
			t.Fatal(status, failed)
		}
	}); n > 0 {
		t.Errorf("scoring an event into its place allocates %v times", n)
	}
	s.leave(p)
	request := httptest.NewRequest("POST", "/predict", nil)
	request.Header.Set(requestIDHeader, "q-1")
	body, answer := bytes.NewReader(event), &bareAnswer{header: http.Header{}}
	if n := testing.AllocsPerRun(100, func() {
		body.Reset(event)
		request.Body, request.ContentLength = io.NopCloser(body), int64(len(event))
		clear(answer.header)
		s.http.Handler.ServeHTTP(answer, request)
	}); n > 25 {
		t.Errorf("a request allocates %v times", n)
	} else {
		t.Logf("a request allocates %v times", n)
	}
}

// bareAnswer is a response that nobody reads.
type bareAnswer struct{ header http.Header }

func (a *bareAnswer) Header() http.Header         { return a.header }
func (a *bareAnswer) WriteHeader(int)             {}
func (a *bareAnswer) Write(p []byte) (int, error) { return len(p), nil }
