package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// modelCommand groups what can be done with a model before it serves.
type modelCommand struct {
	Inspect modelInspectCommand `cmd:"" help:"Show what a model holds, whether it would load or not."`
	Verify  modelVerifyCommand  `cmd:"" help:"Take a model through the whole gate and print the figures."`
	Diff    modelDiffCommand    `cmd:"" help:"Put two models side by side on the same rows."`
	Keygen  modelKeygenCommand  `cmd:"" help:"Make a pair of keys for signing models. Its password comes from a file, from $$FRAUDSTREAM_KEY_PASSWORD or from a terminal."`
	Sign    modelSignCommand    `cmd:"" help:"Sign a bundle."`
}

// printJSON writes a result as JSON that a person can read too.
func printJSON(w io.Writer, result any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(result)
}

// A table lines up the results that people read. Cells are whatever fmt.Fprint writes; a cell with a tabulator in it
// would begin another column.
type table struct{ w *tabwriter.Writer }

// newTable writes to w, nothing before flush: the width of a column is that of its widest cell.
func newTable(w io.Writer) table { return table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// row writes the cells of one line; the last column is not padded.
func (t table) row(cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(t.w, "\t")
		}
		fmt.Fprint(t.w, cell)
	}
	fmt.Fprintln(t.w)
}

// flush lines up what was written; the writer keeps the first error until here.
func (t table) flush() error { return t.w.Flush() }
