package drift

import (
	"slices"
	"time"
)

// replayAge is how old the median event of a tick is if the tick is a replay.
const replayAge = 15 * time.Minute

// times samples the event times of a tick at even steps: all of them up to 256, then every second, every fourth and so
// on. Its median is within one part in 128 of the ranks.
type times struct {
	at    []int64 // Unix milliseconds
	step  int     // one in so many is kept; 0 is 1
	until int     // the next one that is kept
}

const mostTimes = 256

// add takes the next event time; 0, an unknown one, is passed over.
func (t *times) add(at int64) {
	if t.until > 0 {
		t.until--
		return
	}
	if at == 0 {
		return
	}
	if len(t.at) == mostTimes {
		t.thin()
	}
	t.at = append(t.at, at)
	t.until = max(t.step, 1) - 1
}

// thin leaves every second time.
func (t *times) thin() {
	for i := range mostTimes / 2 {
		t.at[i] = t.at[2*i]
	}
	t.at = t.at[:mostTimes/2]
	t.step = 2 * max(t.step, 1)
}

// merge adds the times that another sample stands for.
func (t *times) merge(other *times) {
	for _, at := range other.at {
		t.repeat(at, max(other.step, 1))
	}
}

// repeat adds one time so often, without going through those that are passed over.
func (t *times) repeat(at int64, n int) {
	for n > t.until {
		n -= t.until + 1
		t.until = 0
		t.add(at)
	}
	t.until -= n
}

func (t *times) clear() { t.at, t.step, t.until = t.at[:0], 0, 0 }

// replayed tells whether the median time is more than replayAge before now.
func (t *times) replayed(now time.Time) bool {
	if len(t.at) == 0 {
		return false
	}
	sorted := slices.Clone(t.at)
	slices.Sort(sorted)
	median := sorted[len(sorted)/2]
	return time.UnixMilli(median).Before(now.Add(-replayAge))
}
