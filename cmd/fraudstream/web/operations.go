package web

import "maps"

// The operations of the OpenAPI description, one function for each route. They say what the handlers do; the tests hold
// every answer that they meet against them.

// operation is one with a single answer that is always the same in form. An operation that may be refused adds the
// other answers to its responses; what every route has, [Server.describe] adds.
func operation(id, summary string, status200 object) object {
	return object{"operationId": id, "summary": summary, "responses": object{"200": status200}}
}

// predictOperation is POST /predict: what may be sent by the format of events, and 200 or 400 for one event, 200
// alone for several, each of which then has a status of its own.
func predictOperation(s *Server) object {
	requests := s.requestTypes()
	if s.options.Table != nil {
		table := object{"schema": object{"type": "string", "description": "RFC 4180 with a header line, in UTF-8. An empty cell is null."}}
		if header, row := s.exampleTable(); header != "" {
			table["example"] = header + "\n" + row + "\n"
		}
		requests["text/csv"] = table
	}
	responses := shared("", "408", "413", "415", "429")
	responses["200"] = answers("The decision on the event, or, of an array or a table, what became of each, in their order.", "application/json",
		object{"anyOf": []any{ref("Prediction"), ref("Skipped"), object{"type": "array", "items": ref("Result")}}})
	responses["400"] = answers("The event, or the request as a whole, was refused.", "application/json", ref("Problem"))
	return object{
		"operationId": "predict", "summary": "Score one event or several.",
		"description": "Elements of an array may be anything: each that is no event gets an error of its own. A body that is sent as a form, as curl -d does, is read as JSON. The five bytes of a schema registry's framing may stand before an event that comes alone." + s.formatWords(),
		"parameters": append(s.formatHeaders(), object{
			"name": "reasons", "in": "query", "schema": object{"enum": []string{"flagged", "all", "none"}},
			"description": "Which decisions carry reasons; without it, what the server is configured for.",
		}),
		"requestBody": object{"required": true, "content": requests},
		"responses":   responses,
	}
}

// inferOperation is POST /v2/models/{model}/infer. Tensors have no place for the error of one row, so one row refuses
// all. Its errors have the form of the protocol, a single text, and so other components than those of /predict.
func inferOperation(s *Server) object {
	responses := shared("OfProtocol", "400", "404", "408", "413", "415", "429")
	responses["200"] = answers("One tensor for each output.", "application/json", ref("InferResponse"))
	return object{
		"operationId": "infer", "summary": "Score a batch, by the Open Inference Protocol, version 2.",
		"description": "The features are those of the training frame, derived ones included; the mapping of events does not apply. Where one row cannot be scored, the request is refused.",
		"requestBody": object{"required": true, "content": object{"application/json": object{"schema": ref("InferRequest"), "example": s.exampleTensors()}}},
		"responses":   responses,
	}
}

// driftOperation is GET /drift. Its schema is derived from the type of the report; 429 is that of a route that costs
// a pass over all partitions.
func driftOperation(*Server) object {
	o := operation("drift", "The drift report.", answers("How the inputs compare with training.", "application/json", ref("DriftReport")))
	maps.Copy(o["responses"].(object), shared("", "429"))
	return o
}

// metricsOperation is GET /metrics, whose two formats are texts that no JSON Schema describes.
func metricsOperation(*Server) object {
	o := operation("metrics", "The metrics, for Prometheus.", object{"description": "In the format that the caller accepts."})
	response := o["responses"].(object)["200"].(object)
	response["headers"] = idHeader()
	response["content"] = object{}
	for _, media := range []string{"text/plain", "application/openmetrics-text"} {
		response["content"].(object)[media] = object{"schema": object{"type": "string"}}
	}
	maps.Copy(o["responses"].(object), shared("", "429"))
	return o
}

// healthOperation and readyOperation are the probes: a line of text each, 200 or 503, for supervisors that look at
// the status.
func healthOperation(*Server) object {
	o := operation("healthz", "Is the process alive?", answers("Yes.", "text/plain", object{"const": "ok\n"}))
	o["responses"].(object)["503"] = answers("No: a restart would help.", "text/plain", object{"type": "string"})
	return o
}

func readyOperation(*Server) object {
	o := operation("readyz", "Is there something to answer with?", answers("Yes.", "text/plain", object{"const": "ready\n"}))
	o["responses"].(object)["503"] = answers("Not yet, or no more.", "text/plain", object{"type": "string"})
	return o
}

func openAPIOperation(*Server) object {
	return operation("openapi", "This description.", answers("OpenAPI 3.1.", "application/json", record("", object{"openapi": text("")}, "openapi", "paths")))
}

func asyncAPIOperation(*Server) object {
	return operation("asyncapi", "The description of the topics.", answers("AsyncAPI 3.0.", "application/json", record("", object{"asyncapi": text("")}, "asyncapi", "channels")))
}

// serverOperation is GET /v2, the metadata of the server in the words of the protocol.
func serverOperation(*Server) object {
	return operation("server", "What this server is.", answers("", "application/json", record("", object{
		"name": object{"const": "fraudstream"}, "version": text(""), "extensions": object{"type": "array", "items": text("")},
	}, "name", "version", "extensions")))
}

// yesOrNo is a probe of the protocol: 200 with true, 503 with false.
func yesOrNo(id, summary, member string, more object, required ...string) object {
	form := func(value bool) object {
		properties := object{member: object{"const": value}}
		maps.Copy(properties, more)
		return record("", properties, append([]string{member}, required...)...)
	}
	o := operation(id, summary, answers("Yes.", "application/json", form(true)))
	o["responses"].(object)["503"] = answers("No.", "application/json", form(false))
	return o
}

func liveOperation(*Server) object { return yesOrNo("live", "Is the process alive?", "live", nil) }

func serverReadyOperation(*Server) object {
	return yesOrNo("ready", "Is there something to answer with?", "ready", nil)
}

func modelReadyOperation(*Server) object {
	o := yesOrNo("modelReady", "Can this model answer?", "ready", object{"name": text("")}, "name")
	o["responses"].(object)["404"] = shared("OfProtocol", "404")["404"]
	return o
}

// modelOperation is GET /v2/models/{model}: the tensors of the training frame and those of the answer.
func modelOperation(*Server) object {
	o := operation("model", "What goes into the model and what comes out.", answers("", "application/json", ref("ModelMetadata")))
	o["responses"].(object)["404"] = shared("OfProtocol", "404")["404"]
	return o
}
