package web

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"strings"
	"time"
)

// AdminOptions is what the listener of the operators needs.
type AdminOptions struct {
	Log   *slog.Logger
	Level *slog.LevelVar // of Log
	Token string         // that a caller has to bear; empty: none, and loopback only
}

// NewAdmin returns the listener of the operators, apart from the door: profiles, which cost time and show what is in
// memory, and the level of the log.
//
//	GET /debug/pprof/…  the profiles of the Go runtime, as `go tool pprof` asks for them
//	GET /log-level      the level in force
//	PUT /log-level      sets it: debug, info, warn or error, as the body
//	GET /build          the versions of Go, of this program and of all that is in it
//
// It speaks plain HTTP. A browser on the same machine must not be led here by a page of somebody else's, so requests
// are answered only where they name the machine by an address or as localhost, and come from no page.
func NewAdmin(o AdminOptions) *Server {
	s := &Server{
		options: Options{Log: o.Log, Token: o.Token}, limits: Limits{}.withDefaults(), closing: make(chan struct{}),
	}
	s.http = http.Server{
		Handler:           identified(s.clean(notFromPages(s.mux(s.adminRoutes(o.Level))))),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      profileTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	return s
}

// profileTimeout lets a profile of the usual 30 seconds, and one of a minute, be taken and sent.
const profileTimeout = 90 * time.Second

// adminRoutes is the table of the operators' listener.
func (s *Server) adminRoutes(level *slog.LevelVar) []route {
	return []route{
		{method: "GET", path: "/debug/pprof/", handle: pprof.Index},
		{method: "GET", path: "/debug/pprof/cmdline", handle: hidden},
		{method: "GET", path: "/debug/pprof/profile", handle: pprof.Profile},
		{method: "GET", path: "/debug/pprof/symbol", handle: pprof.Symbol},
		{method: "POST", path: "/debug/pprof/symbol", handle: pprof.Symbol},
		{method: "GET", path: "/debug/pprof/trace", handle: pprof.Trace},
		{method: "GET", path: "/log-level", handle: func(w http.ResponseWriter, _ *http.Request) { sayLevel(w, level) }},
		{method: "PUT", path: "/log-level", handle: func(w http.ResponseWriter, r *http.Request) { s.setLevel(w, r, level) }},
		{method: "GET", path: "/build", handle: sayBuild},
	}
}

// hidden stands where pprof would show the command line, which may hold a password.
func hidden(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "fraudstream") // a client that has gone needs no answer
}

func sayLevel(w http.ResponseWriter, level *slog.LevelVar) {
	write(w, http.StatusOK, map[string]string{"level": strings.ToLower(level.Level().String())})
}

// setLevel takes the level from the body, one word with or without quotes and line feed. What stands behind the
// sixteenth byte is not read. The word is one of log/slog, so INFO+2 is a level as well. It holds until it is set
// again or the process ends, and is written nowhere. The line about it is written at any level: whoever
// wonders later why the log is silent finds when that began. For that line the lowest level holds that is needed.
func (s *Server) setLevel(w http.ResponseWriter, r *http.Request, level *slog.LevelVar) {
	const longest = 16
	word, err := io.ReadAll(io.LimitReader(r.Body, longest))
	var wanted slog.Level
	if err == nil {
		err = wanted.UnmarshalText([]byte(strings.Trim(string(word), "\" \r\n")))
	}
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, fault{"wrong_type", "level", "the body is debug, info, warn or error"})
		return
	}
	before := level.Level()
	level.Set(min(before, wanted, slog.LevelWarn))
	s.options.Log.Warn("the log level was changed", "from", before.String(), "to", wanted.String(), "request", idOf(w))
	level.Set(wanted)
	sayLevel(w, level)
}

func sayBuild(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if info, ok := debug.ReadBuildInfo(); ok {
		_, _ = io.WriteString(w, info.String()) // a client that has gone needs no answer
	}
}

// notFromPages refuses what a page in a browser could send: a request that names its origin, and one for a name that
// a stranger's name server may have pointed at this machine.
func notFromPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		known := host == "localhost" || net.ParseIP(strings.Trim(host, "[]")) != nil || r.Header.Get("Authorization") != ""
		if !known || r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			http.Error(w, "ask by address or as localhost, and from no page", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// CheckAdmin refuses an address that others than this machine can reach where no token keeps them out.
func CheckAdmin(address, token string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no HOST:PORT", address)
	}
	if ip := net.ParseIP(host); token == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s can be reached from other machines: set a token, or listen on 127.0.0.1", address)
	}
	return nil
}
