package web

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"

	"fraudstream/scoring/program"
)

// labelOf is a class label as a decision has it: a JSON number, truth value or text by the type of the training
// labels, null for Python's None. It is for the description alone, where the labels are listed as what predicted may
// say.
func labelOf(c program.Constant) any {
	switch c.Type {
	case program.Number:
		return c.Num
	case program.Bool:
		return c.Num != 0
	case program.String:
		return c.Text
	default:
		return nil
	}
}

// example is an event that the model scores; nil where one cannot be made up, because fields stand elsewhere. The id
// and the time are made up, and stand where an event has them by default, since a mapping that moves anything has no
// example; the time is fixed, so that the same model has the same description, byte for byte, in every process.
func (s *Server) example() object {
	event := s.options.Scorer.ExampleEvent()
	if event != nil {
		event["transaction_id"], event["event_time"] = "t-1", "2026-11-22T10:15:00Z"
	}
	return event
}

// exampleTable is the same event as a table of one row; empty where there is none. The columns are sorted, because
// the order of a map is another each time, and the text is a document that people compare. A missing value is an
// empty cell, as the reader of tables takes it.
func (s *Server) exampleTable() (header, row string) {
	event := s.example()
	var names, cells []string
	for name := range event {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		cell := ""
		if event[name] != nil {
			cell = fmt.Sprint(event[name])
		}
		cells = append(cells, cell)
	}
	line := func(cells []string) string {
		var out bytes.Buffer
		w := csv.NewWriter(&out)
		_ = w.Write(cells) // a buffer takes everything
		w.Flush()
		return string(bytes.TrimRight(out.Bytes(), "\n"))
	}
	return line(names), line(cells)
}

// exampleTensors is a request of one row with a tensor for each feature: numbers as FP64, categories as BYTES or
// BOOL, and two of the outputs, so that a reader sees that they can be chosen. The values are those of a typical row
// (means, first categories), so the example can be sent as it stands and is answered with 200; the tests do so.
func (s *Server) exampleTensors() object {
	var inputs []any
	for i, value := range s.plain.ExampleRow() {
		datatype := "FP64"
		switch value.(type) {
		case string:
			datatype = "BYTES"
		case bool:
			datatype = "BOOL"
		}
		inputs = append(inputs, object{"name": s.inputs[i].Name, "datatype": datatype, "shape": []int{1}, "data": []any{value}})
	}
	return object{"id": "q-1", "inputs": inputs, "outputs": []any{object{"name": "score"}, object{"name": "decision"}}}
}
