package scoring

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"fraudstream/scoring/program"
)

// logistic is a standard scaler and a logistic regression over all columns, as one step.
type logistic struct {
	mean, scale, weights []float64
	score, predicted     program.Reg
}

func (l *logistic) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		sum := 0.0
		for j, w := range l.weights {
			sum += float64((row[j] - l.mean[j]) / l.scale[j] * w)
		}
		row[l.score] = 1 / (1 + math.Exp(-sum))
		row[l.predicted] = 0
		if sum > 0 {
			row[l.predicted] = 1
		}
	}
}

// newLogistic builds a program like that of a Pipeline of StandardScaler and LogisticRegression.
func newLogistic(tb testing.TB, names []string) *program.Program {
	tb.Helper()
	b, err := program.NewBuilder(names, nil)
	if err != nil {
		tb.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	l := &logistic{}
	for range names {
		l.mean = append(l.mean, random.NormFloat64())
		l.scale = append(l.scale, 1+random.Float64())
		l.weights = append(l.weights, random.NormFloat64())
	}
	b.CheckFinite("scaler (StandardScaler)", b.Columns(), false)
	l.score, l.predicted = b.New(-1), b.New(-1)
	b.Add("clf (LogisticRegression)", l)
	p, err := b.Finish(program.Outputs{Score: l.score, Predicted: l.predicted})
	if err != nil {
		tb.Fatal(err)
	}
	p.Classes = []program.Constant{{Type: program.Number}, {Type: program.Number, Num: 1}}
	p.Positive = 1
	return p
}

func numericSpecs(names []string) []featureSpec {
	specs := make([]featureSpec, len(names))
	for i, name := range names {
		specs[i] = featureSpec{Name: name, DType: "float64"}
	}
	return specs
}

var testBundle = Bundle{Name: "card-fraud", Version: "2026-11-01", SHA256: "9f2c"}

func newTestScorer(tb testing.TB, p *program.Program, specs []featureSpec, m Mapping) *Scorer {
	tb.Helper()
	schema, err := newSchema(p, specs, m)
	if err != nil {
		tb.Fatal(err)
	}
	return newScorer(p, schema, testBundle, Thresholds{Review: new(0.3), Block: new(0.8)}, "bundle", false)
}

// cardNames are the columns of the well-known data set of European card payments.
func cardNames() []string {
	names := []string{"Time"}
	for i := range 28 {
		names = append(names, "V"+strconv.Itoa(i+1))
	}
	return append(names, "Amount")
}

// cardEvents are events of about 750 bytes with 30 numbers, 28 of them with the 15 digits that the data set has.
func cardEvents(n int) []Event { return cardEventsOf(n, 15) }

// cardEventsOf writes 28 of the numbers with the given digits: 17 are what json.dumps writes of most float64.
func cardEventsOf(n, digits int) []Event {
	random := rand.New(rand.NewPCG(3, 4))
	events := make([]Event, n)
	for i := range events {
		v := fmt.Appendf(nil, `{"transaction_id":"t-%08d","card":"4000%012d","event_time":"2026-11-22T10:15:%02d.%03dZ","Time":%d`,
			i, random.IntN(1e9), i%60, i%1000, 1000+i)
		for k := range 28 {
			v = fmt.Appendf(v, `,"V%d":%.*g`, k+1, digits, random.NormFloat64()*2)
		}
		v = fmt.Appendf(v, `,"Amount":%.2f}`, random.ExpFloat64()*80)
		events[i] = Event{Value: v, Timestamp: 1_795_342_500_000 + int64(i), Origin: Origin{Topic: "transactions", Partition: 3, Offset: int64(i)}}
	}
	return events
}

func BenchmarkCorridor(b *testing.B) {
	names := cardNames()
	s := newTestScorer(b, newLogistic(b, names), numericSpecs(names), Mapping{})
	events := cardEvents(512)
	batch := s.NewBatch(len(events))
	out := make([]byte, 0, 1<<20)
	b.ReportAllocs()
	perEvent(b, len(events), func(first, n int) {
		batch.Events = append(batch.Events[:0], events[first:first+n]...)
		s.Score(batch)
		out = out[:0]
		for i := range batch.Results {
			if batch.Results[i].Outcome != Decided {
				b.Fatal(batch.Results[i].Err.Error())
			}
			out = batch.Results[i].Decision.AppendJSON(out)
		}
	})
}

// BenchmarkScan reads values of one shape, with 15 and with 17 digits, and values whose first key is never that of the
// value before.
func BenchmarkScan(b *testing.B) {
	names := cardNames()
	s := newTestScorer(b, newLogistic(b, names), numericSpecs(names), Mapping{})
	other := cardEvents(512)
	for i := range other {
		if i%2 == 1 {
			other[i].Value = append([]byte(`{"channel":0,`), other[i].Value[1:]...)
		}
	}
	for _, c := range []struct {
		name   string
		events []Event
	}{{"same", cardEvents(512)}, {"full", cardEventsOf(512, 17)}, {"other", other}} {
		b.Run(c.name, func(b *testing.B) {
			sc := newScanner(s.schema.paths)
			bytes := 0
			for _, e := range c.events {
				bytes += len(e.Value)
			}
			b.ReportAllocs()
			perEvent(b, 512, func(first, n int) {
				for _, e := range c.events[first : first+n] {
					if !sc.scan(e.Value) {
						b.Fatal(sc.code)
					}
				}
			})
			b.ReportMetric(float64(bytes)/512, "bytes/event")
		})
	}
}

// perEvent measures run over events, 64 at a time, and reports the median and the least ns per event: the least is what
// a busy machine disturbs least.
func perEvent(b *testing.B, events int, run func(first, n int)) {
	const chunk = 64
	times := make([]float64, 0, 1<<18)
	for b.Loop() {
		for first := 0; first < events; first += chunk {
			began := time.Now()
			run(first, chunk)
			times = append(times, float64(time.Since(began))/chunk)
		}
	}
	slices.Sort(times)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(times[len(times)/2], "ns/event")
	b.ReportMetric(times[0], "min-ns/event")
}

func BenchmarkDecision(b *testing.B) {
	names := cardNames()
	s := newTestScorer(b, newLogistic(b, names), numericSpecs(names), Mapping{})
	batch := s.NewBatch(1)
	batch.Events = append(batch.Events, cardEvents(1)...)
	s.Score(batch)
	var out []byte
	for b.Loop() {
		out = batch.Results[0].Decision.AppendJSON(out[:0])
	}
}
