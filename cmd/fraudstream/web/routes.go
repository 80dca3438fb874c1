package web

import (
	"net/http"
	"path"
	"slices"
	"strings"
)

// A route is one path of the door with one method. The table of routes is the only place that knows which there are:
// the multiplexer is built from it, the access rules are read from it, and the OpenAPI description is written from
// it, so none of the three can have a path that another lacks. A description is asked for by the door that it is of,
// when all routes are known: it may name the model, its classes and the limits in force.
type route struct {
	method  string
	path    string // as http.ServeMux has it: {name} is one segment, {$} the end
	open    bool   // needs no token, whatever the configuration says
	endless bool   // lasts until somebody ends it, so its time tells nothing
	dear    bool   // adds up what all partitions have counted: few at a time
	handle  http.HandlerFunc
	doc     func(*Server) object // its operation in the OpenAPI description; nil: for browsers alone
}

// routes lists what the door answers. Order does not matter; of two patterns the more specific one wins.
// /openapi.json describes itself as well, so its line is added first and its handler, which needs the whole table,
// afterwards.
func (s *Server) routes() []route {
	all := []route{
		{method: "POST", path: "/predict", handle: s.traced(s.bounded(s.predict)), doc: predictOperation},
		{method: "GET", path: "/healthz", open: true, handle: s.health, doc: healthOperation},
		{method: "GET", path: "/readyz", open: true, handle: s.ready, doc: readyOperation},
		{method: "GET", path: metricsPath, open: true, dear: true, handle: s.metrics(), doc: metricsOperation},
	}
	all = append(all, s.protocol()...)
	all = append(all, s.console()...)
	if s.options.Monitor != nil {
		all = append(all, route{method: "GET", path: "/drift", dear: true, handle: s.drift, doc: driftOperation})
	}
	if t := s.options.Topics; t.Input != "" {
		all = append(all, route{method: "GET", path: "/asyncapi.json", handle: described(s.asyncAPI(t)), doc: asyncAPIOperation})
	}
	self := len(all)
	all = append(all, route{method: "GET", path: "/openapi.json", doc: openAPIOperation})
	all[self].handle = described(s.openAPI(all))
	return all
}

// mux builds the multiplexer. Each path has one handler, which knows the methods of the path and answers all others
// itself, in JSON like every other error. Patterns carry no method, although http.ServeMux knows them: its own answer
// to a wrong method is a line of text, and this door's errors are objects with a code.
func (s *Server) mux(routes []route) *http.ServeMux {
	mux := http.NewServeMux()
	byPath := map[string]methods{}
	for _, r := range routes {
		byPath[r.path] = append(byPath[r.path], r)
	}
	for pattern, m := range byPath {
		mux.HandleFunc(pattern, s.dispatch(m))
	}
	if _, taken := byPath["/"]; !taken {
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s.fail(w, r, http.StatusNotFound, fault{Code: codeNotFound, Message: "there is nothing at this path; /openapi.json lists what there is"})
		})
	}
	return mux
}

// methods are the routes of one path.
type methods []route

// allow is the Allow header: what is there, HEAD beside GET, and OPTIONS, which is this very answer.
func (m methods) allow() string {
	var names []string
	for _, r := range m {
		names = append(names, r.method)
		if r.method == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	names = append(names, http.MethodOptions)
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// dispatch answers the methods of one path. HEAD is GET whose body net/http leaves out. OPTIONS tells the methods and
// asks for no token: they are the same in every process of this program. It sets no header of CORS: pages of other
// origins have no business here.
func (s *Server) dispatch(m methods) http.HandlerFunc {
	allow := m.allow()
	handlers := map[string]http.HandlerFunc{}
	for _, r := range m {
		handlers[r.method] = s.guarded(r)
		if r.method == http.MethodGet {
			handlers[http.MethodHead] = handlers[r.method]
		}
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if handle := handlers[r.Method]; handle != nil {
			handle(w, r)
			return
		}
		w.Header().Set("Allow", allow)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.fail(w, r, http.StatusMethodNotAllowed, fault{Code: codeMethod, Message: "this path takes " + allow})
	}
}

// clean refuses what the multiplexer would redirect: a path with empty or dotted segments is no path of this door, and
// a redirect would be an answer in HTML that no description tells of.
func (s *Server) clean(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.URL.EscapedPath()
		if tidy := path.Clean("/" + at); at != tidy && (at != tidy+"/" || tidy == "/") {
			s.fail(w, r, http.StatusNotFound, fault{Code: codeNotFound, Message: "the path has empty or dotted segments"})
			return
		}
		next.ServeHTTP(w, r)
	})
}
