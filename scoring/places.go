package scoring

import (
	"cmp"
	"slices"
	"strings"

	"fraudstream/scoring/program"
)

// A Place is one place of an event that is read, for whoever makes events out of something else: a file that has
// columns instead of fields, and types of its own, must know what is wanted of each.
type Place struct {
	Column string   // the path as a flat table names it: without quotes, dots and all
	Keys   []string // the path's names from the outside in, up to the first array index
	Text   bool     // JSON text is wanted: a category that is text, or a number or time in quotes
	Time   string   // of a time: rfc3339, layout, epoch_s, epoch_ms or epoch_us
	Layout string   // of a time of type layout

	Optional bool // events do without: the id and the time
}

// IDPaths are where whole events have their id, whatever their format has around the fields, for whoever looks into an event
// without a scorer: the names from the outside in, joined by dots, without quotes and without the indices of arrays. There is
// one for each form that an event of the format may have.
func (m Mapping) IDPaths() []string {
	id := cmp.Or(m.ID.Path, defaultID)
	if path, err := parsePath(id); err == nil { // if not, no model can be loaded with it
		var names []string
		for _, s := range path {
			if s.index < 0 {
				names = append(names, s.name)
			}
		}
		id = strings.Join(names, ".")
	}
	switch m.Format {
	case formatCloudEvents:
		return []string{id, "data." + id} // in binary and in structured mode
	case formatDebezium:
		return []string{"payload.after." + id, "after." + id} // with the schema in front and without
	}
	return []string{id}
}

// Places lists where things are read of an event under the mapping that the model was loaded with: features, the fields that
// features are computed from, id, time and where. A place that two of them read comes once for each.
func (s *Scorer) Places(m Mapping) []Place {
	var list []Place
	add := func(name, path string, in Place) {
		in.Column, in.Keys = cmp.Or(strings.Trim(path, `"`), name), []string{name}
		if steps, err := parsePath(path); path != "" && err == nil { // it was compiled at load
			in.Keys = outerKeys(steps)
		}
		list = append(list, in)
	}
	if m.Where != nil {
		_, text := m.Where.In[0].(string)
		add("", m.Where.Path, Place{Text: text})
	}
	add(defaultID, m.ID.Path, Place{Text: true, Optional: true})
	event := Place{Optional: true, Time: cmp.Or(m.Time.Type, "rfc3339"), Layout: m.Time.Layout}
	event.Text = !strings.HasPrefix(event.Time, "epoch_")
	add(defaultTime, m.Time.Path, event)
	for i := range s.schema.features {
		f := &s.schema.features[i]
		if f.from == nil {
			field := m.Fields[f.name]
			converts := field.Type != "" && field.Type != "json"
			text := s.Program.Columns[i].Domain.Type() == program.String
			add(f.name, field.Path, Place{Text: converts || text})
			continue
		}
		for _, o := range f.from.operands {
			if o.eventTime {
				continue
			}
			field := m.Fields[o.field.name]
			in := Place{Text: field.Type != "" && field.Type != "json"}
			if o.isTime {
				in.Time = cmp.Or(field.Type, "rfc3339")
				in.Text = in.Time == "rfc3339"
			}
			add(o.field.name, field.Path, in)
		}
	}
	return list
}

// outerKeys are the names before the first index.
func outerKeys(steps []step) (keys []string) {
	end := slices.IndexFunc(steps, func(s step) bool { return s.index >= 0 })
	if end < 0 {
		end = len(steps)
	}
	for _, s := range steps[:end] {
		keys = append(keys, s.name)
	}
	return keys
}
