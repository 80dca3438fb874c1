package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"fraudstream/cmd/fraudstream/batch"
	"fraudstream/scoring"
)

// modelDiffCommand puts two models side by side on the same rows: whoever is about to exchange one for the other sees
// which features differ, how far the scores move, and which decisions would be others. Nothing is judged: whether a
// difference is good is not for this program to say, so it ends with 0 however far the two are apart.
type modelDiffCommand struct {
	A        string   `arg:"" help:"Bundle folder or model file in force." type:"path"`
	B        string   `arg:"" help:"Bundle folder or model file that may take its place." type:"path"`
	In       string   `help:"NDJSON file of events; default: the golden rows of both." type:"path" placeholder:"FILE"`
	Features []string `help:"Feature names in training order, for model files without them." placeholder:"A,B"`
	JSON     bool     `help:"Print JSON." name:"json"`
}

// Run loads both models through the gate and compares them; a model that is refused ends it with code 3.
func (c *modelDiffCommand) Run(ctx context.Context, s streams) error {
	options := scoring.Options{Features: c.Features}
	var models [2]*scoring.Scorer
	for i, path := range []string{c.A, c.B} {
		model, err := scoring.Load(path, options)
		if err != nil {
			return &exitError{exitFindings, fmt.Errorf("model %s: %w", path, err)}
		}
		models[i] = model
	}
	rows, from, done, err := c.rows()
	if err != nil {
		return err
	}
	scores, err := compareScores(ctx, models[0], models[1], rows)
	if err := errors.Join(err, done()); err != nil {
		return err
	}
	scores.From = from
	// Scores come from the loaded models; what people wrote of them comes from their files.
	a, b := scoring.Inspect(c.A, options), scoring.Inspect(c.B, options)
	d := modelDiff{
		A: sideOf(models[0]), B: sideOf(models[1]), Scores: scores,
		Features: featureChanges(a.Features, b.Features), Metadata: metadataChanges(a.Metadata, b.Metadata),
	}
	if c.JSON {
		return printJSON(s.out, &d)
	}
	return d.print(s.out)
}

// A rowSource appends the JSON of the next row to dst; io.EOF ends it. The same dst comes back longer by one row,
// without a line feed.
type rowSource func(dst []byte) ([]byte, error)

// rowsPerBatch is how many rows are compared at a time. It bounds the memory for a file of any length, but for the 8
// bytes of each row that the quantiles want.
const rowsPerBatch = 256

// rows opens the rows to compare on, and says where they are from. Without a file they are the golden rows of both
// models, which are seldom many and never recent: enough to see that something differs, too few to see how much. done
// closes what was opened and is to be called once, after the last row.
func (c *modelDiffCommand) rows() (rows rowSource, from string, done func() error, err error) {
	if c.In != "" {
		f, err := os.Open(c.In)
		if err != nil {
			return nil, "", nil, err
		}
		return batch.Lines(f), c.In, f.Close, nil
	}
	var events [][]byte
	seen := make(map[string]bool)
	for _, path := range []string{c.A, c.B} {
		golden, err := scoring.GoldenEvents(path)
		if err != nil {
			return nil, "", nil, fmt.Errorf("model %s: %w", path, err)
		}
		// Two models of one data set often have the same rows held out.
		for _, event := range golden {
			if !seen[string(event)] {
				seen[string(event)] = true
				events = append(events, event)
			}
		}
	}
	if len(events) == 0 {
		return nil, "", nil, &exitError{exitUsage, errors.New("neither model has golden rows: give --in FILE")}
	}
	return eventRows(events), "golden rows", func() error { return nil }, nil
}

// eventRows gives events one after the other. One that spans lines is a row all the same. The bytes are copied,
// without the white space around them.
func eventRows(events [][]byte) rowSource {
	return func(dst []byte) ([]byte, error) {
		if len(events) == 0 {
			return dst, io.EOF
		}
		dst = append(dst, bytes.TrimSpace(events[0])...)
		events = events[1:]
		return dst, nil
	}
}

// compareScores takes every row through both models, a batch at a time. Each model reads the event in its own way,
// with its own features and types, and so a row may be refused by one of them: that too is a difference, and is
// counted as one. There are two batches for the whole comparison, and the bytes of 256 rows: what was said of a row
// is added up before the next rows are read.
func compareScores(ctx context.Context, a, b *scoring.Scorer, rows rowSource) (*scoreChanges, error) {
	var (
		changes = newScoreChanges()
		left    = a.NewBatch(rowsPerBatch)
		right   = b.NewBatch(rowsPerBatch)
		text    []byte
		ends    []int
	)
	for n, done := int64(0), false; !done; n += int64(len(ends)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		text, ends = text[:0], ends[:0]
		for len(ends) < rowsPerBatch {
			// Every row of these sources is taken for JSON; the models say what is wrong with it.
			row, err := rows(text)
			if errors.Is(err, io.EOF) {
				done = true
				break
			}
			if err != nil {
				return nil, fmt.Errorf("row %d: %w", n+int64(len(ends))+1, err)
			}
			text, ends = row, append(ends, len(row))
		}
		// Both read the same bytes; a batch only views them.
		fill(left, text, ends, n)
		fill(right, text, ends, n)
		a.Score(left)
		b.Score(right)
		for i := range ends {
			changes.add(n+int64(i)+1, a, b, &left.Results[i], &right.Results[i])
		}
	}
	changes.finish()
	return changes, nil
}

// fill makes events of the rows that end at ends; n is the number of rows before them. The events are views of text
// and valid until it is written to again.
func fill(batch *scoring.Batch, text []byte, ends []int, n int64) {
	batch.Events = batch.Events[:0]
	begin := 0
	for i, end := range ends {
		batch.Events = append(batch.Events, scoring.Event{
			Value: text[begin:end], Origin: scoring.Origin{Row: n + int64(i) + 1},
		})
		begin = end
	}
}
