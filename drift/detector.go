package drift

import "math"

// halfLives are those of a detector's experts, in ticks: 0 remembers the last tick alone and is quick, 64 remembers ten
// minutes and sees what is small.
var halfLives = []int{0, 8, recentHalfLife}

// recentHalfLife is that of the recent figures too, and of the rule that closes an episode.
const recentHalfLife = 64

// expert is one bettor of a detector. It bets on each tick what it has learnt from the ticks before, and gains when the
// tick is better foretold by that than by any law of the tolerance ball.
type expert struct {
	halfLife int       // of its memory, in ticks
	logM     float64   // its evidence: the logarithm of what it has made of 1, from where it last stood at or below that
	memory   Histogram // D: the counts of the ticks so far, halved every half-life; and the sums of values
}

func newExpert(halfLife, cells int, sums bool) expert {
	e := expert{halfLife: halfLife, memory: Histogram{Counts: make([]float64, cells)}}
	if sums {
		e.memory.Sums = make([]float64, cells)
	}
	return e
}

// better is scratch for betting: r is the last bet.
type better struct {
	clipper
	r []float64
}

// bet adds to the evidence what the tick's counts say, and returns the total variation between the bet and the law. The
// bet is the memory, with a prior of one event per cell that is spread as the law is. A bet inside the ball abstains.
func (e *expert) bet(l *law, tick []float64, s *better) (tv float64) {
	kappa := float64(len(l.p))
	n := e.memory.total()
	s.r = s.r[:0]
	for b, p := range l.p {
		r := (e.memory.Counts[b] + kappa*p) / (n + kappa)
		s.r = append(s.r, r)
		tv += math.Abs(r - p)
	}
	tv /= 2
	e.logM = max(e.logM, 0)
	if tv <= l.epsilon {
		return tv
	}
	c1, c2 := s.bounds(s.r, l.p, l.epsilon)
	gain := 0.0
	for b, c := range tick {
		gain += c * math.Log(s.odds(b, c1, c2))
	}
	e.logM += gain
	return tv
}

// learn takes the tick into the memory.
func (e *expert) learn(tick Histogram) {
	if e.halfLife == 0 {
		copy(e.memory.Counts, tick.Counts)
		copy(e.memory.Sums, tick.Sums)
		return
	}
	keep := math.Exp2(-1 / float64(e.halfLife))
	for b, c := range tick.Counts {
		e.memory.Counts[b] = float64(keep*e.memory.Counts[b]) + c
	}
	for b := range e.memory.Sums {
		e.memory.Sums[b] = float64(keep*e.memory.Sums[b]) + tick.Sums[b]
		if mean := tick.Sums[b] / tick.Counts[b]; !finite(e.memory.Sums[b]) && finite(mean) {
			// Values near the largest number there is have overflowed it. The bin's mean is taken anew from this tick.
			e.memory.Sums[b] = mean * e.memory.Counts[b]
		}
	}
}

func finite(x float64) bool { return x-x == 0 }

// detector watches the value cells or the quality cells of one column. It is the same for all partitions; what each has
// seen is a state.
type detector struct {
	column    int
	kind      string
	cells     int
	sums      bool // of values are kept as well
	tolerance float64
	laws      laws // meaningless without bets
	bets      bool // there is a law, and alarms are wanted

	override *Override // of the configuration; nil: none
	muted    bool      // by it: no alarm until it lapses
	after    laws      // that hold then
}

// state is what a detector has seen of one partition.
type state struct {
	experts  []expert
	evidence float64 // the largest logM after the last tick, before a restart
	tv       float64 // between the bet at half-life 64 and the law, at the last tick
	episode  episode // zero: none is open
}

// newState is that of a partition that has seen nothing. Without bets only the recent counts are kept.
func (d *detector) newState() state {
	var s state
	if !d.bets {
		s.experts = []expert{newExpert(recentHalfLife, d.cells, d.sums)}
		return s
	}
	for _, h := range halfLives {
		s.experts = append(s.experts, newExpert(h, d.cells, d.sums))
	}
	return s
}

// recent is the memory at half-life 64.
func (s *state) recent() Histogram { return s.experts[len(s.experts)-1].memory }

// step lets the experts bet on a tick and learn from it, and returns the one with the most evidence.
func (s *state) step(l *law, tick Histogram, scratch *better) *expert {
	best := &s.experts[0]
	for i := range s.experts {
		e := &s.experts[i]
		s.tv = e.bet(l, tick.Counts, scratch) // the last is that at half-life 64
		e.learn(tick)
		if e.logM > best.logM {
			best = e
		}
	}
	s.evidence = best.logM
	return best
}

// restart forgets the evidence, not the memory.
func (s *state) restart() {
	for i := range s.experts {
		s.experts[i].logM = 0
	}
}

// threshold is what logM must reach for an alarm: with F·J experts, none of which reaches ln(A·F·J) oftener than once
// in A·F·J ticks, the whole gives one false alarm in A ticks.
func threshold(ticks float64, detectors, experts int) float64 {
	return math.Log(ticks * float64(detectors) * float64(experts))
}
