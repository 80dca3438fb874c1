package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// scale multiplies the runs of the simulations, by FRAUDSTREAM_SIMULATION.
func scale(t *testing.T) int {
	times, err := strconv.Atoi(os.Getenv("FRAUDSTREAM_SIMULATION"))
	if err != nil {
		return 1
	}
	t.Logf("%d times the usual runs", times)
	return max(1, times)
}

// cellLaw draws cells: a guide table says where the search for a share begins.
type cellLaw struct {
	cumulated []float64
	guide     [256]int
}

func newCellLaw(p []float64) *cellLaw {
	l := &cellLaw{}
	sum := 0.0
	for _, share := range p {
		sum += share
		l.cumulated = append(l.cumulated, sum)
	}
	l.cumulated[len(p)-1] = math.Inf(1)
	for i := range l.guide {
		l.guide[i] = slices.IndexFunc(l.cumulated, func(c float64) bool { return c > float64(i)/float64(len(l.guide)) })
	}
	return l
}

func (l *cellLaw) draw(r *rand.Rand) int {
	u := r.Float64()
	b := l.guide[int(u*float64(len(l.guide)))]
	for l.cumulated[b] <= u {
		b++
	}
	return b
}

// fill counts so many draws.
func (l *cellLaw) fill(counts []float64, events int, r *rand.Rand) {
	clear(counts)
	for range events {
		counts[l.draw(r)]++
	}
}

// The cells that the null is tried on.
func shapes() map[string][]float64 {
	bins, zipf := make([]float64, 20), make([]float64, 41)
	for b := range bins {
		bins[b] = 1.0 / 20
	}
	total := 0.0
	for b := range zipf {
		zipf[b] = 1 / float64(b+1)
		total += zipf[b]
	}
	for b := range zipf {
		zipf[b] /= total
	}
	return map[string][]float64{
		"two cells":     {0.9, 0.1},
		"20 bins":       bins,
		"41 categories": zipf,
		"quality cells": {0.995, 0.005 - 2e-6, 1e-6, 1e-6},
	}
}

// An adversary chooses the law of the next tick inside the ball, knowing everything so far.
type adversary struct {
	name   string
	adapts bool // asked before every tick, not once a run
	rows   int  // > 0: the baseline is so many rows drawn from p, and its radius must make up for what they miss
	move   func(p []float64, l *law, s *state) []float64
}

func adversaries() []adversary {
	honest := func(p []float64, _ *law, _ *state) []float64 { return p }
	return []adversary{
		{name: "p itself", move: honest},
		{name: "p, baseline of 2,000 drawn rows", rows: 2000, move: honest},
		{name: "ε to the rarest cell", move: func(p []float64, l *law, _ *state) []float64 {
			rarest := slices.Index(p, slices.Min(p))
			return shift(p, l.epsilon, func(b int) bool { return b != rarest }, func(b int) bool { return b == rarest })
		}},
		{name: "ε from left to right", move: func(p []float64, l *law, _ *state) []float64 {
			half := (len(p) + 1) / 2
			return shift(p, l.epsilon, func(b int) bool { return b < half }, func(b int) bool { return b >= half })
		}},
		{name: "what pays most, tick by tick", adapts: true, move: greedy},
	}
}

// shift takes ε from some cells in proportion and gives it to others.
func shift(p []float64, epsilon float64, from, to func(b int) bool) []float64 {
	q := slices.Clone(p)
	var given, taken float64
	for b := range p {
		if from(b) {
			taken += p[b]
		}
		if to(b) {
			given += p[b]
		}
	}
	for b := range p {
		if from(b) {
			q[b] -= epsilon * p[b] / taken
		}
		if to(b) {
			q[b] += epsilon * p[b] / given
		}
	}
	return q
}

// greedy moves ε from the cells whose odds are lowest to the one whose odds are highest, against the expert with the
// most evidence: under no law of the ball is the mean of its e larger. Where that expert abstains, ε goes wherever the
// memory already leans to.
func greedy(p []float64, l *law, s *state) []float64 {
	leader := &s.experts[0]
	for i := range s.experts {
		if s.experts[i].logM > leader.logM {
			leader = &s.experts[i]
		}
	}
	var c clipper
	r := make([]float64, len(p))
	n, kappa := leader.memory.total(), float64(len(p))
	for b := range p {
		r[b] = (leader.memory.Counts[b] + kappa*l.p[b]) / (n + kappa)
	}
	c.sort(r, l.p)
	best, left := c.order[0], l.epsilon
	q := slices.Clone(p)
	q[best] += l.epsilon
	for i := len(c.order) - 1; i >= 0 && left > 0; i-- {
		take := min(left, q[c.order[i]])
		q[c.order[i]] -= take
		left -= take
	}
	return q
}

// nullResult is what came of the runs of one law.
type nullResult struct {
	shape, adversary    string
	runs, ticks, alarms int
}

// TestSimulationOfTheNull counts false alarms where the promise is hardest to keep: the law of every tick lies ε from
// the baseline. The promised interval is short, so that alarms are seen at all.
func TestSimulationOfTheNull(t *testing.T) {
	const promised, ticksPerRun, events = 200, 150, 200
	runs := 250 * scale(t) // of each law
	if raceDetector {
		runs /= 20
	}
	var results []*nullResult
	var work sync.WaitGroup
	gate := make(chan struct{}, 2)
	for shape, p := range shapes() {
		epsilon := 0.02
		if shape == "quality cells" {
			epsilon = 0.002
		}
		for _, a := range adversaries() {
			result := &nullResult{shape: shape, adversary: a.name}
			results = append(results, result)
			work.Go(func() {
				gate <- struct{}{}
				defer func() { <-gate }()
				for run := range runs {
					random := rand.New(rand.NewPCG(uint64(run), 11))
					base := exactly(p)
					if a.rows > 0 {
						newCellLaw(p).fill(base.Counts, a.rows, random)
					}
					l := newLaw(base, epsilon, radiusOf(shape, base))
					result.simulate(p, &l, a, promised, ticksPerRun, events, random)
				}
			})
		}
	}
	group := &nullResult{shape: "ten features", adversary: "what pays most, tick by tick"}
	results = append(results, group)
	work.Go(func() {
		gate <- struct{}{}
		defer func() { <-gate }()
		for run := range runs / 5 {
			group.simulateGroup(t, promised*tickTime, ticksPerRun, events, rand.New(rand.NewPCG(uint64(run), 12)))
		}
	})
	work.Wait()
	slices.SortFunc(results, func(a, b *nullResult) int {
		return strings.Compare(a.shape+a.adversary, b.shape+b.adversary)
	})
	rows := [][]string{{"cells", "law of the traffic", "runs", "ticks", "alarms", "mean interval", "promised"}}
	var total nullResult
	for _, r := range results {
		rows = append(rows, r.row(promised))
		total.runs, total.ticks, total.alarms = total.runs+r.runs, total.ticks+r.ticks, total.alarms+r.alarms
		if r.interval() < promised {
			t.Errorf("%s, %s: one false alarm in %.0f ticks, %d were promised", r.shape, r.adversary, r.interval(), promised)
		}
	}
	total.shape = "all"
	t.Log("\n" + printed(append(rows, total.row(promised))))
	if total.alarms == 0 {
		t.Error("no alarm at all: the simulation shows nothing")
	}
	if !raceDetector && total.runs < 1000 {
		t.Errorf("only %d runs", total.runs)
	}
}

// radiusOf is that of the kind of cells.
func radiusOf(shape string, base Histogram) float64 {
	if shape == "quality cells" {
		return qualityRadius(base.Counts[ok], base.total())
	}
	return valueRadius(len(base.Counts), base.total())
}

// exactly is the baseline of a law that is known.
func exactly(p []float64) Histogram {
	base := Histogram{Counts: make([]float64, len(p))}
	for b := range p {
		base.Counts[b] = p[b] * 1e12
	}
	return base
}

// simulate runs a detector over ticks of the adversary's choice.
func (r *nullResult) simulate(p []float64, l *law, a adversary, promised float64, ticks, events int, random *rand.Rand) {
	d := detector{cells: len(p), bets: true}
	s := d.newState()
	limit := threshold(promised, 1, len(halfLives))
	var scratch better
	counts := make([]float64, len(p))
	traffic := newCellLaw(a.move(p, l, &s))
	for range ticks {
		if a.adapts {
			traffic = newCellLaw(a.move(p, l, &s))
		}
		traffic.fill(counts, events, random)
		r.ticks++
		if s.step(l, Histogram{Counts: counts}, &scratch).logM >= limit {
			r.alarms++
			s.restart()
		}
	}
	r.runs++
}

// simulateGroup runs a whole monitor, whose features share the promise, and lets the adversary at each of them.
func (r *nullResult) simulateGroup(t *testing.T, every time.Duration, ticks, events int, random *rand.Rand) {
	p := shapes()["20 bins"]
	feature := Feature{Counts: wholes(exactly(p).Counts)}
	for edge := range len(p) - 1 {
		feature.Edges = append(feature.Edges, float64(edge))
	}
	o := Options{FalseAlarmEvery: every, TickEvents: events}
	for i := range 10 {
		feature.Name = string(rune('a' + i))
		o.Features = append(o.Features, feature)
	}
	m := mustMonitor(t, o)
	s := m.Shard("")
	x, traffic := make([]float64, len(o.Features)), make([]*cellLaw, len(o.Features))
	for range ticks {
		for i := range traffic {
			values := m.columns[i].values
			traffic[i] = newCellLaw(greedy(p, &m.detectors[values].laws.whole, &s.watch.states[values]))
		}
		for range events {
			for i, law := range traffic {
				x[i] = float64(law.draw(random))
			}
			s.Observe(x, math.NaN(), 0)
		}
		tick, _ := s.CloseTick(time.UnixMilli(0))
		r.alarms += len(tick.Alarms)
		r.ticks++
	}
	r.runs++
}

// interval is the mean number of ticks between alarms; infinite without any.
func (r *nullResult) interval() float64 { return float64(r.ticks) / float64(r.alarms) }

func (r *nullResult) row(promised int) []string {
	interval := "none seen"
	if r.alarms > 0 {
		interval = fmt.Sprintf("%.0f ticks", r.interval())
	}
	return []string{r.shape, r.adversary, strconv.Itoa(r.runs), grouped(float64(r.ticks), -1), strconv.Itoa(r.alarms), interval, fmt.Sprintf("≥ %d", promised)}
}

func printed(rows [][]string) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush()
	return text.String()
}
