package drift

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// event is what a stream of the tests holds.
type event struct {
	x     []float64
	score float64
	code  string
	fault int
	at    int64
}

// observe hands an event to a shard as a partition's loop does.
func (e *event) observe(s *Shard) (full bool) {
	if e.code != "" {
		return s.ObserveRefused(e.x, e.code, e.fault, e.at)
	}
	return s.Observe(e.x, e.score, e.at)
}

// streamOptions watches the amount, the country and the score in ticks of a fixed size.
func streamOptions(tickEvents int) Options {
	big := amount()
	for b := range big.Counts {
		big.Counts[b] *= 1000
		big.Sums[b] *= 1000
	}
	big.Rows, big.Missing, big.Infinite = 100_000, 900, 100
	land := country()
	land.Counts, land.Other, land.Missing, land.Rows = []int64{60_000, 30_000}, 5000, 5000, 100_000
	score := Feature{Edges: []float64{0.5}, Counts: []int64{90_000, 10_000}}
	return Options{Features: []Feature{big, land}, Score: &score, TickEvents: tickEvents}
}

const noon = 1_700_000_000_000 // a Tuesday, in Unix milliseconds

// drawStream draws events of the baseline's law that begin to drift in the middle, and come back to it later. All
// values are eighths, so that sums do not depend on the order in which they are added.
func drawStream(t *rapid.T, events int) []event {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	fault := rapid.IntRange(0, 3).Draw(t, "fault")
	from, to := events/3, 2*events/3
	all := make([]event, events)
	for i := range all {
		e := event{x: []float64{drawAmount(r), drawCountry(r)}, score: float64(r.IntN(10)) / 8, fault: -1, at: noon + int64(i)}
		if i >= from && i < to && r.IntN(3) == 0 {
			switch fault {
			case 0:
				e.x[0] = 8
			case 1:
				e.x[1] = -1
			case 2:
				e.x[0], e.code, e.fault, e.score = math.NaN(), "missing_field", 0, math.NaN()
			}
		}
		all[i] = e
	}
	return all
}

func drawAmount(r *rand.Rand) float64 {
	switch k := r.IntN(1000); {
	case k < 9:
		return math.NaN()
	case k < 10:
		return math.Inf(1)
	default:
		return []float64{0.5, 2, 3, 3.125, 4, 4.5, 4, 2, 3, 7}[k%10]
	}
}

func drawCountry(r *rand.Rand) float64 {
	switch k := r.IntN(100); {
	case k < 60:
		return 0
	case k < 90:
		return 1
	case k < 95:
		return 2
	default:
		return math.NaN()
	}
}

// play observes events and returns the ticks that closed.
func play(s *Shard, events []event) (ticks []Tick) {
	for i := range events {
		if !events[i].observe(s) {
			continue
		}
		if tick, closed := s.CloseTick(time.UnixMilli(events[i].at)); closed {
			ticks = append(ticks, tick)
		}
	}
	return ticks
}

func mustMonitor(t interface{ Fatal(...any) }, o Options) *Monitor {
	m, err := NewMonitor(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// text is everything that ticks say, bit for bit.
func text(t interface{ Fatal(...any) }, ticks []Tick) string {
	data, err := json.MarshalIndent(ticks, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestKilledInMidDriftAlarmsAtTheSameTick kills the owner of a partition wherever it may be. The next one has the
// snapshot of the last closed tick, or that of a drain in the middle of one, and the events behind it.
func TestKilledInMidDriftAlarmsAtTheSameTick(t *testing.T) {
	alarms := 0
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(20, 120).Draw(t, "tick")
		events := drawStream(t, 60*size)
		whole := play(mustMonitor(t, streamOptions(size)).Shard("3"), events)

		var broken []Tick
		var snapshot []byte
		shard, at := mustMonitor(t, streamOptions(size)).Shard("3"), 0
		for _, kill := range append(drawOffsets(t, len(events)), len(events)) {
			for ; at < kill; at++ {
				if events[at].observe(shard) {
					tick, _ := shard.CloseTick(time.UnixMilli(events[at].at))
					broken = append(broken, tick)
					snapshot = shard.Snapshot(int64(at + 1))
				}
			}
			if rapid.Bool().Draw(t, "drained") {
				snapshot = shard.Snapshot(int64(at))
			}
			shard, at = mustMonitor(t, streamOptions(size)).Shard("3"), 0
			if snapshot != nil {
				next, err := shard.Restore(snapshot)
				if err != nil {
					t.Fatal(err)
				}
				at = int(next)
			}
		}
		if got, want := text(t, broken), text(t, whole); got != want {
			t.Fatalf("ticks of the broken run\n%s\nof the unbroken one\n%s", got, want)
		}
		for _, tick := range whole {
			alarms += len(tick.Alarms)
		}
	})
	if alarms == 0 {
		t.Error("nothing alarmed in any run")
	}
	t.Logf("%d alarms", alarms)
}

func drawOffsets(t *rapid.T, most int) []int {
	offsets := rapid.SliceOfN(rapid.IntRange(0, most), 0, 4).Draw(t, "kills")
	slices.Sort(offsets)
	return offsets
}

// TestSplitAndMergeOfShards deals the events of every tick to several shards of one partition.
func TestSplitAndMergeOfShards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(20, 120).Draw(t, "tick")
		events := drawStream(t, 40*size)
		whole := play(mustMonitor(t, streamOptions(size)).Shard(""), events)

		m := mustMonitor(t, streamOptions(size))
		shards := []*Shard{m.Shard(""), m.Shard(""), m.Shard("")}
		deal := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "deal"), 2))
		var split []Tick
		for i := range events {
			events[i].observe(shards[deal.IntN(len(shards))])
			if (i+1)%size != 0 {
				continue
			}
			for _, s := range shards {
				s.Flush()
			}
			tick, closed := shards[deal.IntN(len(shards))].CloseTick(time.UnixMilli(events[i].at))
			if !closed {
				t.Fatal("the tick stayed open")
			}
			split = append(split, tick)
		}
		compareTicks(t, split, whole)
	})
}

// compareTicks compares all but the id of an episode, which holds the time of the tick's first event.
func compareTicks(t *rapid.T, got, want []Tick) {
	for _, ticks := range [][]Tick{got, want} {
		for i := range ticks {
			for j := range ticks[i].Episodes {
				ticks[i].Episodes[j].ID = ""
			}
		}
	}
	if g, w := text(t, got), text(t, want); g != w {
		t.Fatalf("ticks\n%s\nwant\n%s", g, w)
	}
}

// TestPoolSeesWhatOneSees counts a stream in partitions without detectors and merges their ticks into a pool.
func TestPoolSeesWhatOneSees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(20, 60).Draw(t, "tick")
		partitions := rapid.IntRange(1, 5).Draw(t, "partitions")
		events := drawStream(t, 30*size*partitions)
		whole := play(mustMonitor(t, streamOptions(size*partitions)).Shard("pool"), events)

		o := streamOptions(size)
		o.Pooled = true
		counting := mustMonitor(t, o)
		pool := mustMonitor(t, streamOptions(size*partitions)).Shard("pool")
		shards := make([]*Shard, partitions)
		for p := range shards {
			shards[p] = counting.Shard(string(rune('0' + p)))
		}
		var pooled []Tick
		for i := range events {
			p := i % partitions
			if !events[i].observe(shards[p]) {
				continue
			}
			now := time.UnixMilli(events[i].at)
			tick, closed := shards[p].CloseTick(now)
			if !closed || tick.Alarms != nil || tick.Counts == nil {
				t.Fatalf("tick of a pooled partition: %+v", tick)
			}
			if p == rapid.IntRange(0, partitions-1).Draw(t, "restarts") { // a restart loses nothing here either
				snapshot := shards[p].Snapshot(7)
				shards[p].Close()
				shards[p] = counting.Shard(string(rune('0' + p)))
				if _, err := shards[p].Restore(snapshot); err != nil {
					t.Fatal(err)
				}
			}
			if err := pool.Merge(tick.Counts); err != nil {
				t.Fatal(err)
			}
			if tick, closed := pool.CloseTick(now); closed {
				pooled = append(pooled, tick)
			}
		}
		compareTicks(t, pooled, whole)
	})
}

// TestPartitionsHaveTheirOwnEvidence drifts one of two partitions.
func TestPartitionsHaveTheirOwnEvidence(t *testing.T) {
	o := streamOptions(200)
	o.Partitions = 2
	m := mustMonitor(t, o)
	drifting, calm := m.Shard("1"), m.Shard("0")
	r := newRandom()
	for i := range 4000 {
		for _, s := range []*Shard{calm, drifting} {
			x := []float64{drawAmount(r), drawCountry(r)}
			if s == drifting && i%2 == 0 {
				x[0] = 8
			}
			if s.Observe(x, float64(i%10)/17.5, noon) { // a tenth of the scores is above the edge
				s.CloseTick(time.UnixMilli(noon))
			}
		}
	}
	report := m.Report()
	if len(report.Partitions) != 2 {
		t.Fatalf("%d partitions", len(report.Partitions))
	}
	for i, p := range report.Partitions {
		amount := p.Evidence[0]
		if p.Ticks != 20 || amount.Feature != "amount" || amount.Kind != "values" || amount.Alarmed != (i == 0) {
			t.Errorf("partition %s: %d ticks, %+v", p.Partition, p.Ticks, amount)
		}
	}
	if f := report.Features[0]; !f.Alarmed || float64(f.LogM) != report.Partitions[0].Evidence[0].LogM {
		t.Errorf("amount: %+v", f.Verdict)
	}
	if want := math.Log(3_153_600 * 5 * 2 * 3); math.Abs(float64(report.Features[0].Threshold)-want) > 1e-12 {
		t.Errorf("threshold %v, want %v: five detectors, two partitions, three half-lives", report.Features[0].Threshold, want)
	}
	for _, a := range report.Alarms {
		if a.Partition != "1" {
			t.Errorf("alarm of partition %s", a.Partition)
		}
	}
}
