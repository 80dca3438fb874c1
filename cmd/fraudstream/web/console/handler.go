package console

import (
	"bytes"
	"embed"
	"fmt"
	"net/http"
	"path"
	"time"
)

// The page and what it loads. uplot.js and uplot.css are uPlot 1.6.32 as the npm registry has it (MIT, uplot.LICENSE).
//
//go:embed index.html app.js charts.js dom.js drift.js app.css favicon.svg uplot.js uplot.css uplot.LICENSE
var files embed.FS

// policy lets the page load what this process serves and nothing else: no inline script or style, no frame around it,
// no form, no other host.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// kinds are the types of the files, so that what a machine's own table says does not matter.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".LICENSE": "text/plain; charset=utf-8",
}

// writeWithin is how long one update may take to be written: a reader that takes longer has gone, or is too slow.
const writeWithin = 10 * time.Second

// A Route is one path of the console, all of which answer GET.
type Route struct {
	Path    string // as http.ServeMux has it
	Open    bool   // holds no figure, and is the same for everybody: no token is needed for it
	Endless bool   // lasts until the reader leaves or the console stops
	Dear    bool   // is made anew for whoever asks, and should be for few at a time
	Handle  http.HandlerFunc
}

// Routes is the table of what the console answers. Whoever serves it puts the routes where they belong and guards
// them as it guards its own.
func (c *Console) Routes() []Route {
	return []Route{
		{Path: "/{$}", Open: true, Handle: func(w http.ResponseWriter, r *http.Request) { c.file(w, r, "index.html") }},
		{Path: "/console/{name}", Open: true, Handle: func(w http.ResponseWriter, r *http.Request) { c.file(w, r, r.PathValue("name")) }},
		{Path: "/console/events", Endless: true, Handle: c.events},
		{Path: "/console/state", Dear: true, Handle: c.state},
	}
}

// file serves an embedded file. It has no time of its own, so browsers ask again each time, which on the same machine
// is cheaper than the confusion of a stale script after an upgrade.
func (c *Console) file(w http.ResponseWriter, r *http.Request, name string) {
	text, err := files.ReadFile(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", kinds[path.Ext(name)])
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(text))
}

// state answers GET /console/state: the latest state once, with all points. Whoever asks is taken for a watcher
// during the next five seconds, so that a program that asks once a second gets samples and drift as a page does.
func (c *Console) state(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(c.snapshot()) // a client that has gone needs no answer
}

// events answers GET /console/events with one message after the other until either side ends it. The timeouts of the
// server are for requests that end; here each message has a deadline of its own.
func (c *Console) events(w http.ResponseWriter, r *http.Request) {
	reader, ok := c.join()
	if !ok {
		w.Header().Set("Retry-After", "5")
		http.Error(w, fmt.Sprintf("%d readers are connected already, or the process is stopping", maxReaders), http.StatusServiceUnavailable)
		return
	}
	defer c.leave(reader)
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Time{}) // not there under test recorders, and nothing is lost by that
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy in between must not wait for the end
	_ = connection.Flush()
	for {
		select {
		case update, open := <-reader.updates:
			if !open {
				return
			}
			_ = connection.SetWriteDeadline(time.Now().Add(writeWithin))
			if _, err := fmt.Fprintf(w, "data: %s\n\n", update); err != nil {
				return
			}
			if connection.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}
