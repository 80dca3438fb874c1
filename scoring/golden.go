package scoring

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"fraudstream/scoring/program"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// fewGolden is the number of golden rows below which a warning says that they show little.
const fewGolden = 20

// goldenFile is golden.json: rows that the model has not seen, and what scikit-learn said of them. Rows and events
// stay JSON text and are read one at a time, so that a large file does not become a much larger heap.
type goldenFile struct {
	Columns   []string                  `json:"columns"`
	Rows      jsontext.Value            `json:"rows"`
	Score     []float64                 `json:"score"`
	Predicted []jsontext.Value          `json:"predicted"`
	Label     []jsontext.Value          `json:"label"` // the older name of predicted
	Truth     jsontext.Value            `json:"truth"`
	Events    jsontext.Value            `json:"events"`
	Unknown   map[string]jsontext.Value `json:",embed"`
}

// checkGolden scores the golden rows and refuses a model that gives other scores, other classes, or none.
func (g *gate) checkGolden(s *Scorer, data []byte) error {
	file := new(goldenFile)
	if err := json.Unmarshal(data, file); err != nil {
		return jsonError(goldenMismatch, "golden.json", err)
	}
	if file.Predicted == nil {
		file.Predicted = file.Label
	}
	if err := file.checkShape(g.meta.Features); err != nil {
		return err
	}
	tolerance := defaultTolerance
	if t := g.meta.Golden.Tolerance; t != nil {
		tolerance = *t
	}
	check := goldenCheck{scorer: s, file: file, tolerance: tolerance}
	if err := check.run(); err != nil {
		return err
	}
	g.tryMissing(s, check.first)
	if n := len(file.Score); n < fewGolden {
		g.warn("%d golden rows show little; save_bundle writes 200", n)
	}
	g.bundle.GoldenRows = len(file.Score)
	g.bundle.GoldenMaxDiff, g.bundle.GoldenBitEqual = check.maxDiff, check.bitEqual
	return nil
}

// tryMissing warns of features that may be missing by the metadata and that the pipeline cannot do without: a golden
// row is scored with that value alone missing.
func (g *gate) tryMissing(s *Scorer, row []any) {
	for i, f := range g.meta.Features {
		if f.Missing != "allowed" || row == nil {
			continue
		}
		without := slices.Clone(row)
		without[i] = nil
		if _, _, refused := s.scoreRow(without); refused != nil {
			g.warn("%q may be missing by the metadata, but the pipeline has no score then: such events are %s", f.Name, refused.Code)
		}
	}
}

// checkShape compares the columns with the features and the number of predictions with that of scores.
func (f *goldenFile) checkShape(features []featureEntry) error {
	if !slices.EqualFunc(f.Columns, features, func(c string, e featureEntry) bool { return c == e.Name }) {
		return refuse(goldenMismatch, "golden.json: columns", "%q are not the features in their order", f.Columns)
	}
	if f.Predicted != nil && len(f.Predicted) != len(f.Score) {
		return refuse(goldenMismatch, "golden.json: predicted", "%d predictions for %d scores", len(f.Predicted), len(f.Score))
	}
	return nil
}

// A goldenCheck is under way through the rows.
type goldenCheck struct {
	scorer    *Scorer
	file      *goldenFile
	tolerance float64
	first     []any // the first row
	maxDiff   float64
	bitEqual  int
}

func (c *goldenCheck) run() error {
	rows, err := items("rows", c.file.Rows)
	if err != nil {
		return err
	}
	events, err := items("events", c.file.Events)
	if err != nil {
		return err
	}
	n := 0
	for raw := rows(); raw != nil; raw = rows() {
		if n == len(c.file.Score) {
			return refuse(goldenMismatch, "golden.json: score", "%d scores for more rows", n)
		}
		row, err := c.row(n, raw)
		if err != nil {
			return err
		}
		if err := c.compare(n, row); err != nil {
			return err
		}
		if n == 0 {
			c.first = row
		}
		if len(c.file.Events) > 0 {
			if err := c.event(n, events(), row); err != nil {
				return err
			}
		}
		n++
	}
	switch {
	case n < len(c.file.Score):
		return refuse(goldenMismatch, "golden.json: score", "%d scores for %d rows", len(c.file.Score), n)
	case events() != nil:
		return refuse(goldenMismatch, "golden.json: events", "more events than the %d rows", n)
	}
	return nil
}

// row reads the values of one row.
func (c *goldenCheck) row(n int, raw jsontext.Value) ([]any, error) {
	at := fmt.Sprintf("golden.json: rows[%d]", n)
	var cells []jsontext.Value
	if err := json.Unmarshal(raw, &cells); err != nil {
		return nil, refuse(goldenMismatch, at, "is no list of values")
	}
	if len(cells) != len(c.file.Columns) {
		return nil, refuse(goldenMismatch, at, "%d values for %d columns", len(cells), len(c.file.Columns))
	}
	values := make([]any, len(cells))
	for i, cell := range cells {
		if cell.Kind() == 'n' {
			continue
		}
		constant, ok := scalar(cell)
		if !ok {
			return nil, refuse(goldenMismatch, fmt.Sprintf("%s[%d]", at, i), "is no value of %q but a list or an object",
				c.file.Columns[i])
		}
		values[i] = goValue(constant)
	}
	return values, nil
}

// goValue is a JSON scalar as Go has it.
func goValue(c program.Constant) any {
	switch c.Type {
	case program.Bool:
		return c.Num != 0
	case program.String:
		return c.Text
	default:
		return c.Num
	}
}

// compare scores one row and compares score and prediction.
func (c *goldenCheck) compare(n int, row []any) error {
	got, class, refused := c.scorer.scoreRow(row)
	if refused != nil {
		return refuse(goldenMismatch, fmt.Sprintf("golden.json: rows[%d]", n), "has a score, but here it is refused: %s: %s: %s",
			refused.Code, refused.Field, refused.Message)
	}
	want := c.file.Score[n]
	room := c.tolerance
	if c.scorer.Program.Output != "predict_proba" {
		room *= max(1, math.Abs(want))
	}
	diff := math.Abs(got - want)
	if !(diff <= room) {
		return refuse(goldenMismatch, fmt.Sprintf("golden.json: score[%d]", n), "the model gives %v, scikit-learn gave %v; "+
			"they differ by %.3g, more than %.3g", got, want, diff, room)
	}
	c.maxDiff = max(c.maxDiff, diff)
	if math.Float64bits(got) == math.Float64bits(want) {
		c.bitEqual++
	}
	if c.file.Predicted == nil {
		return nil
	}
	label, ok := scalar(c.file.Predicted[n])
	if predicted := c.scorer.Program.Classes[class]; !ok || !sameLabel(label, predicted) {
		return refuse(goldenMismatch, fmt.Sprintf("golden.json: predicted[%d]", n), "the model predicts %v, scikit-learn %s",
			predicted, c.file.Predicted[n])
	}
	return nil
}

// event reads a raw event through the schema, which must give the row.
func (c *goldenCheck) event(n int, raw jsontext.Value, row []any) error {
	at := fmt.Sprintf("golden.json: events[%d]", n)
	if raw == nil {
		return refuse(goldenMismatch, at, "is missing; there are more rows than events")
	}
	batch := c.scorer.NewBatch(1)
	batch.Events = append(batch.Events, Event{Value: raw, Origin: Origin{Row: int64(n) + 1}})
	c.scorer.Score(batch)
	result := &batch.Results[0]
	if result.Outcome != Decided {
		return refuse(goldenMismatch, at, "gives no row: %s: %s: %s", result.Err.Code, result.Err.Field, result.Err.Message)
	}
	for i, value := range row {
		want, _ := c.scorer.schema.features[i].constant(value)
		if math.Float64bits(want) != math.Float64bits(result.X[i]) && !(want != want && result.X[i] != result.X[i]) {
			return refuse(goldenMismatch, at, "gives another %q than the row; the mapping in force may read another field",
				c.file.Columns[i])
		}
	}
	return nil
}

// items returns a function that gives the items of a JSON array one after the other, then nil. An absent array has
// none. The text is known to be sound JSON.
func items(name string, array jsontext.Value) (func() jsontext.Value, error) {
	if len(array) == 0 && name == "events" {
		return func() jsontext.Value { return nil }, nil
	}
	if array.Kind() != '[' {
		return nil, refuse(goldenMismatch, "golden.json: "+name, "is missing, or no list")
	}
	d := jsontext.NewDecoder(bytes.NewReader(array))
	if _, err := d.ReadToken(); err != nil {
		return nil, jsonError(goldenMismatch, "golden.json: "+name, err)
	}
	return func() jsontext.Value {
		if d.PeekKind() == ']' {
			return nil
		}
		v, err := d.ReadValue()
		if err != nil {
			return nil
		}
		return slices.Clone(v)
	}, nil
}
