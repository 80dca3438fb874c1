package drift

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// calmTicks is how many ticks in a row must look like the baseline before an episode closes.
const calmTicks = 30

// episode is a drift that has begun and not ended. Zero: there is none.
type episode struct {
	id     string
	first  Alarm // that opened it
	alarms int64 // so far
	live   bool  // one of them is not a replay
	calm   int64 // ticks in a row inside the ball
}

func (e *episode) open() bool { return e.alarms > 0 }

// extend takes an alarm into the episode and tells whether it has opened it.
func (e *episode) extend(a *Alarm) (opened bool) {
	opened = !e.open()
	if opened {
		e.first = *a
	}
	e.alarms++
	e.live = e.live || !a.Replay
	return opened
}

// calms counts a tick that was inside the ball, or not, and tells whether the episode is over.
func (e *episode) calms(inside bool) (over bool) {
	if !e.open() {
		return false
	}
	if !inside {
		e.calm = 0
		return false
	}
	e.calm++
	return e.calm >= calmTicks
}

// export is the episode as others see it.
func (e *episode) export(state string) Episode {
	return Episode{ID: e.id, State: state, Alarms: e.alarms, Alarm: e.first}
}

// episodeID names the episode that an alarm opens. It is the same in every process that observes the same events, so
// that an alert that is sent twice can be told from two alerts.
func (w *watch) episodeID(a *Alarm) string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%x %q %s %q %d %d", w.monitor.fingerprint, a.Feature, a.Kind, w.partition, a.Tick, w.lastTime)
	return hex.EncodeToString(hash.Sum(nil)[:8])
}
