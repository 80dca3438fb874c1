package web

import (
	"net/http"
	"strings"
)

// openAPI writes the OpenAPI 3.1 description of the routes. It is made once, from the table of routes and from the
// model in force: what an event must be is what that model takes. The version of the document is that of this
// program; which model it speaks of is said in its text.
func (s *Server) openAPI(routes []route) []byte {
	paths := object{}
	for _, r := range routes {
		if r.doc == nil {
			continue
		}
		at, _ := paths[r.path].(object)
		if at == nil {
			at = object{}
			paths[r.path] = at
		}
		at[strings.ToLower(r.method)] = s.describe(r)
	}
	components := object{"schemas": s.schemas(), "responses": s.responses()}
	if s.options.Token != "" {
		components["securitySchemes"] = object{"token": object{"type": "http", "scheme": "bearer", "description": "The token of the configuration."}}
	}
	b := &s.options.Scorer.Bundle
	return appendJSON(nil, object{
		"openapi": "3.1.0",
		"info": object{
			"title": "fraudstream", "version": serverVersion(),
			"description": "Scores card transactions with " + b.Name + ", version " + b.Version +
				". A request is at most 16 KiB of headers and as much body, and as many events, as the server is configured to take; what is over is 413, and too many requests at a time are 429.",
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":    []any{object{"url": "/"}},
		"paths":      paths,
		"components": components,
	})
}

// describe is the operation of a route, with what every route has: the id of the request, and the token. The same
// function describes a path with {version} and without; OpenAPI wants an operationId to be unique, so the former has
// OfVersion behind it. Whether the token is asked for is asked of the same function that the access rules ask.
func (s *Server) describe(r route) object {
	o := r.doc(s)
	parameters, _ := o["parameters"].([]any)
	for segment := range strings.SplitSeq(r.path, "/") {
		b := &s.options.Scorer.Bundle
		switch segment {
		case "{model}":
			parameters = append(parameters, inPath("model", b.Name))
		case "{version}":
			parameters = append(parameters, inPath("version", b.Version))
		}
	}
	o["parameters"] = append(parameters, object{
		"name": requestIDHeader, "in": "header", "schema": object{"type": "string"},
		"description": "Letters, digits and the signs - _ . are kept, up to 128 of them; anything else gives way to an id of the server's.",
	})
	if strings.Contains(r.path, "{version}") {
		o["operationId"] = o["operationId"].(string) + "OfVersion"
	}
	if s.options.Token != "" && s.asksToken(r) {
		o["security"] = []any{object{"token": []any{}}}
		o["responses"].(object)["401"] = object{"$ref": "#/components/responses/Unauthorized" + protocolSuffix(r.path)}
	}
	return o
}

// inPath is a parameter that has one right value: a process has one model, of one version, and any other is 404. An
// enumeration of one is more than a text to those who generate clients or test requests from the description: they
// ask for what is there.
func inPath(name, value string) object {
	return object{"name": name, "in": "path", "required": true, "schema": object{"enum": []string{value}}}
}

// protocolSuffix tells the responses of the protocol from those of the contract.
func protocolSuffix(path string) string {
	if strings.HasPrefix(path, "/v2") {
		return "OfProtocol"
	}
	return ""
}

// idHeader describes the header that every answer has, refusals included: it is the middle part of the decision ids.
func idHeader() object {
	return object{requestIDHeader: object{"description": "The id of the request.", "schema": object{"type": "string"}}}
}

// answers is a response with a body of one type. All answers are described with the header X-Request-Id, since all
// have it, refusals by the multiplexer included.
func answers(description, mediaType string, schema object) object {
	return object{"description": description, "headers": idHeader(), "content": object{mediaType: object{"schema": schema}}}
}

// responses are those that several operations have, each in the two forms of an error. They are components and are
// referred to, so that a description of a dozen operations does not repeat them a dozen times.
func (s *Server) responses() object {
	all := object{}
	for suffix, schema := range map[string]string{"": "Problem", "OfProtocol": "InferProblem"} {
		for name, description := range map[string]string{
			"NotFound": "There is no such model or version.", "Timeout": "The body did not arrive in time.",
			"TooLarge": "The body, or the number of its events, is over the limit.", "MediaType": "The body is of another type.",
			"Unauthorized": "The token is missing or another.", "Busy": "As many requests are under way as are allowed.",
			"Refused": "The request was refused; nothing was scored.",
		} {
			response := answers(description, "application/json", ref(schema))
			switch name {
			case "Busy":
				response["headers"].(object)["Retry-After"] = object{"description": "In seconds.", "required": true, "schema": object{"type": "integer"}}
			case "Unauthorized":
				response["headers"].(object)["WWW-Authenticate"] = object{"required": true, "schema": object{"type": "string"}}
			}
			all[name+suffix] = response
		}
	}
	return all
}

// shared are references to such responses, by status. suffix is that of protocolSuffix, whose callers read another
// form of error.
func shared(suffix string, statuses ...string) object {
	names := map[string]string{"400": "Refused", "404": "NotFound", "408": "Timeout", "413": "TooLarge", "415": "MediaType", "429": "Busy"}
	out := object{}
	for _, status := range statuses {
		out[status] = object{"$ref": "#/components/responses/" + names[status] + suffix}
	}
	return out
}

// described returns a handler of a document that does not change. It is marshalled once, when the door is made: a
// door has one model for its life.
func described(document []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document) // a client that has gone needs no answer
	}
}

// asksToken tells whether a route asks for the token, where there is one.
func (s *Server) asksToken(r route) bool {
	return !r.open || r.path == metricsPath && s.options.ProtectMetrics
}
