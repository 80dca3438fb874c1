package scoring

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// jsonSchema is a JSON Schema (2020-12) under construction.
type jsonSchema = map[string]any

// EventSchema describes the events that the scorer reads, as a JSON Schema: where the mapping finds each value, what
// it must be, and whether the event can do without it. It tells nothing of fields that are not read, which an event
// may have as it likes. The caller may change the result.
func (s *Scorer) EventSchema() map[string]any {
	root := newPlace()
	root.required = true
	for i, in := range s.Inputs() {
		f := &s.schema.features[i]
		if f.from != nil {
			s.describeOperands(root, f, in.Nullable)
			continue
		}
		field := s.mapping.Fields[f.name]
		nullable := in.Nullable || f.hasDefault
		root.add(f.name, field.Path, s.describeField(&in, field, nullable), !nullable || f.absentRejected)
	}
	root.add("", s.schema.idPath, jsonSchema{
		"type": []string{"string", "number", "null"}, "description": "The id of the transaction. Without it, the id of the decision stands in.",
	}, false)
	root.add("", s.schema.time.path, shapeOfTime(s.mapping.Time.Type, "When it happened, by RFC 3339, from the year 1678 to 2261."), false)
	schema := root.schema()
	schema["maxProperties"] = maxKeys
	return schema
}

// describeField is the schema of a feature that is read from a field.
func (s *Scorer) describeField(in *Input, field Field, nullable bool) jsonSchema {
	var out jsonSchema
	switch field.Type {
	case "", "json":
		out = in.Schema()
		if !nullable || in.Nullable {
			return out
		}
		return withNull(out)
	case "bool_text":
		words := slices.Sorted(maps.Keys(field.Map))
		if len(words) == 0 {
			words = []string{"false", "true"}
		}
		out = jsonSchema{"type": "string", "enum": words}
	case "integer_text":
		out = jsonSchema{"type": "string", "pattern": `^[+-]?[0-9]+$`}
	case "decimal":
		out = jsonSchema{"type": "string", "pattern": `^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`}
	default:
		out = jsonSchema{"type": "string", "contentEncoding": "base64", "description": "A big-endian two's complement number."}
	}
	if nullable {
		return withNull(out)
	}
	return out
}

// Schema is the JSON Schema of a value of the feature, null included where a row without it is scored.
func (in *Input) Schema() map[string]any {
	if in.Closed && !in.Numbers && !in.Booleans {
		values := make([]any, 0, len(in.Known)+1)
		for _, text := range in.Known {
			values = append(values, text)
		}
		if in.Nullable {
			values = append(values, nil)
		}
		return jsonSchema{"enum": values}
	}
	var types []string
	for _, t := range []struct {
		name string
		is   bool
	}{{"number", in.Numbers && !in.ZeroOne}, {"boolean", in.Booleans}, {"string", in.Texts}, {"null", in.Nullable}} {
		if t.is {
			types = append(types, t.name)
		}
	}
	out := jsonSchema{"type": types}
	if len(types) == 1 {
		out["type"] = types[0]
	}
	if in.ZeroOne {
		out = jsonSchema{"enum": []any{true, false, 0, 1}}
		if in.Nullable {
			out["enum"] = append(out["enum"].([]any), nil)
		}
	}
	if in.Limit > 0 {
		out["minimum"], out["maximum"] = -in.Limit, in.Limit
	}
	if len(in.Known) > 0 {
		out["examples"] = in.Known
		out["description"] = "The model knows the examples; any other text is scored as one that training did not see."
	}
	return out
}

// yearsOfTime are those that Unix nanoseconds reach whole, 1678 to 2261.
const yearsOfTime = "^(167[89]|16[89][0-9]|1[7-9][0-9]{2}|2[01][0-9]{2}|22[0-5][0-9]|226[01])-"

// withNull lets null stand for a value as well.
func withNull(s jsonSchema) jsonSchema {
	return jsonSchema{"anyOf": []any{s, jsonSchema{"type": "null"}}}
}

// shapeOfTime is the schema of a time that may be missing.
func shapeOfTime(kind, description string) jsonSchema {
	switch kind {
	case "", "rfc3339":
		return jsonSchema{"type": []string{"string", "null"}, "format": "date-time", "pattern": yearsOfTime, "description": description}
	case "layout":
		return jsonSchema{"type": []string{"string", "null"}, "description": "When it happened, in the layout of the configuration."}
	}
	unit := strings.TrimPrefix(kind, "epoch_")
	return jsonSchema{"type": []string{"number", "null"}, "description": "When it happened, in " + unit + " since 1970."}
}

// describeOperands adds the fields that a feature is computed from, except those that are features themselves or the
// time of the event.
func (s *Scorer) describeOperands(root *place, f *feature, nullable bool) {
	for i := range f.from.operands {
		o := &f.from.operands[i]
		if o.judged {
			continue
		}
		field := s.mapping.Fields[o.field.name]
		about := "What " + f.name + " is computed from."
		out := jsonSchema{"type": []string{"number", "null"}, "description": about}
		switch {
		case o.isTime:
			out = shapeOfTime(cmp.Or(field.Type, "rfc3339"), about)
		case field.Type != "" && field.Type != "json":
			out = s.describeField(&Input{Numbers: true}, field, true)
		}
		root.add(o.field.name, field.Path, out, !nullable && !o.field.hasDefault)
	}
}

// A place is a node of the event: a value that is read, or an object or array on the way to one.
type place struct {
	values   []jsonSchema
	required bool
	fields   map[string]*place
	items    map[int]*place
}

func newPlace() *place { return &place{fields: map[string]*place{}, items: map[int]*place{}} }

// add puts a value at the end of its path, or under the name of its feature where it has none. All that a required
// value lies in is required as well.
func (p *place) add(name, path string, value jsonSchema, required bool) {
	steps := []step{{name, -1}}
	if path != "" {
		steps, _ = parsePath(path) // the schema was compiled from it
	}
	p.required = p.required || required
	for _, at := range steps {
		next := p.fields[at.name]
		if at.index >= 0 {
			next = p.items[at.index]
		}
		if next == nil {
			next = newPlace()
			if at.index >= 0 {
				p.items[at.index] = next
			} else {
				p.fields[at.name] = next
			}
		}
		p = next
		p.required = p.required || required
	}
	p.values = append(p.values, value)
}

// schema is that of the place with all that lies in it. What several features read must suit all of them.
func (p *place) schema() jsonSchema {
	switch {
	case len(p.values) == 1:
		return p.values[0]
	case len(p.values) > 1:
		all := make([]any, len(p.values))
		for i, v := range p.values {
			all[i] = v
		}
		return jsonSchema{"allOf": all}
	case len(p.items) > 0:
		return p.array()
	}
	properties, required := jsonSchema{}, []string{}
	for _, name := range slices.Sorted(maps.Keys(p.fields)) {
		properties[name] = p.fields[name].schema()
		if p.fields[name].required {
			required = append(required, name)
		}
	}
	out := jsonSchema{"type": p.container("object"), "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// array is the schema of a place whose elements are read by their numbers.
func (p *place) array() jsonSchema {
	elements, least := make([]any, slices.Max(slices.Collect(maps.Keys(p.items)))+1), 0
	for i := range elements {
		elements[i] = true
		if item := p.items[i]; item != nil {
			elements[i] = item.schema()
			if item.required {
				least = i + 1
			}
		}
	}
	out := jsonSchema{"type": p.container("array"), "prefixItems": elements}
	if least > 0 {
		out["minItems"] = least
	}
	return out
}

// container is the type of what lies between the event and a value: null stands for it where nothing in it is needed.
func (p *place) container(name string) any {
	if p.required {
		return name
	}
	return []string{name, "null"}
}

// EventFormat is the envelope of events: json, which is none, cloudevents or debezium.
func (s *Scorer) EventFormat() string { return s.schema.format }
