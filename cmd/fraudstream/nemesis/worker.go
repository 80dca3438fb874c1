package nemesis

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Worker is a child process of a subject, from its start until it has ended and been waited for. Its methods may be
// called by any goroutine, and of a process that has ended, too. figures outlive the process, so what it has counted
// last can still be added up.
type Worker struct {
	Name    string
	listen  string // of its metrics; empty: it has none
	log     string // file with what it says
	command *exec.Cmd
	began   time.Time
	expired chan struct{} // closed when the process has ended
	ending  atomic.Bool   // it was told to end, or killed

	mu      sync.Mutex
	figures map[string]float64 // the metrics as they were last scraped, by name with labels
}

// start runs a command with its output in a file. Where the operating system can do that (Linux), the child has a
// process group of its own and dies with the test, however that ends.
func start(name, log, listen string, environment []string, path string, arguments ...string) (*Worker, error) {
	w := &Worker{Name: name, log: log, listen: listen, expired: make(chan struct{})}
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the child has its own copy
	w.command = exec.Command(path, arguments...)
	w.command.Stdout, w.command.Stderr = file, file
	w.command.Env = environment
	w.command.SysProcAttr = childAttributes()
	w.began = time.Now()
	if err := w.command.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		_ = w.command.Wait() // how it ended is in its state
		close(w.expired)
	}()
	return w, nil
}

// Kill is kill -9; it returns when the process has gone, and its sockets with it. It also ends one that stands still.
func (w *Worker) Kill() {
	w.ending.Store(true)
	_ = w.command.Process.Kill() // one that has ended needs no killing
	<-w.expired
}

// Stop makes the process stand still, with all its connections open. The kernel keeps its connections and goes on
// acknowledging what arrives, so the brokers see a peer that is silent and not one that has gone.
func (w *Worker) Stop() { _ = w.command.Process.Signal(syscall.SIGSTOP) }

// Continue lets a process go on that stands still.
func (w *Worker) Continue() { _ = w.command.Process.Signal(syscall.SIGCONT) }

// Terminate asks the process to end, and returns how long that took and whether it ended well. One that does not end
// in time is killed. A process that was told so early that it had said nothing may end by the signal itself, which is
// no fault.
func (w *Worker) Terminate(patience time.Duration) (time.Duration, error) {
	w.ending.Store(true)
	began := time.Now()
	_ = w.command.Process.Signal(syscall.SIGTERM)
	go w.scrapeToTheEnd()
	select {
	case <-w.expired:
	case <-time.After(patience):
		w.Kill()
		return time.Since(began), fmt.Errorf("%s had not ended %v after SIGTERM", w.Name, patience)
	}
	if last := w.last(3); !w.command.ProcessState.Success() && (last != "" || began.Sub(w.began) > unaware) {
		return time.Since(began), fmt.Errorf("%s, %v old, ended after SIGTERM with %v: %q", w.Name, began.Sub(w.began), w.command.ProcessState, last)
	}
	return time.Since(began), nil
}

// unaware is how old a process may be that has said nothing yet and so may not have come so far as to catch a signal.
const unaware = 3 * time.Second

// fell tells whether the process has ended without being told to.
func (w *Worker) fell() bool { return w.ended() && !w.ending.Load() }

// ended tells whether the process has ended.
func (w *Worker) ended() bool {
	select {
	case <-w.expired:
		return true
	default:
		return false
	}
}

// last is the end of what the process has said, up to so many lines; empty if it has said nothing.
func (w *Worker) last(lines int) string {
	text, _ := os.ReadFile(w.log)
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// scrape asks the process for its metrics and keeps them; those of a process that does not answer stay what they
// were. Once it has ended another may answer at its address.
func (w *Worker) scrape() map[string]float64 {
	var figures map[string]float64
	if w.listen != "" {
		figures = Scrape(w.listen)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if figures != nil && !w.ended() {
		w.figures = figures
	}
	return w.figures
}

// scrapeToTheEnd keeps what a process that drains still counts, as far as it tells before it ends.
func (w *Worker) scrapeToTheEnd() {
	for w.listen != "" && !w.ended() {
		w.scrape()
		pauseFor(50 * time.Millisecond)
	}
}

// Scrape reads the metrics at an address, host:port, each under its name with labels as it is written there:
//
//	fraudstream_events_consumed_total
//	fraudstream_consumer_lag_records{partition="3",topic="transactions"}
//
// It is nil if nobody answers within two seconds. An answer that breaks off counts as far as it came.
func Scrape(address string) map[string]float64 {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	defer func() { _ = res.Body.Close() }()
	all := map[string]float64{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if i := strings.LastIndexByte(lines.Text(), ' '); i > 0 {
			if v, err := strconv.ParseFloat(lines.Text()[i+1:], 64); err == nil {
				all[lines.Text()[:i]] = v
			}
		}
	}
	return all
}

// total adds up a metric over its labels, of those that [Scrape] has read.
func total(figures map[string]float64, name string) float64 {
	sum := 0.0
	for key, v := range figures {
		if key == name || strings.HasPrefix(key, name+"{") {
			sum += v
		}
	}
	return sum
}

// addresses hands out addresses on the loopback, none of them twice in a run: dozens of workers are started at once, and
// each listens only when its model is loaded. They lie below the ports that the system gives to outgoing connections
// (from 32768 on, unless it is told otherwise), of which the brokers and their clients have hundreds.
type addresses struct {
	mu   sync.Mutex
	next int // counted from firstPort
}

// The range that is handed out.
const (
	firstPort = 12_000
	ports     = 18_000
)

// newAddresses begins anywhere in the range, so that two runs on one machine seldom meet.
func newAddresses() *addresses { return &addresses{next: rand.IntN(ports)} }

// free is one on which nobody listens now.
func (a *addresses) free() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var err error
	for range ports {
		a.next++
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+a.next%ports))); err == nil {
			defer l.Close()
			return l.Addr().String(), nil
		}
	}
	return "", err
}
