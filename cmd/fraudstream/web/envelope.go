package web

import (
	"maps"

	"fraudstream/scoring"
)

// The formats of events that have an envelope, as event.format names them. What each of them is around is described
// here; what stands in it, the fields that the model reads, is described by scoring.Scorer.EventSchema. Both are held
// against the door by tests: what these schemas take is answered with 200, what they refuse with 400.
const (
	cloudEvents = "cloudevents"
	debezium    = "debezium"
)

// eventShape is the schema of one event in the body of a request of the type application/json: an object with the
// fields, the data of a CloudEvent in binary mode, or a change event of Debezium.
func (s *Server) eventShape() object {
	event := s.options.Scorer.EventSchema()
	event["description"] = "A transaction. Fields that the model does not read are let pass; no key may come twice."
	switch s.options.Scorer.EventFormat() {
	case debezium:
		return changeShape(event)
	case cloudEvents:
		event["description"] = "The data of a CloudEvent in binary mode, whose attributes are headers. " + event["description"].(string)
	}
	return event
}

// maxProperties is how many keys an object may have; the scanner refuses more wherever they stand.
const maxProperties = 1024

// changeShape is the schema of a change event of Debezium, from the JSON converter with its schema (the event is the
// member payload, and null stands for a tombstone) or without (the event is the whole). A row that was inserted (c)
// or was there before (r) has its new state in after; any other operation is taken and skipped, whatever else it
// holds.
func changeShape(row object) object {
	inserted := object{"properties": object{"op": object{"enum": []string{"c", "r"}}}}
	change := func() object {
		return object{
			"type": "object", "required": []string{"op"}, "maxProperties": maxProperties,
			"properties": object{"op": object{"enum": []string{"c", "r", "u", "d", "t", "m"}}},
			"if":         inserted, "then": object{"required": []string{"after"}, "properties": object{"after": row}},
		}
	}
	framed := func(description string, payload, beside object) object {
		properties := object{"payload": payload}
		maps.Copy(properties, beside)
		return object{
			"type": "object", "description": description, "required": []string{"payload"}, "maxProperties": maxProperties, "properties": properties,
		}
	}
	bare := change()
	bare["description"] = "Without the schema of the converter."
	bare["properties"].(object)["payload"] = false
	return object{
		"description": "A change event of Debezium. Inserted and read rows (op c and r) are scored, all others are skipped.",
		"oneOf": []any{
			bare,
			framed("With the schema of the converter beside it.", change(), object{"after": false, "op": false}),
			framed("A tombstone with the schema of the converter.", object{"type": "null"}, nil),
		},
	}
}

// cloudEventShape is the schema of a CloudEvent 1.0 in structured mode. Of its attributes only those are demanded
// without which the data cannot be read; id, source and type are let pass, be they there or not.
func cloudEventShape(data object) object {
	const media = `^\s*([^/;]*/([^;]+\+)?[jJ][sS][oO][nN])?\s*(;.*)?$` // none, …/json or …/…+json, with parameters
	return object{
		"type": "object", "description": "A CloudEvent 1.0 in structured mode, with JSON as its data.",
		"required": []string{"specversion"}, "maxProperties": maxProperties,
		"properties": object{
			"specversion":     object{"const": "1.0"},
			"datacontenttype": object{"description": "That of the data: JSON, if it is a text.", "pattern": media},
			"id":              object{}, "source": object{}, "type": object{},
		},
		"oneOf": []any{
			object{"required": []string{"data"}, "properties": object{"data": data, "data_base64": object{"type": "null"}}},
			object{"required": []string{"data_base64"}, "properties": object{"data": false, "data_base64": object{
				"type": "string", "contentEncoding": "base64", "contentMediaType": "application/json", "contentSchema": data,
			}}},
		},
	}
}

// requestTypes are the media types of the body of /predict that hold JSON, with their schemas and examples. One event
// alone and an array of events may come as any of them, but for the batch of CloudEvents, which is an array.
func (s *Server) requestTypes() object {
	bare := func(event object) object { return event }
	switch s.options.Scorer.EventFormat() {
	case debezium:
		return object{"application/json": s.eventBody("Event", func(event object) object {
			return object{"payload": object{"before": nil, "after": event, "op": "c"}}
		})}
	case cloudEvents:
		whole := func(event object) object {
			return object{"specversion": "1.0", "id": "1", "source": "/terminals", "type": "payment", "data": event}
		}
		batch := s.eventBody("CloudEvent", whole)
		batch["schema"] = s.several()
		if examples, ok := batch["examples"].(object); ok {
			delete(examples, "one")
		}
		return object{
			"application/json":                   s.eventBody("Event", bare),
			"application/cloudevents+json":       s.eventBody("CloudEvent", whole),
			"application/cloudevents-batch+json": batch,
		}
	default:
		return object{"application/json": s.eventBody("Event", bare)}
	}
}

// eventBody is a body of one event, by the name of its schema, or of several. The examples are the typical event of the
// model with what enclose puts around it; there are none where it takes a person to write one.
func (s *Server) eventBody(schema string, enclose func(event object) object) object {
	body := object{"schema": object{"anyOf": []any{ref(schema), s.several()}}}
	if event := s.example(); event != nil {
		one := enclose(event)
		body["examples"] = object{
			"one":     object{"summary": "One event", "value": one},
			"several": object{"summary": "Several events", "value": []any{one, one}},
		}
	}
	return body
}

// several is an array of events, of which each that is none gets an error of its own.
func (s *Server) several() object {
	return object{"type": "array", "items": true, "maxItems": s.limits.Rows}
}

// formatWords say of the format what a schema cannot.
func (s *Server) formatWords() string {
	switch s.options.Scorer.EventFormat() {
	case debezium:
		return " Events are messages of Debezium; an empty body is a tombstone and skipped."
	case cloudEvents:
		return " Events are CloudEvents: in binary mode, with the header ce-specversion and the data as application/json; in structured mode, as application/cloudevents+json; or several structured ones as application/cloudevents-batch+json."
	default:
		return ""
	}
}

// formatHeaders are the parameters of /predict that a format has.
func (s *Server) formatHeaders() []any {
	if s.options.Scorer.EventFormat() != cloudEvents {
		return nil
	}
	return []any{object{
		"name": "ce-specversion", "in": "header", "schema": object{"const": "1.0"},
		"description": "Of a CloudEvent in binary mode, without which its data is refused; a structured one has it inside.",
	}}
}

// skipReasons are the words that an event of this format can be skipped with.
func (s *Server) skipReasons() []string {
	var words []string
	for why := range scoring.Skip(scoring.Skips) {
		if why == scoring.SkipWhere || s.options.Scorer.EventFormat() == debezium {
			words = append(words, why.String())
		}
	}
	return words
}

// eventRecord is the schema of the value of a record of the input topic: what a request takes as one event, and what a
// topic has besides.
func (s *Server) eventRecord() object {
	event := s.eventShape()
	switch s.options.Scorer.EventFormat() {
	case debezium:
		return object{"description": "A change event of Debezium, or the tombstone after a deletion.", "anyOf": []any{event, object{"type": "null"}}}
	case cloudEvents:
		return object{
			"description": "A CloudEvent: the whole of it with the content-type application/cloudevents+json, else its data, with the header ce_specversion.",
			"anyOf":       []any{cloudEventShape(event), event},
		}
	default:
		return event
	}
}
