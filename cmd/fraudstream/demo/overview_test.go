package demo

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"fraudstream/cmd/fraudstream/web/console"
)

// shownWorker is a worker that shows a state of itself, and answers predictions with its name.
func shownWorker(t *testing.T, name string, s *console.State) *worker {
	mux := http.NewServeMux()
	mux.HandleFunc("/console/state", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(s) })
	mux.HandleFunc("/predict", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &worker{name: name, listen: strings.TrimPrefix(server.URL, "http://"), gone: make(chan struct{}), command: &exec.Cmd{}}
}

// The console adds its workers up, keeps what a dead one has told, and shows what it has left behind. What was decided and
// refused is what stands in the topics, be it more than a dead worker had told or less. The overview is not served here: its
// console would ask the workers as well, at the same time.
func TestOverviewOutlivesAWorker(t *testing.T) {
	cluster, err := startBroker()
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	o := newOverview()
	o.patience = time.Minute // the machine may have other things to do
	o.SetCluster(cluster)
	totals := func(events int64) console.Totals {
		return console.Totals{Events: events, Decisions: map[string]int64{"approve": events}}
	}
	first := shownWorker(t, "worker 1", &console.State{At: 1, Totals: totals(10), Partitions: []console.Partition{{Number: 0, Committed: 5}}})
	second := shownWorker(t, "worker 2", &console.State{At: 1, Totals: totals(7), Partitions: []console.Partition{{Number: 1, Committed: 6}}})
	o.Add(first)
	o.Add(second)
	o.Tell(console.Note, "a \x1b[33mcoloured    \x1b[0m line  in columns")
	s := o.State(true)
	if s.Totals.Events != 17 || len(s.Partitions) != 2 || s.Partitions[1].Worker != "worker 2" || s.Workers[1].State != "running" {
		t.Errorf("%+v", s)
	}
	if s.Log[0].Text != "a coloured · line · in columns" {
		t.Errorf("the console tells %q", s.Log[0].Text)
	}
	second.killed.Store(true)
	close(second.gone)
	s = o.State(true)
	if s.Totals.Events != 17 || s.Workers[1].State != "killed" || s.Workers[1].Events != 7 {
		t.Errorf("after the kill %+v", s)
	}
	if p := s.Partitions[1]; p.Worker != "" || p.Paused != "no reader" || p.Committed != 6 {
		t.Errorf("the orphan is %+v", p)
	}
	o.SetReader(&reader{verdicts: map[string]int64{"approve": 16, "block": 2}, codes: map[string]int64{"bad_json": 1}})
	s = o.State(true)
	if s.Totals.Events != 19 || s.Totals.Decisions["approve"] != 16 || s.Totals.Decisions["block"] != 2 || s.Totals.Refused["bad_json"] != 1 {
		t.Errorf("the topics hold 18 decisions and a dead letter, the console says %+v", s.Totals)
	}
}

// The console's address is also that of the first worker's other doors.
func TestOverviewHandsOn(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o, err := openOverview(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	get := func(path string) (int, string) {
		r, err := http.Get("http://" + o.address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(text)
	}
	if status, _ := get("/predict"); status != http.StatusBadGateway {
		t.Errorf("status %d before there is a worker", status)
	}
	o.Add(shownWorker(t, "worker 1", &console.State{}))
	if status, text := get("/predict"); status != 200 || text != "worker 1" {
		t.Errorf("%d %s", status, text)
	}
	if _, text := get("/"); !strings.Contains(text, "<h1>fraudstream") {
		t.Errorf("the page is %.80s", text)
	}
	if host, _, err := net.SplitHostPort(o.address); err != nil || host != "127.0.0.1" || o.address == taken.Addr().String() {
		t.Errorf("it listens on %s", o.address)
	}
}
