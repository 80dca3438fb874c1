package consumer

import (
	"bytes"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/scoring"
)

// witness is a monitor that remembers what it was shown.
type witness struct {
	mu     sync.Mutex
	seen   []Observation
	next   int64
	closed int
}

func (w *witness) ObserveBatch(events []Observation, next int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range events {
		o.X = append([]float64(nil), o.X...)
		o.Key, o.Value = bytes.Clone(o.Key), bytes.Clone(o.Value)
		w.seen = append(w.seen, o)
	}
	w.next = next
}

func (w *witness) CloseTick(time.Time) Notes     { return Notes{} }
func (w *witness) Drain() Notes                  { return Notes{} }
func (w *witness) Restore([]byte) (int64, error) { return 0, nil }

func (w *witness) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed++
}

// The monitor sees each event once, in order, though the broker makes the pipeline start again.
func TestObserverSeesEachEventOnce(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 1, 1)
	s.sendEvents("a", 300, 1)
	refuse := b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.output(), Err: kerr.UnknownProducerID, Count: -1})
	w := &witness{}
	o := s.options()
	o.Observer = func(int32, int32) PartitionObserver { return w }
	stop := s.start(s.consumer(o))
	s.await("a refusal", func() bool { return refuse.Hits() > 0 })
	s.produce(&kgo.Record{Value: []byte("no json")}, &kgo.Record{Value: []byte(`{"income":"x","debt":2}`)})
	s.sendEvents("b", 300, 1) // the pipeline reads on in other chunks than before
	refuse.Remove()
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	if len(w.seen) != 601 || w.next != 602 || w.closed != 1 {
		t.Fatalf("%d observations up to %d, closed %d times, want 601 up to 602, closed once", len(w.seen), w.next, w.closed)
	}
	last := int64(-1)
	for _, seen := range w.seen {
		if seen.Offset <= last {
			t.Fatalf("offset %d after %d", seen.Offset, last)
		}
		last = seen.Offset
		switch {
		case seen.Offset == 300:
			t.Error("a value that is no JSON was shown")
		case seen.Offset == 301:
			if seen.Code != scoring.WrongType || seen.Feature != 0 || !math.IsNaN(seen.Score) {
				t.Errorf("refused: %+v", seen)
			}
		case seen.Code != "" || math.IsNaN(seen.Score) || len(seen.X) != 2 || seen.Time == 0:
			t.Fatalf("decided: %+v", seen)
		}
	}
}
