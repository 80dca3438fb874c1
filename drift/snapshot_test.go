package drift

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// lived is a monitor and a shard of it that has seen ticks, an open episode and an open tick.
func lived(t interface{ Fatal(...any) }) (*Monitor, *Shard) {
	m := mustMonitor(t, streamOptions(100))
	s := m.Shard("4")
	r := newRandom()
	for i := range 1550 {
		x := []float64{drawAmount(r), drawCountry(r)}
		if i > 700 && i%2 == 0 {
			x[0] = 8
		}
		if s.Observe(x, float64(i%10)/17.5, noon) {
			s.CloseTick(time.UnixMilli(noon))
		}
	}
	return m, s
}

func TestASnapshotIsTheSameAfterItsRestore(t *testing.T) {
	_, s := lived(t)
	e := &s.watch.states[0].episode
	if !e.open() {
		t.Fatal("no episode is open")
	}
	e.calm, e.live = 17, false
	snapshot := s.Snapshot(1550)
	other := mustMonitor(t, streamOptions(100)).Shard("4")
	next, err := other.Restore(snapshot)
	if err != nil || next != 1550 {
		t.Fatalf("next %d, %v", next, err)
	}
	if again := other.Snapshot(1550); !slices.Equal(again, snapshot) {
		t.Error("the snapshot of a restored shard has other bytes")
	}
	if known(other) != known(s) {
		t.Errorf("restored\n%s\nwas\n%s", known(other), known(s))
	}
	if n := len(snapshot); n > 4000 {
		t.Errorf("%d bytes for 8 cells", n)
	}
	if limit := other.monitor.wireLimit(); limit < len(snapshot) || limit > 100_000 {
		t.Errorf("the limit for %d bytes is %d", len(snapshot), limit)
	}
}

// known is everything that a watch knows and a snapshot must hold.
func known(s *Shard) string {
	w := s.watch
	return fmt.Sprintf("%d %d %d %d %d %+v %+v %+v", w.number, w.events, w.first, w.lastTime, w.opened.UnixMilli(), w.times, w.tick, w.states)
}

// TestNothingIsLeftOutOfASnapshot takes one anywhere in drawn streams, whose ticks are long enough to thin their times.
func TestNothingIsLeftOutOfASnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{20, 40, 700}).Draw(t, "tick")
		events := drawStream(t, 2000+rapid.IntRange(0, 4000).Draw(t, "events"))
		s := mustMonitor(t, streamOptions(size)).Shard("4")
		play(s, events)
		other := mustMonitor(t, streamOptions(size)).Shard("4")
		if _, err := other.Restore(s.Snapshot(0)); err != nil {
			t.Fatal(err)
		}
		if got, want := known(other), known(s); got != want {
			t.Fatalf("restored\n%s\nwas\n%s", got, want)
		}
		if s.left != other.left {
			t.Fatalf("%d events left of the tick, were %d", other.left, s.left)
		}
		got, want := other.monitor.Report(), s.monitor.Report()
		for i := range want.Features {
			if g, w := fmt.Sprint(got.Features[i].Verdict, got.Features[i].Recent), fmt.Sprint(want.Features[i].Verdict, want.Features[i].Recent); g != w {
				t.Fatalf("report of feature %d: %s, was %s", i, g, w)
			}
		}
	})
}

func TestRestoreRefusesWhatIsNotItsOwn(t *testing.T) {
	_, s := lived(t)
	snapshot := s.Snapshot(1550)
	restore := func(o Options, data []byte) error {
		m := mustMonitor(t, o)
		fresh := m.Shard("4")
		before := fresh.Snapshot(0)
		_, err := fresh.Restore(data)
		if err != nil && !slices.Equal(before, fresh.Snapshot(0)) {
			t.Errorf("a refused snapshot has changed the detectors")
		}
		return err
	}
	for name, change := range map[string]func(*Options){
		"tolerance":   func(o *Options) { o.Features[0].Tolerance = 0.03 },
		"counts":      func(o *Options) { o.Features[0].Counts = []int64{10_001, 80_000, 9_000} },
		"edges":       func(o *Options) { o.Features[0].Edges = []float64{1, 6} },
		"off":         func(o *Options) { o.Features[1].Off = true },
		"no score":    func(o *Options) { o.Score = nil },
		"name":        func(o *Options) { o.Features[0].Name = "price" },
		"resampled":   func(o *Options) { o.Resampled = true },
		"one less":    func(o *Options) { o.Features = o.Features[:1] },
		"the seasons": func(o *Options) { o.Features = append(slices.Clone(o.Features[:1]), week(1000)) },
	} {
		o := streamOptions(100)
		change(&o)
		if err := restore(o, snapshot); !errors.Is(err, ErrOtherBaseline) {
			t.Errorf("%s: %v", name, err)
		}
	}
	same := streamOptions(100)
	same.Partitions, same.FalseAlarmEvery, same.TickEvents = 16, time.Hour, 0 // other thresholds, not another baseline
	if err := restore(same, snapshot); err != nil {
		t.Error(err)
	}
	pooled := streamOptions(100)
	pooled.Pooled = true
	if err := restore(pooled, snapshot); err == nil {
		t.Error("a partition that only counts has taken the evidence of one that does not")
	}
	for at := range snapshot {
		spoilt := slices.Clone(snapshot)
		spoilt[at] ^= 0x10
		if restore(streamOptions(100), spoilt) == nil {
			t.Errorf("byte %d of %d was changed and nobody noticed", at, len(snapshot))
		}
	}
	for _, data := range [][]byte{nil, snapshot[:40], append(slices.Clone(snapshot), 0), make([]byte, 1<<20)} {
		if restore(streamOptions(100), data) == nil {
			t.Errorf("%d bytes were taken", len(data))
		}
	}
}

// TestMergeRefusesAnotherBaseline and a snapshot in place of counts.
func TestMergeRefusesAnotherBaseline(t *testing.T) {
	o := streamOptions(100)
	o.Pooled = true
	s := mustMonitor(t, o).Shard("0")
	for range 100 {
		s.Observe([]float64{3, 0}, 0.1, noon)
	}
	tick, _ := s.CloseTick(time.UnixMilli(noon))
	other := streamOptions(100)
	other.Features[0].Tolerance = 0.5
	if err := mustMonitor(t, other).Shard("pool").Merge(tick.Counts); !errors.Is(err, ErrOtherBaseline) {
		t.Errorf("%v", err)
	}
	m := mustMonitor(t, streamOptions(100))
	pool := m.Shard("pool")
	if err := pool.Merge(s.Snapshot(1)); err == nil {
		t.Error("a snapshot was merged")
	}
	if err := pool.Merge(tick.Counts); err != nil || m.Report().Events != 100 {
		t.Errorf("%v, %d events", err, m.Report().Events)
	}
}

func TestFloatsComeBackBitForBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)})).Draw(t, "x")
		n := rapid.Int64().Draw(t, "n")
		var w writer
		w.float(x)
		w.int(n)
		r := reader{rest: w.bytes}
		if got := r.float(); math.Float64bits(got) != math.Float64bits(x) || r.int() != n || r.end() != nil {
			t.Fatalf("%v came back as %v", x, got)
		}
	})
}

// FuzzRestore feeds bytes under a right header and checksum, so that the body is reached. What is taken must be usable:
// ticks go on, reports and snapshots are written.
func FuzzRestore(f *testing.F) {
	_, s := lived(f)
	snapshot := s.Snapshot(1550)
	f.Add(snapshot[headerSize : len(snapshot)-checksumSize])
	empty := mustMonitor(f, streamOptions(100)).Shard("4").Snapshot(0)
	f.Add(empty[headerSize : len(empty)-checksumSize])
	f.Add([]byte{})
	now := time.UnixMilli(noon)
	f.Fuzz(func(t *testing.T, body []byte) {
		m := mustMonitor(t, streamOptions(100))
		shard := m.Shard("4")
		for _, kind := range []byte{snapshotKind, countsKind} {
			data := append(m.newWriter(kind).bytes, body...)
			data = binary.BigEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
			if _, err := shard.Restore(data); kind == snapshotKind && err == nil {
				again := shard.Snapshot(0)
				if _, err := shard.Restore(again); err != nil {
					t.Fatalf("a snapshot of a restored shard is refused: %v", err)
				}
			}
			_ = shard.Merge(data)
			for range 100 {
				shard.Observe([]float64{8, 0}, 0.1, noon)
			}
			shard.CloseTick(now)
			if text := m.Report().Guarantee; !strings.Contains(text, "detectors") {
				t.Fatal(text)
			}
		}
		_, _ = shard.Restore(body)
	})
}
