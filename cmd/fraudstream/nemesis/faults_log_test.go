package nemesis

import "testing"

// What a gap holds is told by the events that are known and those of them that are answered, whatever else stands there.
func TestAnswersInARange(t *testing.T) {
	l, b := desk()
	b.ack(0, 6, event{id: 16, value: 116}) // 4 and 5 are markers, or aborted
	l.answered(answerTo(1))
	for _, c := range []struct {
		from, to         int64
		events, answered int
	}{{0, 4, 4, 1}, {2, 4, 2, 0}, {1, 2, 1, 1}, {4, 6, 0, 0}, {3, 100, 2, 0}, {7, 9, 0, 0}} {
		if events, answered := l.answersIn(0, c.from, c.to); events != c.events || answered != c.answered {
			t.Errorf("%d to %d: %d events, %d answered; want %d, %d", c.from, c.to, events, answered, c.events, c.answered)
		}
	}
}
