package demo

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"fraudstream/cmd/fraudstream/web/console"
)

// An overview is the console of the show. It is served by this process and not by a worker, so that it outlives the one
// that is killed, and it shows all workers together: what each of them shows of itself is asked for once a second and
// added up. What it has no page for (predictions, metrics, the drift report) it hands on to the first worker.
//
// What was decided and refused is not added up but counted in the topics, by the show's reader. A worker that is killed
// takes with it what it has counted since it was last asked, up to a second of it, and what it had counted of a transaction
// that was then aborted is counted by its successor again. The topics have each event once, so the figures on the page are
// those of the summary. Times, scores and the events of a single worker are known to the workers alone, and are what they
// last told.
//
// State is called by the console's goroutine and by no other; all other methods may be called by any.
type overview struct {
	console  *console.Console
	server   http.Server
	address  string
	patience time.Duration // with a worker that is asked
	ended    sync.WaitGroup
	stop     context.CancelFunc

	mu      sync.Mutex
	cluster *kfake.Cluster // knows how far the partitions reach; nil: not started yet
	reader  *reader        // counts what stands in the topics; nil: not started yet
	workers []*watched
	last    map[int32]console.Partition // where each was seen last
	lines   []console.Line
	tries   []string
}

// watched is a worker with the last that it has shown of itself. Only State touches it once it is in the list.
type watched struct {
	*worker
	state console.State
	known bool
}

// scope stands under the heading of the page.
const scope = "The demo: the workers of one consumer group, added up by a page that outlives them. Decisions and dead letters " +
	"are counted in the topics; all else is as each worker told it last, at most a second ago while it lives."

// newOverview returns one that is not served.
func newOverview() *overview {
	return &overview{patience: glance, last: map[int32]console.Partition{}}
}

// openOverview listens, so that the address can be told, and serves. An address that is taken gives way to any free port of
// this machine: a show that does not begin because something else runs is no show.
func openOverview(listen string) (*overview, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
	}
	o := newOverview()
	o.address = l.Addr().String()
	o.console = console.New(console.Options{Source: o.State})
	mux := http.NewServeMux()
	for _, r := range o.console.Routes() {
		mux.HandleFunc(http.MethodGet+" "+r.Path, r.Handle)
	}
	mux.Handle("/", &httputil.ReverseProxy{Rewrite: o.handOn, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
		http.Error(w, "the first worker does not answer", http.StatusBadGateway)
	}})
	o.server = http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	ctx, stop := context.WithCancel(context.Background())
	o.stop = stop
	o.ended.Go(func() { o.console.Run(ctx) })
	o.ended.Go(func() { _ = o.server.Serve(l) }) // ends by Close alone
	return o, nil
}

// Close ends all connections.
func (o *overview) Close() {
	o.stop()
	_ = o.server.Close()
	o.ended.Wait()
}

// URL is where the page is.
func (o *overview) URL() string { return "http://" + o.address + "/" }

// handOn sends a request to the first worker, which lives as long as the show.
func (o *overview) handOn(r *httputil.ProxyRequest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.workers) > 0 {
		r.SetURL(&url.URL{Scheme: "http", Host: o.workers[0].listen})
	}
}

// SetCluster tells who knows how far the partitions reach.
func (o *overview) SetCluster(cluster *kfake.Cluster) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cluster = cluster
}

// SetReader tells who counts what stands in the topics.
func (o *overview) SetReader(r *reader) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reader = r
}

// Add shows a worker from now on; one that has ended stays, with its state.
func (o *overview) Add(w *worker) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.workers = append(o.workers, &watched{worker: w})
}

// What a line has for the terminal: control codes of colours, and blanks that make columns.
var (
	colours = regexp.MustCompile("\x1b\\[[0-9;]*m")
	columns = regexp.MustCompile(" {2,}")
)

// Tell adds a line to what happened.
func (o *overview) Tell(kind, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text = columns.ReplaceAllString(colours.ReplaceAllString(text, ""), " · ")
	o.lines = append(o.lines, console.Line{At: time.Now().UnixMilli(), Kind: kind, Text: text})
}

// Offer shows commands to try.
func (o *overview) Offer(commands ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tries = append(o.tries, commands...)
}

// State asks the workers and adds up what they show.
func (o *overview) State(bool) console.State {
	o.mu.Lock()
	workers := slices.Clone(o.workers)
	o.mu.Unlock()
	var answers sync.WaitGroup
	for _, w := range workers {
		answers.Go(func() { w.ask(o.patience) })
	}
	answers.Wait()

	var states []console.State
	for _, w := range workers {
		if w.known {
			states = append(states, w.named())
		}
	}
	all := console.Merge(states)
	all.At, all.Scope = time.Now().UnixMilli(), scope
	for _, w := range workers {
		all.Workers = append(all.Workers, w.row())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.orphans(&all)
	o.recount(&all.Totals)
	all.Log, all.Tries = slices.Clone(o.lines), slices.Clone(o.tries)
	return all
}

// ask reads what a worker shows of itself. One that does not answer is shown as it was.
func (w *watched) ask(patience time.Duration) {
	if w.Gone() {
		w.state.Partitions, w.state.Decisions, w.state.Drift = nil, nil, nil // others have them now; what it counted stays
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.listen+"/console/state", nil)
	if err != nil {
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	var s console.State
	if response.StatusCode == http.StatusOK && json.NewDecoder(response.Body).Decode(&s) == nil && s.At != 0 {
		w.state, w.known = s, true
	}
}

// named is the state of a worker, whose partitions bear its name.
func (w *watched) named() console.State {
	s := w.state
	s.Partitions = slices.Clone(s.Partitions)
	for i := range s.Partitions {
		s.Partitions[i].Worker = w.name
	}
	return s
}

// row is a worker in the list of them.
func (w *watched) row() console.Worker {
	row := console.Worker{Name: w.name, Address: w.listen, State: "running", Partitions: len(w.state.Partitions), Events: w.state.Totals.Events}
	switch {
	case w.Gone() && w.killed.Load():
		row.State = "killed"
	case w.Gone():
		row.State = "ended"
	case w.ending.Load():
		row.State = "draining"
	case !w.known:
		row.State = "starting"
	}
	return row
}

// orphans adds the partitions that no worker reads at this moment, as they were left. How far they have grown meanwhile is
// asked of the broker.
func (o *overview) orphans(s *console.State) {
	read := map[int32]bool{}
	for _, p := range s.Partitions {
		read[p.Number], o.last[p.Number] = true, p
	}
	if o.cluster == nil {
		return
	}
	for _, info := range o.cluster.PartitionInfos(input) {
		p, known := o.last[info.Partition]
		if read[info.Partition] || !known {
			continue
		}
		p.Worker, p.Paused, p.End = "", "no reader", info.HighWatermark
		p.Lag, p.Behind = max(p.End-p.Committed, 0), 0
		s.Partitions = append(s.Partitions, p)
	}
	slices.SortFunc(s.Partitions, func(a, b console.Partition) int { return int(a.Number - b.Number) })
}

// recount puts what the topics hold in the place of what the workers have counted. The lock is held.
func (o *overview) recount(t *console.Totals) {
	if o.reader == nil {
		return
	}
	t.Decisions, t.Refused = o.reader.Answers()
	t.Events = t.Skipped
	for _, counts := range []map[string]int64{t.Decisions, t.Refused} {
		for _, n := range counts {
			t.Events += n
		}
	}
}
