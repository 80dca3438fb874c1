package batch

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"fraudstream/scoring"
)

// value is a value of a column with its levels; v is nil for what stands where there is no value.
func value(column, repetition, definition int, v any) parquet.Value {
	return parquet.ValueOf(v).Level(repetition, definition, column)
}

// writeRows writes rows of raw values, which no writer holds against each other, a row group for each list of rows.
func writeRows(t *testing.T, schema *parquet.Schema, groups ...[]parquet.Row) string {
	t.Helper()
	var file bytes.Buffer
	w := parquet.NewWriter(&file, schema, parquet.DataPageVersion(1))
	for _, rows := range groups {
		if _, err := w.WriteRows(rows); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "damaged.parquet")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// listSchema has a number, a list of pairs, of which y may be null, and an optional pair of numbers.
func listSchema() *parquet.Schema {
	number := parquet.Leaf(parquet.Int64Type)
	return parquet.NewSchema("t", parquet.Group{
		"amount": number,
		"list":   parquet.Repeated(parquet.Group{"x": number, "y": parquet.Optional(number)}),
		"pair":   parquet.Optional(parquet.Group{"a": number, "b": number}),
	})
}

// row is a row of listSchema: what stands in list.x and list.y, and then the pair.
func row(list []parquet.Value, pair ...parquet.Value) parquet.Row {
	row := append(parquet.Row{value(0, 0, 0, int64(7))}, list...)
	if pair == nil {
		pair = []parquet.Value{value(3, 0, 1, int64(1)), value(4, 0, 1, int64(2))}
	}
	return append(row, pair...)
}

// TestColumnsThatContradict reads files whose columns do not agree on what is there: where a list ends, or whether a pair
// is null. Such a row is no row with a zero in it or with a part left out, and no panic: the file is refused, with the place.
func TestColumnsThatContradict(t *testing.T) {
	x := func(repetition int) parquet.Value { return value(1, repetition, 1, int64(4)) }
	y := func(repetition int) parquet.Value { return value(2, repetition, 2, int64(5)) }
	noX, noY, nullY := value(1, 0, 0, nil), value(2, 0, 0, nil), value(2, 0, 1, nil)
	whole := row([]parquet.Value{x(0), x(1), y(0), y(1)})
	for name, c := range map[string]struct {
		row  parquet.Row
		want string // a column; or the row, where it is sound
	}{
		"whole":                    {whole, `{"amount":7,"list":[{"x":4,"y":5},{"x":4,"y":5}],"pair":{"a":1,"b":2}}`},
		"an empty list":            {row([]parquet.Value{noX, noY}), `{"amount":7,"list":[],"pair":{"a":1,"b":2}}`},
		"a null in the list":       {row([]parquet.Value{x(0), nullY}), `{"amount":7,"list":[{"x":4,"y":null}],"pair":{"a":1,"b":2}}`},
		"no pair":                  {row([]parquet.Value{noX, noY}, value(3, 0, 0, nil), value(4, 0, 0, nil)), `{"amount":7,"list":[],"pair":null}`},
		"the second is shorter":    {row([]parquet.Value{x(0), x(1), y(0)}), "list.y"},
		"the second is longer":     {row([]parquet.Value{x(0), y(0), y(1)}), "list.y"},
		"the first is empty":       {row([]parquet.Value{noX, y(0)}), "list.y"},
		"the second is empty":      {row([]parquet.Value{x(0), noY}), "list.y"},
		"longer than empty":        {row([]parquet.Value{noX, x(1), noY}), "list.x"},
		"a pair of which one is":   {row([]parquet.Value{noX, noY}, value(3, 0, 1, int64(1)), value(4, 0, 0, nil)), "pair.b"},
		"a pair of which none was": {row([]parquet.Value{noX, noY}, value(3, 0, 0, nil), value(4, 0, 1, int64(1))), "pair.b"},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeRows(t, listSchema(), []parquet.Row{whole, whole}, []parquet.Row{whole, c.row})
			rows, err := tableRows(path, nil)
			if strings.HasPrefix(c.want, "{") {
				if err != nil || len(rows) != 4 || rows[3] != c.want {
					t.Errorf("%v, %s", err, rows)
				}
				return
			}
			if want := "row 4: row group 2, column " + c.want + ":"; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("%v, %s\nwant %s", err, rows, want)
			}
		})
	}
}

// TestDamageEndsTheRun reads such a file as score and drift do: the error names it, and the process lives.
func TestDamageEndsTheRun(t *testing.T) {
	list := parquet.Repeated(parquet.Group{"x": parquet.Leaf(parquet.Int64Type), "y": parquet.Leaf(parquet.Int64Type)})
	schema := parquet.NewSchema("t", parquet.Group{"amount": list})
	path := writeRows(t, schema, []parquet.Row{{
		value(0, 0, 1, int64(1)), value(0, 1, 1, int64(1)), value(1, 0, 1, int64(1)),
	}})
	in, err := Open(path, demoModel(t), Options{Format: Parquet})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	_, err = Each(t.Context(), demoModel(t), in, func(int64, *scoring.Result) error { return nil })
	if err == nil || !strings.HasPrefix(err.Error(), path+": row 1: row group 1, column amount.y:") {
		t.Errorf("it ends with %v", err)
	}
}

// TestPanicOfAWorker is a file that the library answers with a panic when its rows are made JSON.
func TestPanicOfAWorker(t *testing.T) {
	reader := &tableReader{shape: &shape{root: node{kind: groupNode}}}
	c := &chunk{raw: rawRows{rows: 1}}
	reader.shape.root.fields = []field{{node: node{write: func([]byte, parquet.Value) []byte { panic("no such value") }, leaves: 1}}}
	reader.shape.leaves = []int{0}
	c.raw.values = []parquet.Value{value(0, 0, 0, int64(1))}
	if reader.render(c); c.err == nil || !strings.Contains(c.err.Error(), "the file is damaged: no such value") {
		t.Errorf("it ends with %v", c.err)
	}
}

// TestColumnBeginsWithinAList reads a column whose first value goes on with a list that never began.
func TestColumnBeginsWithinAList(t *testing.T) {
	path := writeRows(t, listSchema(), []parquet.Row{row([]parquet.Value{value(1, 1, 1, int64(4)), value(1, 0, 1, int64(4)), value(2, 0, 2, int64(5))})})
	rows, err := tableRows(path, nil)
	if want := "row group 1, column list.x: it begins within a list: the file is damaged"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, %s\nwant %s", err, rows, want)
	}
}
