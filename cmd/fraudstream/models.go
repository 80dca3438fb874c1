package main

import (
	"encoding/json"
	"io"
)

// modelCommand groups what can be done with a model before it serves.
type modelCommand struct {
	Keygen modelKeygenCommand `cmd:"" help:"Make a pair of keys for signing models."`
	Sign   modelSignCommand   `cmd:"" help:"Sign a bundle."`
}

// printJSON writes a result as JSON that a person can read too.
func printJSON(w io.Writer, result any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(result)
}
