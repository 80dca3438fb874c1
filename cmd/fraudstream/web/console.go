package web

import (
	"context"
	"net/http"
	"sync"

	"fraudstream/cmd/fraudstream/web/console"
)

// console is the page at / and what it loads. The files are the same for everybody and hold no figure, so they need
// no token; the figures do, and the page asks for it. None of it is described: it is for browsers. Where there is no
// console, the page answers 404 like any other path that has nothing.
func (s *Server) console() []route {
	c := s.options.Console
	if c == nil {
		return nil
	}
	var all []route
	for _, r := range c.Routes() {
		all = append(all, route{method: http.MethodGet, path: r.Path, open: r.Open, endless: r.Endless, dear: r.Dear, handle: r.Handle})
	}
	return all
}

// runConsole runs the console until the door is closed. The function that is returned ends it, and its connections
// with it, and waits for that. [Server.Serve] calls it when it begins and the returned function when it is over, so
// no goroutine outlives the door.
func runConsole(ctx context.Context, c *console.Console) (end func()) {
	if c == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	return func() { cancel(); running.Wait() }
}
