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

// goldenFile is golden.json: rows that the model has not seen, and what scikit-learn said of them. The lists stay JSON
// text and are read item by item, so that a large file does not become a much larger heap.
//
// Rows, scores, predictions, truths and events go by their places: the n-th of each is about the same row. Only
// columns, rows and scores must be there. A value of a row is a JSON scalar, and null where the frame had none;
// a score is written so that it reads back bit for bit.
type goldenFile struct {
	Columns   []string                  `json:"columns"`
	Rows      jsontext.Value            `json:"rows"`
	Score     []float64                 `json:"score"`
	Predicted jsontext.Value            `json:"predicted"`
	Label     jsontext.Value            `json:"label"` // the older name of predicted
	Truth     jsontext.Value            `json:"truth"`
	Events    jsontext.Value            `json:"events"`
	Unknown   map[string]jsontext.Value `json:",embed"`
}

// checkGolden scores the golden rows and refuses a model that gives other scores, other classes, or none. The
// rows are taken as they are, past the mapping, since they are what the pipeline was given; an event beside a
// row goes the whole way. What was measured on the way (the largest difference, how many scores agree to the
// last bit) is kept for whoever inspects the model.
func (g *gate) checkGolden(s *Scorer, data []byte) error {
	file := new(goldenFile)
	if err := json.Unmarshal(data, file); err != nil {
		return jsonError(goldenMismatch, "golden.json", err)
	}
	if err := checkColumns(file.Columns, g.meta.Features); err != nil {
		return err
	}
	tolerance := defaultTolerance
	if t := g.meta.Golden.Tolerance; t != nil {
		tolerance = *t
	}
	check := goldenCheck{
		scorer: s, columns: file.Columns, score: file.Score, tolerance: tolerance,
		given: make([]float64, 0, len(file.Score)),
	}
	if g.options.Mapping.moves() {
		plain, err := newSchema(g.program, g.specs(), Mapping{})
		if err != nil {
			return err
		}
		check.plain = newScorer(g.program, plain, g.bundle, s.thresholds, "bundle", s.fraudIsLow)
	}
	if err := check.run(file); err != nil {
		return err
	}
	if check.flat > 0 {
		g.warn("%d golden events have every field under its own name: they prove how features are computed, "+
			"and not the mapping of the configuration", check.flat)
	}
	g.tryMissing(s, check.first)
	if n := len(file.Score); n < fewGolden {
		g.warn("%d golden rows show little; save_bundle writes 200", n)
	}
	g.bundle.GoldenRows = len(file.Score)
	g.bundle.GoldenMaxDiff, g.bundle.GoldenBitEqual = check.maxDiff, check.bitEqual
	g.bundle.ReasonsGap = check.gap
	g.bundle.GoldenPredicted, g.bundle.GoldenTolerance = check.predicted, tolerance
	g.bundle.GoldenAUC = aucOf(check.given, file.Truth, s.Program, s.fraudIsLow)
	return nil
}

// tryMissing warns of features that may be missing by the metadata and that the pipeline cannot do without: a golden
// row is scored with that value alone missing. Such a model is not refused: most of its events have the value.
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

// checkColumns compares the columns of golden.json with the features. Their order counts too, because the rows
// are lists.
func checkColumns(columns []string, features []featureEntry) error {
	if len(columns) != len(features) {
		return refuse(goldenMismatch, "golden.json: columns", "%d columns for %d features", len(columns), len(features))
	}
	for i, f := range features {
		if columns[i] != f.Name {
			return refuse(goldenMismatch, "golden.json: columns", "column %d is %.60q, the feature %q", i, columns[i], f.Name)
		}
	}
	return nil
}

// A goldenCheck is under way through the rows. It reads the lists in step and holds one row at a time, so that
// its memory does not grow with the file.
type goldenCheck struct {
	scorer    *Scorer
	plain     *Scorer // of the mapping that moves nothing; nil where that is the one in force
	flat      int     // events that only the plain one reads
	columns   []string
	score     []float64
	tolerance float64
	first     []any     // the first row
	given     []float64 // the scores of the model
	maxDiff   float64
	gap       float64 // of the reasons
	bitEqual  int
	predicted int // rows whose predicted class was compared
}

// Each list that is there must be as long as that of the scores; a row without a score would prove nothing and
// a score without a row could not be checked.
func (c *goldenCheck) run(f *goldenFile) error {
	if f.Predicted == nil {
		f.Predicted = f.Label
	}
	var lists [3]*list
	for i, l := range []struct {
		name string
		text jsontext.Value
	}{{"rows", f.Rows}, {"predicted", f.Predicted}, {"events", f.Events}} {
		var err error
		if lists[i], err = newList(l.name, l.text); err != nil {
			return err
		}
	}
	rows, predicted, events := lists[0], lists[1], lists[2]
	for n := range c.score {
		raw := rows.next()
		if raw == nil {
			return refuse(goldenMismatch, "golden.json: score", "%d scores for %d rows", len(c.score), n)
		}
		if err := c.checkRow(n, raw, predicted, events); err != nil {
			return err
		}
	}
	for _, l := range lists {
		if l.next() != nil {
			return refuse(goldenMismatch, "golden.json: "+l.name, "there are more of them than the %d scores", len(c.score))
		}
	}
	return nil
}

// checkRow takes one row with its score, its prediction and its event through all checks.
func (c *goldenCheck) checkRow(n int, raw jsontext.Value, predicted, events *list) error {
	row, err := c.row(n, raw)
	if err != nil {
		return err
	}
	if n == 0 {
		c.first = row
	}
	class, err := c.checkScore(n, row)
	if err != nil {
		return err
	}
	if predicted.given {
		if err := c.checkPrediction(n, predicted.next(), class); err != nil {
			return err
		}
	}
	if events.given {
		return c.checkEvent(n, events.next(), row)
	}
	return nil
}

// row reads the values of one row. null becomes nil, and any other scalar a bool, a float64 or a string.
func (c *goldenCheck) row(n int, raw jsontext.Value) ([]any, error) {
	at := fmt.Sprintf("golden.json: rows[%d]", n)
	var cells []jsontext.Value
	if err := json.Unmarshal(raw, &cells); err != nil {
		return nil, refuse(goldenMismatch, at, "is no list of values")
	}
	if len(cells) != len(c.columns) {
		return nil, refuse(goldenMismatch, at, "%d values for %d columns", len(cells), len(c.columns))
	}
	values := make([]any, len(cells))
	for i, cell := range cells {
		if cell.Kind() == 'n' {
			continue
		}
		constant, ok := scalar(cell)
		if !ok {
			return nil, refuse(goldenMismatch, fmt.Sprintf("%s[%d]", at, i), "is no value of %q but a list or an object",
				c.columns[i])
		}
		values[i] = goValue(constant)
	}
	return values, nil
}

// goValue is a JSON scalar as Go has it. A constant of JSON is one of three types; whatever is neither a
// boolean nor a text is a number.
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

// checkScore scores one row, compares the score, and returns the class that is predicted. The comparison is
// written so that a NaN fails it. The gap of the reasons is measured on the same frame, while its registers
// still hold this row.
func (c *goldenCheck) checkScore(n int, row []any) (class int, err error) {
	var r Result
	frame := c.scorer.runRow(row, &r)
	if refused := &r.Err; r.Outcome == Refused {
		return 0, refuse(goldenMismatch, fmt.Sprintf("golden.json: rows[%d]", n), "has a score, but here it is refused: %s: %s: %s",
			refused.Code, refused.Field, refused.Message)
	}
	got, want := r.Decision.Score, c.score[n]
	room := c.tolerance * max(1, math.Abs(want)) // a probability is never above 1
	diff := math.Abs(got - want)
	if !(diff <= room) {
		return 0, refuse(goldenMismatch, fmt.Sprintf("golden.json: score[%d]", n), "the model gives %v, scikit-learn gave %v; "+
			"they differ by %.3g, more than %.3g%s", got, want, diff, room, c.singleAdvice())
	}
	c.gap = max(c.gap, c.scorer.gap(frame, 0))
	c.given = append(c.given, got)
	c.maxDiff = max(c.maxDiff, diff)
	if math.Float64bits(got) == math.Float64bits(want) {
		c.bitEqual++
	}
	return r.Decision.Class, nil
}

// singleAdvice names a likely cause of a difference. Of a frame whose columns are all float32 most of scikit-learn's
// estimators compute in float32, where this program computes in float64; trees round their input in both.
func (c *goldenCheck) singleAdvice() string {
	for i := range c.scorer.schema.features {
		if c.scorer.schema.features[i].single {
			return `; there are float32 columns, on which scikit-learn computes with 7 digits: fit on X.astype("float64"), ` +
				"or state a tolerance of 1e-6 in golden.tolerance"
		}
	}
	return ""
}

// checkPrediction compares the predicted class with what scikit-learn's predict said. It catches what a score
// cannot: class labels that were mixed up, or a positive class that is the other one.
func (c *goldenCheck) checkPrediction(n int, raw jsontext.Value, class int) error {
	if raw == nil {
		return refuse(goldenMismatch, "golden.json: predicted", "%d predictions for %d scores", n, len(c.score))
	}
	label, ok := scalar(raw)
	if predicted := c.scorer.Program.Classes[class]; !ok || !sameLabel(label, predicted) {
		return refuse(goldenMismatch, fmt.Sprintf("golden.json: predicted[%d]", n), "the model predicts %v, scikit-learn %.60s",
			predicted, raw)
	}
	c.predicted++
	return nil
}

// checkEvent reads a raw event, which must give the row: through the mapping in force, or, as save_bundle writes
// events, with every field under its own name.
func (c *goldenCheck) checkEvent(n int, raw jsontext.Value, row []any) error {
	err := c.readEvent(c.scorer, n, raw, row)
	if err != nil && c.plain != nil && c.readEvent(c.plain, n, raw, row) == nil {
		c.flat++
		return nil
	}
	return err
}

// readEvent reads a raw event through the schema of a scorer. x is compared and not the score: two wrong values
// can give the right score, and x says which feature it is.
func (c *goldenCheck) readEvent(s *Scorer, n int, raw jsontext.Value, row []any) error {
	at := fmt.Sprintf("golden.json: events[%d]", n)
	if raw == nil {
		return refuse(goldenMismatch, "golden.json: events", "%d events for %d rows", n, len(c.score))
	}
	batch := s.NewBatch(1)
	batch.Events = append(batch.Events, Event{Value: raw, Origin: Origin{Row: int64(n) + 1}, Content: Structured})
	s.Score(batch)
	result := &batch.Results[0]
	if result.Outcome != Decided {
		return refuse(goldenMismatch, at, "gives no row: %s: %s: %s", result.Err.Code, result.Err.Field, result.Err.Message)
	}
	for i, value := range row {
		feature := &s.schema.features[i]
		want, _ := feature.constant(value)
		if !feature.agrees(want, result.X[i]) {
			return refuse(goldenMismatch, at, "gives another %q than the row; the mapping in force may read another field",
				c.columns[i])
		}
	}
	return nil
}

// A list gives the items of a JSON array one after the other. An array that is not there, or is null, gives
// nothing and is not an error: given tells which.
type list struct {
	name  string
	given bool // the array is there
	items *jsontext.Decoder
}

// newList opens an array whose text is known to be sound JSON. Only the rows must be there.
func newList(name string, array jsontext.Value) (*list, error) {
	if name != "rows" && (len(array) == 0 || array.Kind() == 'n') {
		return &list{name: name}, nil
	}
	if array.Kind() != '[' {
		return nil, refuse(goldenMismatch, "golden.json: "+name, "is missing, or no list")
	}
	l := &list{name: name, given: true, items: jsontext.NewDecoder(bytes.NewReader(array))}
	if _, err := l.items.ReadToken(); err != nil {
		return nil, jsonError(goldenMismatch, "golden.json: "+name, err)
	}
	return l, nil
}

// next is the next item, a copy; nil at the end. The decoder reads item by item, so a large file is never in
// memory as a tree of its values.
func (l *list) next() jsontext.Value {
	if !l.given || l.items.PeekKind() == ']' {
		return nil
	}
	v, err := l.items.ReadValue()
	if err != nil {
		return nil
	}
	return slices.Clone(v)
}
