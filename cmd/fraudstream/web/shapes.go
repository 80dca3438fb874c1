package web

import (
	"reflect"
	"strings"

	"fraudstream/drift"
	"fraudstream/scoring"
)

// object is a JSON object of a description under construction. An alias, so that what other packages give as a map
// can be put in without a conversion. encoding/json sorts the keys, so a description has the same bytes in every
// process.
type object = map[string]any

// ref points to a schema of the components.
func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// record is the schema of an object, of which the named properties are always there.
func record(description string, properties object, required ...string) object {
	return object{"type": "object", "description": description, "properties": properties, "required": required}
}

// text is the schema of a JSON string; an empty description means that the name says enough.
func text(description string) object { return object{"type": "string", "description": description} }

// number is the schema of a JSON number. NaN and the infinities have no form in JSON, so what may be one of them is
// not described by this but by schemaOf.
func number(description string) object { return object{"type": "number", "description": description} }

// schemaOf is the schema of what encoding/json makes of a type: structures with their embedded ones, lists, pointers,
// figures (which are null where there is none), texts, numbers and booleans. A report is described by the type that
// it is marshalled from, so the description cannot forget one of its fields. Kinds that no report has, such as maps,
// would come out as numbers; the tests hold real reports against the schema, so such a field would be found there.
func schemaOf(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[drift.Figure]():
		return object{"type": []string{"number", "null"}}
	case t.Kind() == reflect.Pointer:
		return object{"anyOf": []any{schemaOf(t.Elem()), object{"type": "null"}}}
	case t.Kind() == reflect.Struct:
		properties, required := object{}, []string{}
		fieldsOf(t, properties, &required)
		return object{"type": "object", "properties": properties, "required": required}
	case t.Kind() == reflect.Slice:
		return object{"type": []string{"array", "null"}, "items": schemaOf(t.Elem())}
	case t.Kind() == reflect.Array:
		return object{"type": "array", "items": schemaOf(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case t.Kind() == reflect.String:
		return object{"type": "string"}
	case t.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return object{"type": "integer"}
	default:
		return object{"type": "number"}
	}
}

// fieldsOf collects the fields of a structure under their JSON names. A field of an embedded structure that the outer
// one has as well is the outer one's. What encoding/json would leave out (omitempty) is not required; all else is, be
// it null. A field that the reports write has a tag; what has none is unexported.
func fieldsOf(t reflect.Type, properties object, required *[]string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for f := range t.Fields() {
		if f.Anonymous {
			fieldsOf(f.Type, properties, required)
		}
	}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "-" || name == "" {
			continue
		}
		if _, there := properties[name]; !there && options != "omitempty" {
			*required = append(*required, name)
		}
		properties[name] = schemaOf(f.Type)
	}
}

// eventCodes are what an event can be refused with, over HTTP and in the header fraudstream.error.code of a dead
// letter: the words are stable, and dashboards and clients may branch on them.
var eventCodes = []scoring.Code{
	scoring.Empty, scoring.BadJSON, scoring.BadUTF8, scoring.DuplicateKey, scoring.TooDeep, scoring.TooLarge,
	scoring.MissingField, scoring.WrongType, scoring.NonFinite, scoring.UnknownCategory, scoring.Unscorable,
	scoring.OutputTooLarge, scoring.UnknownSchema,
}

// requestCodes are what a request can be refused with, beside the codes of its event.
var requestCodes = []scoring.Code{
	codeNotFound, codeMethod, codeMediaType, codeUnauthorized, codeBusy, codeTimeout, codeInternal,
}

// decisionProperties are the members that a decision has, whichever door it leaves by; is_fraud and the place of the
// event differ. Each caller gets a map of its own and may add to it. The score has no bounds here: it is a
// probability for classifiers, and whatever a pipeline without probabilities gives for others.
func (s *Server) decisionProperties() object {
	labels := []any{}
	for _, c := range s.options.Scorer.Program.Classes {
		labels = append(labels, labelOf(c))
	}
	return object{
		"decision_id":    text("Names this decision; repeated ones have the same."),
		"transaction_id": object{"type": []string{"string", "number"}, "description": "As the event has it, else the decision_id."},
		"score":          number("What the pipeline gives for the event; it reads back bit for bit."),
		"predicted":      object{"enum": labels, "description": "What the pipeline's predict says."},
		"decision":       object{"enum": []string{"approve", "review", "block"}},
		"thresholds": record("Those in force; absent where there are none.", object{
			"review": number("Review from here on."), "block": number("Block from here on."),
			"from": object{"enum": []string{"bundle", "config"}},
		}, "from"),
		"reasons": object{"type": "array", "maxItems": 3, "description": "What moved the score most towards fraud, the largest first.", "items": record("", object{
			"code": text("Of the bundle."), "feature": text(""), "text": text("For people."), "contribution": number("In the units of reason_method."),
		}, "feature", "contribution")},
		"reason_method": object{"enum": []string{"linear", "path_log_odds", "path_probability", "none"}},
		"model":         record("The model that decided.", object{"name": text(""), "version": text(""), "sha256": text("Of the model file.")}, "name", "version", "sha256"),
		"event_time":    object{"type": []string{"string", "null"}, "format": "date-time"},
	}
}

// decisionAlways are those of the members that are never left out. The others depend on the configuration
// (thresholds), on the decision (reasons) or on the door (source).
var decisionAlways = []string{"decision_id", "transaction_id", "score", "predicted", "is_fraud", "decision", "model", "event_time"}

// schemas are the components of the OpenAPI description. CloudEvent is there only where the configuration has that
// format.
func (s *Server) schemas() object {
	prediction := s.decisionProperties()
	prediction["status"] = object{"const": "success"}
	prediction["is_fraud"] = object{"enum": []int{0, 1}}
	problem := func(codes ...scoring.Code) object {
		return record("What was wrong, with which field, and what to do. Nothing of the event is repeated.", object{
			"status": object{"const": "error"},
			"error":  record("", object{"code": object{"enum": codes}, "field": text("Empty where no field is at fault."), "message": text("For people.")}, "code", "field", "message"),
		}, "status", "error")
	}
	all := object{
		"Event":      s.eventShape(),
		"Prediction": record("The decision on one event.", prediction, append([]string{"status"}, decisionAlways...)...),
		"Skipped": record("The event is one of those that are left out: by the configuration (where), or because it tells of something else than a new row.",
			object{"status": object{"const": "skipped"}, "reason": object{"enum": s.skipReasons()}}, "status", "reason"),
		"EventProblem": problem(eventCodes...),
		"Problem":      problem(append(append([]scoring.Code{}, eventCodes...), requestCodes...)...),
		"Result":       object{"oneOf": []any{ref("Prediction"), ref("Skipped"), ref("EventProblem")}},
		"DriftReport":  schemaOf(reflect.TypeFor[DriftReport]()),
		"Tensor":       s.tensorSchema(),
		"InferRequest": record("Tensors by feature, [N] or [N, 1], or the whole frame as one, [N, features] in training order.", object{
			"id": text("Comes back."), "parameters": parametersSchema(),
			"inputs": object{"type": "array", "minItems": 1, "items": ref("Tensor")},
			"outputs": object{"type": "array", "description": "What to answer with; all, where it is absent or empty.", "items": record("", object{
				"name": object{"enum": outputNames()}, "parameters": parametersSchema(),
			}, "name")},
		}, "inputs"),
		"InferResponse": record("", object{
			"model_name": text(""), "model_version": text(""), "id": text("That of the request, if it has one."), "parameters": parametersSchema(),
			"outputs": object{"type": "array", "items": record("", object{
				"name": object{"enum": outputNames()}, "datatype": object{"enum": []string{"FP64", "INT64", "BOOL", "BYTES"}},
				"shape": object{"type": "array", "items": object{"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 1},
				"data":  object{"type": "array", "items": object{"type": []string{"number", "string", "boolean"}}},
			}, "name", "datatype", "shape", "data")},
		}, "model_name", "model_version", "outputs"),
		"InferProblem": record("The one error that the protocol knows.", object{"error": text("Code, field and message in one line.")}, "error"),
		"ModelMetadata": record("", object{
			"name": text(""), "versions": object{"type": "array", "items": text("")}, "platform": text(""),
			"inputs":  object{"type": "array", "items": ref("MetadataTensor")},
			"outputs": object{"type": "array", "items": ref("MetadataTensor")},
		}, "name", "versions", "platform", "inputs", "outputs"),
		"MetadataTensor": record("", object{
			"name": text(""), "datatype": text(""), "shape": object{"type": "array", "items": object{"type": "integer", "minimum": -1}},
		}, "name", "datatype", "shape"),
	}
	if s.options.Scorer.EventFormat() == cloudEvents {
		all["CloudEvent"] = cloudEventShape(ref("Event"))
	}
	return all
}

// tensorSchema is that of an input. That the data has as many elements as the shape says cannot be said in a schema.
func (s *Server) tensorSchema() object {
	element := object{"type": []string{"number", "string", "boolean", "null"}}
	return record("", object{
		"name":       text("A feature; any other name where the shape is that of the whole frame."),
		"shape":      object{"type": "array", "items": object{"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2},
		"datatype":   object{"enum": []string{"FP64", "FP32", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8", "BOOL", "BYTES"}},
		"parameters": parametersSchema(),
		"data": object{
			"type": "array", "description": "Flat, in row-major order, or a list of rows. null is a missing value.",
			"items": object{"anyOf": []any{element, object{"type": "array", "items": element}}},
		},
	}, "name", "shape", "datatype", "data")
}

// parametersSchema is an open set of names: the protocol defines none.
func parametersSchema() object {
	return object{"type": "object", "additionalProperties": object{"type": []string{"string", "number", "boolean"}}}
}

// outputNames are those of all outputs.
func outputNames() []string {
	var names []string
	for _, o := range outputs {
		names = append(names, o.name)
	}
	return names
}
