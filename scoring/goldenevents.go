package scoring

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// GoldenEvents returns the golden rows of a bundle as events that any model can be asked about: the events that
// golden.json gives, else one object per row with the columns as keys. It is nil for a model without golden rows. What
// the rows say is believed; [Load] is what checks them.
//
// Its use is the comparison of two models: the same events are put to both, whatever their columns are.
func GoldenEvents(path string) ([][]byte, error) {
	s, err := open(path)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if s.bundle == nil {
		return nil, nil
	}
	m, err := parseMetadata(s.bundle)
	if err != nil || m.Golden == nil {
		return nil, err
	}
	g := gate{source: s, meta: m}
	data, err := g.readGolden()
	if err != nil {
		return nil, err
	}
	file := new(goldenFile)
	if err := json.Unmarshal(data, file); err != nil {
		return nil, jsonError(goldenMismatch, "golden.json", err)
	}
	return file.asEvents()
}

// asEvents returns the events of the file, else its rows as objects. An event of a row has every field under
// its own name, which a scorer without a mapping reads.
func (f *goldenFile) asEvents() ([][]byte, error) {
	events, err := newList("events", f.Events)
	if err != nil {
		return nil, err
	}
	rows, err := newList("rows", f.Rows)
	if err != nil {
		return nil, err
	}
	// Rows and events are both as many as the scores, or the gate would have refused the bundle.
	var all [][]byte
	for range f.Score {
		raw := rows.next()
		if events.given {
			all = append(all, events.next())
			continue
		}
		event, err := f.asEvent(raw)
		if err != nil {
			return nil, err
		}
		all = append(all, event)
	}
	return all, nil
}

// asEvent writes one row as an object. A missing value stays null. The values are copied as text, so a number
// keeps all its digits.
func (f *goldenFile) asEvent(raw jsontext.Value) ([]byte, error) {
	var cells []jsontext.Value
	if json.Unmarshal(raw, &cells) != nil || len(cells) != len(f.Columns) {
		return nil, refuse(goldenMismatch, "golden.json: rows", "a row has not one value for each of %d columns", len(f.Columns))
	}
	event := []byte{'{'}
	for i, cell := range cells {
		if i > 0 {
			event = append(event, ',')
		}
		event = append(appendString(event, f.Columns[i]), ':')
		event = append(event, cell...)
	}
	return append(event, '}'), nil
}
