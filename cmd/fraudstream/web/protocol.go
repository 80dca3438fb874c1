package web

import (
	"net/http"
	"runtime/debug"
)

// protocol are the routes of the Open Inference Protocol, version 2, over REST. Model and version are those of the
// bundle; with one model in force there is one of each, and every other is 404. The probes are open, as those of the
// contract are: the inference gateways that speak this protocol probe without credentials.
func (s *Server) protocol() []route {
	const model = "/v2/models/{model}"
	infer := s.model(s.traced(s.bounded(s.infer)))
	all := []route{
		{method: "GET", path: "/v2", handle: s.aboutServer, doc: serverOperation},
		{method: "GET", path: "/v2/health/live", open: true, handle: s.live, doc: liveOperation},
		{method: "GET", path: "/v2/health/ready", open: true, handle: s.serverReady, doc: serverReadyOperation},
	}
	for _, at := range []string{model, model + "/versions/{version}"} {
		all = append(all,
			route{method: "GET", path: at, handle: s.model(s.aboutModel), doc: modelOperation},
			route{method: "GET", path: at + "/ready", open: true, handle: s.model(s.modelReady), doc: modelReadyOperation},
			route{method: "POST", path: at + "/infer", handle: infer, doc: inferOperation},
		)
	}
	return all
}

// model answers 404 where the path names another model or version than the one in force. It stands before the place
// is taken and the body is read, so a client that asks for a model of yesterday costs a comparison of two strings.
func (s *Server) model(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b := &s.options.Scorer.Bundle
		if r.PathValue("model") != b.Name {
			s.fail(w, r, http.StatusNotFound, fault{Code: codeNotFound, Message: "there is no such model; the one in force is " + b.Name})
			return
		}
		if version := r.PathValue("version"); version != "" && version != b.Version {
			s.fail(w, r, http.StatusNotFound, fault{Code: codeNotFound, Message: "the model has no such version; the one in force is " + b.Version})
			return
		}
		handle(w, r)
	}
}

// write answers with a small JSON object.
func write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(appendJSON(nil, value), '\n')) // a client that has gone needs no answer
}

// aboutServer names the server. It has no extensions of the protocol.
func (s *Server) aboutServer(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, map[string]any{"name": "fraudstream", "version": serverVersion(), "extensions": []string{}})
}

// serverVersion is that of this binary. A binary that was built without the history of its sources has (devel) there,
// as the Go toolchain writes it.
func serverVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// live is /healthz in the words of the protocol.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	alive := s.isHealthy()
	write(w, statusOf(alive), map[string]bool{"live": alive})
}

// serverReady is /readyz in the words of the protocol.
func (s *Server) serverReady(w http.ResponseWriter, _ *http.Request) {
	ready := s.isReady()
	write(w, statusOf(ready), map[string]bool{"ready": ready})
}

// modelReady is the same of the one model.
func (s *Server) modelReady(w http.ResponseWriter, _ *http.Request) {
	ready := s.isReady()
	write(w, statusOf(ready), map[string]any{"name": s.options.Scorer.Bundle.Name, "ready": ready})
}

// statusOf is 200 for yes and 503 for no.
func statusOf(ok bool) int {
	if ok {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

// metadataTensor describes an input or output; -1 is any number of rows.
type metadataTensor struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
}

// aboutModel lists what goes in and what comes out. Every feature is an input of its own; the whole frame as one
// tensor is taken as well, under any other name. Nothing in it depends on the request, but it is made each time: it
// is asked for once, by a client that starts. A feature of numbers is FP64 also where the model was trained on whole
// ones, since that is what the corridor computes with.
func (s *Server) aboutModel(w http.ResponseWriter, _ *http.Request) {
	b, compiled := &s.options.Scorer.Bundle, s.options.Scorer.Program
	answer := struct {
		Name     string           `json:"name"`
		Versions []string         `json:"versions"`
		Platform string           `json:"platform"`
		Inputs   []metadataTensor `json:"inputs"`
		Outputs  []metadataTensor `json:"outputs"`
	}{b.Name, []string{b.Version}, "fraudstream", nil, nil}
	for _, in := range s.inputs {
		datatype := "FP64"
		switch {
		case in.Texts:
			datatype = "BYTES"
		case in.Booleans:
			datatype = "BOOL"
		}
		answer.Inputs = append(answer.Inputs, metadataTensor{in.Name, datatype, []int64{-1}})
	}
	for _, o := range outputs {
		answer.Outputs = append(answer.Outputs, metadataTensor{o.name, o.datatype(compiled), []int64{-1}})
	}
	write(w, http.StatusOK, answer)
}
