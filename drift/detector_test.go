package drift

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// goldenDetectors has the cases of testdata/golden.json that are about clips, traces and critical values.
type goldenDetectors struct {
	Tolerance float64
	Cases     []struct {
		ID, Kind  string
		P, Q      []float64
		Epsilon   float64
		HalfLives []int `json:"half_lives"`
		A         float64
		F         int
		Threshold float64
		Ticks     [][]float64
		Baseline  []float64 `json:"baseline_counts"`
		Expect    json.RawMessage
	}
}

func readDetectors(t *testing.T) goldenDetectors {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g goldenDetectors
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func expected[T any](t *testing.T, text json.RawMessage) T {
	t.Helper()
	var want T
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

// near fails where a figure is not the golden one.
func (g *goldenDetectors) near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= g.Tolerance) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestClipMatchesGolden(t *testing.T) {
	g, compared := readDetectors(t), 0
	for _, c := range g.Cases {
		if c.Kind != "clip" {
			continue
		}
		want := expected[clipped](t, c.Expect)
		g.compareClip(t, c.ID, clipOf(c.Q, c.P, c.Epsilon), want)
		g.near(t, c.ID+": worst case", worstCase(want.E, c.P, c.Epsilon), want.WorstCase)
		compared++
	}
	if compared != 4 {
		t.Errorf("%d clips compared, want 4", compared)
	}
}

type clipped struct {
	C1, C2    float64
	E         []float64
	PStar     []float64 `json:"p_star"`
	WorstCase float64   `json:"worst_case_mean_of_e"`
}

// clipOf is what an expert does with a bet r.
func clipOf(r, p []float64, epsilon float64) clipped {
	out := clipped{C1: 1, C2: 1, PStar: slices.Clone(r)}
	tv, _ := variation(p, r)
	var c clipper
	c.sort(r, p)
	if float64(tv) > epsilon {
		out.C1, out.C2 = c.bounds(r, p, epsilon)
	}
	for b := range p {
		e := 1.0
		if float64(tv) > epsilon {
			e = c.odds(b, out.C1, out.C2)
		}
		out.E = append(out.E, e)
		out.PStar[b] = r[b] / e
	}
	return out
}

// worstCase is the largest mean of e under a law of the ball: mass ε moves from the cell that pays least to the one
// that pays most.
func worstCase(e, p []float64, epsilon float64) float64 {
	mean := epsilon * slices.Max(e)
	order := make([]int, len(e))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(math.Copysign(1, e[a]-e[b])) })
	taken := epsilon
	for _, b := range order {
		take := min(taken, p[b])
		taken -= take
		mean += e[b] * (p[b] - take)
	}
	return mean
}

func (g *goldenDetectors) compareClip(t *testing.T, id string, got, want clipped) {
	t.Helper()
	g.near(t, id+": c1", got.C1, want.C1)
	g.near(t, id+": c2", got.C2, want.C2)
	for b := range want.E {
		g.near(t, id+": e", got.E[b], want.E[b])
		g.near(t, id+": p*", got.PStar[b], want.PStar[b])
	}
}

func TestTracesMatchGolden(t *testing.T) {
	g, traces, figures := readDetectors(t), 0, 0
	for _, c := range g.Cases {
		if c.Kind != "trace" {
			continue
		}
		traces++
		want := expected[struct {
			AlarmTicks []int       `json:"alarm_ticks"`
			LogM       [][]float64 `json:"logM"`
			Steps      []struct {
				Tick    int
				Experts []struct {
					clipped
					Q               []float64
					Increment, LogM float64
				}
			}
		}](t, c.Expect)
		l := law{p: c.P, epsilon: c.Epsilon}
		if c.Baseline != nil {
			smoothed := newLaw(Histogram{Counts: c.Baseline}, c.Epsilon, 0)
			for b, p := range smoothed.p {
				g.near(t, c.ID+": p", p, c.P[b])
			}
			l = smoothed
		}
		limit := threshold(c.A, c.F, len(c.HalfLives))
		g.near(t, c.ID+": threshold", limit, c.Threshold)

		var s state
		for _, h := range c.HalfLives {
			s.experts = append(s.experts, newExpert(h, len(c.P), false))
		}
		var scratch better
		alarms := []int{}
		for i, tick := range c.Ticks {
			if i < len(want.Steps) { // the worked example: all that lies behind the evidence
				for j, e := range want.Steps[i].Experts {
					r := make([]float64, len(c.P))
					n, kappa := s.experts[j].memory.total(), float64(len(c.P))
					for b, p := range l.p {
						r[b] = (s.experts[j].memory.Counts[b] + kappa*p) / (n + kappa)
						g.near(t, c.ID+": r", r[b], e.Q[b])
					}
					g.compareClip(t, c.ID, clipOf(r, l.p, l.epsilon), e.clipped)
				}
			}
			best := s.step(&l, Histogram{Counts: tick}, &scratch)
			for j := range s.experts {
				figures++
				g.near(t, c.ID+": logM", s.experts[j].logM, want.LogM[i][j])
			}
			if best.logM >= limit {
				alarms = append(alarms, i+1)
				s.restart()
			}
		}
		if !slices.Equal(alarms, want.AlarmTicks) {
			t.Errorf("%s: alarms at ticks %v, want %v", c.ID, alarms, want.AlarmTicks)
		}
	}
	if traces != 5 || figures < 300 {
		t.Errorf("%d traces with %d figures, want 5 with at least 300", traces, figures)
	}
	t.Logf("%d traces, %d figures", traces, figures)
}

func TestCriticalValuesMatchGolden(t *testing.T) {
	g := readDetectors(t)
	for _, c := range g.Cases {
		if c.Kind != "critical" {
			continue
		}
		want := expected[struct {
			Thresholds []struct {
				A, Threshold float64
				F, J         int
			} `json:"ecusum_threshold"`
			Radii []struct {
				B         int
				M         float64
				Delta     float64
				Tolerance float64
				AtLeast   float64 `json:"epsilon_at_least"`
			} `json:"baseline_radius"`
		}](t, c.Expect)
		for _, w := range want.Thresholds {
			g.near(t, "threshold", threshold(w.A, w.F, w.J), w.Threshold)
		}
		checked := 0
		for _, w := range want.Radii {
			radius := valueRadius(w.B, w.M)
			if w.Delta != delta { // the formula with another δ
				radius = math.Sqrt(float64(w.B-1)/w.M)/2 + math.Sqrt(math.Log(1/w.Delta)/(2*w.M))
			} else {
				checked++
			}
			g.near(t, "radius", radius+w.Tolerance, w.AtLeast)
		}
		if len(want.Thresholds) != 5 || checked != 2 {
			t.Errorf("%d thresholds and %d radii compared", len(want.Thresholds), checked)
		}
	}
}

// TestClipIsTheNearestTolerableLaw checks, for drawn bets, the equations that define the clip and that no law of the
// ball gains by the odds: the promise rests on nothing else.
func TestClipIsTheNearestTolerableLaw(t *testing.T) {
	clips := 0
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.IntRange(2, 40).Draw(t, "cells")
		p := Histogram{Counts: counts(t, b, "p")}.shares(0.5)
		r := Histogram{Counts: counts(t, b, "r")}.shares(0.5)
		epsilon := rapid.Float64Range(1e-4, 0.5).Draw(t, "epsilon")
		tv, _ := variation(p, r)
		c := clipOf(r, p, epsilon)
		if worst := worstCase(c.E, p, epsilon); worst > 1+1e-12 {
			t.Fatalf("a law of the ball gains %v a bet", worst-1)
		}
		if float64(tv) <= epsilon+1e-9 {
			return
		}
		clips++
		var above, below, total float64
		for i := range p {
			above += max(0, r[i]/c.C2-p[i])
			below += max(0, p[i]-r[i]/c.C1)
			total += c.PStar[i]
		}
		moved, _ := variation(p, c.PStar)
		for what, off := range map[string]float64{
			"above": above - epsilon, "below": below - epsilon, "sum of p*": total - 1, "distance of p*": float64(moved) - epsilon,
		} {
			if math.Abs(off) > 1e-9 {
				t.Fatalf("%s is off by %v", what, off)
			}
		}
		if !(c.C1 < 1 && c.C2 > 1) {
			t.Fatalf("c1 = %v, c2 = %v", c.C1, c.C2)
		}
	})
	if clips == 0 {
		t.Error("no bet was clipped")
	}
}

// TestRowsNeeded inverts the radii.
func TestRowsNeeded(t *testing.T) {
	for _, epsilon := range []float64{0.02, 0.002, 0.1} {
		if rows := valueRows(20, epsilon); valueRadius(20, rows) > epsilon || valueRadius(20, rows-1) <= epsilon {
			t.Errorf("%v rows for the values", rows)
		}
		for _, share := range []float64{1, 0.995, 0.5} {
			rows := qualityRows(share, epsilon)
			if qualityRadius(share*rows, rows) > epsilon*(1+1e-12) || qualityRadius(share*(rows-1), rows-1) < epsilon*(1-1e-12) {
				t.Errorf("%v rows for quality at %v", rows, share)
			}
		}
	}
}

// TestSumsRecoverFromOverflow has a tick whose values add up to infinity.
func TestSumsRecoverFromOverflow(t *testing.T) {
	for _, halfLife := range halfLives {
		e := newExpert(halfLife, 2, true)
		e.learn(Histogram{Counts: []float64{4, 2}, Sums: []float64{8, 6}})
		e.learn(Histogram{Counts: []float64{4, 2}, Sums: []float64{8, math.Inf(1)}})
		if !math.IsInf(e.memory.Sums[1], 1) {
			t.Fatalf("half-life %d: %v", halfLife, e.memory.Sums)
		}
		e.learn(Histogram{Counts: []float64{4, 0}, Sums: []float64{8, 0}}) // nothing to learn from
		e.learn(Histogram{Counts: []float64{4, 2}, Sums: []float64{8, 10}})
		for b, mean := range []float64{2, 5} {
			if got := e.memory.Sums[b] / e.memory.Counts[b]; math.Abs(got-mean) > 1e-12 {
				t.Errorf("half-life %d: bin %d has the mean %v, want %v", halfLife, b, got, mean)
			}
		}
	}
}
