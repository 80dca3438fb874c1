package console

import (
	"strconv"
	"testing"
	"time"

	"fraudstream/scoring"
)

// Of a request with many refused events only as many are looked into as are remembered, the last ones; and nobody who counts
// or reads is kept waiting meanwhile.
func TestDoorLooksIntoFewEvents(t *testing.T) {
	t.Parallel()
	const many = 10 * shown
	var d *Door
	looked := 0
	d = NewDoor(func(value []byte) map[string]string {
		looked++
		if !d.mu.TryLock() {
			t.Fatal("an event is looked into while others wait")
		}
		d.mu.Unlock()
		return map[string]string{"v": string(value)}
	})
	events, results := make([]scoring.Event, many), make([]scoring.Result, many)
	for i := range many {
		events[i].Value = []byte(strconv.Itoa(i))
		results[i] = scoring.Result{Outcome: scoring.Refused, Err: scoring.EventError{Code: scoring.WrongType}}
	}
	d.Count(events, results, time.Millisecond)
	s := State{}
	d.tell(&s)
	if s.Totals.Refused["wrong_type"] != many || len(s.Refused) != shown || looked != shown {
		t.Errorf("%v refused, %d of them remembered, %d events looked into", s.Totals.Refused, len(s.Refused), looked)
	}
	if first, last := s.Refused[0].Shown["v"], s.Refused[shown-1].Shown["v"]; first != strconv.Itoa(many-1) || last != strconv.Itoa(many-shown) {
		t.Errorf("from %s to %s", first, last)
	}
}
