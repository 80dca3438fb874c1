package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/consumer/deadletter"
	"fraudstream/consumer/recordbatch"
	"fraudstream/scoring"
)

// spoil makes dead letters: n events that a model with another field cannot score, and every fifth no JSON at all. It
// returns the decision ids that the events will have when they are replayed, those of no JSON left out.
func (s *stage) spoil(n int, partitions int32, mode deadletter.Mode) (ids []string) {
	s.t.Helper()
	other, err := scoring.Load("testdata/fraud_model.pkl", scoring.Options{Features: []string{"wages", "debt"}})
	if err != nil {
		s.t.Fatal(err)
	}
	ends := s.ends(s.input())
	var records []*kgo.Record
	for i := range n {
		r := &kgo.Record{Key: fmt.Appendf(nil, "k%d", i), Value: event(fmt.Sprintf("spoilt-%d", i)), Partition: int32(i) % partitions}
		if i%5 == 4 {
			r.Value = []byte("{")
		} else {
			ids = append(ids, fmt.Sprintf("%s/%d/%d", s.input(), r.Partition, ends[r.Partition]+int64(i)/int64(partitions)))
		}
		records = append(records, r)
	}
	s.produce(records...)
	o := s.options()
	o.ExitAtEnd, o.LetterMode = true, mode
	c := New(o, other)
	c.timing = s.consumer(o).timing
	if err := c.Run(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return ids
}

func (s *stage) replay(o Replay) Replayed {
	s.t.Helper()
	done, err := s.consumer(s.options()).Replay(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	return done
}

// decide scores what is new in the input.
func (s *stage) decide() {
	s.t.Helper()
	o := s.options()
	o.ExitAtEnd = true
	if err := s.consumer(o).Run(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// decided are the decision ids that are there, with their number of copies.
func (s *stage) decided() map[string]int {
	s.t.Helper()
	all := map[string]int{}
	for _, r := range s.read(s.output()) {
		all[header(r, "ce_id")]++
	}
	return all
}

func lettersAreListed(t *testing.T, b *broker) {
	s := newStage(t, b, 2, 2)
	s.grow(s.letters(), 2)
	s.spoil(50, 2, deadletter.Raw)
	middle := time.Now()
	time.Sleep(20 * time.Millisecond)
	s.spoil(50, 2, deadletter.Redacted)
	for _, c := range []struct {
		name string
		f    deadletter.Filter
		want int
	}{
		{"all", deadletter.Filter{}, 100},
		{"one code", deadletter.Filter{Codes: []string{"bad_json"}}, 20},
		{"two codes", deadletter.Filter{Codes: []string{"bad_json", "unscorable"}}, 100},
		{"since", deadletter.Filter{Since: middle}, 50},
		{"until", deadletter.Filter{Until: middle, Codes: []string{"bad_json"}}, 10},
		{"tomorrow", deadletter.Filter{Since: time.Now().Add(24 * time.Hour)}, 0},
		{"limit", deadletter.Filter{Limit: 7}, 7},
		{"partition 0", deadletter.Filter{Partitions: []int32{0}}, 50},
		{"partition 1, one code", deadletter.Filter{Partitions: []int32{1}, Codes: []string{"bad_json"}}, 10},
		{"both partitions", deadletter.Filter{Partitions: []int32{1, 0, 1}}, 100},
	} {
		n := 0
		err := s.consumer(s.options()).Letters(t.Context(), c.f, func(l *deadletter.Letter) bool {
			if n++; !l.Source.Known() || l.Code == "" || l.Message == "" || l.Stamp == 0 {
				t.Errorf("%s: %+v", c.name, l)
			}
			if len(c.f.Partitions) > 0 && !slices.Contains(c.f.Partitions, l.Partition) {
				t.Errorf("%s: a letter of partition %d", c.name, l.Partition)
			}
			return true
		})
		if err != nil || n != c.want {
			t.Errorf("%s: %d letters, want %d; %v", c.name, n, c.want, err)
		}
	}
	n := 0
	err := s.consumer(s.options()).Letters(t.Context(), deadletter.Filter{}, func(*deadletter.Letter) bool { n++; return false })
	if err != nil || n != 1 {
		t.Errorf("%d letters of one who wants a single one; %v", n, err)
	}
	o := s.options()
	if err := s.consumer(o).Letters(t.Context(), deadletter.Filter{Partitions: []int32{9}}, nil); err == nil || !strings.Contains(err.Error(), "no partition 9") {
		t.Errorf("partition 9: %v", err)
	}
	o.DeadLetter = "no-such-topic"
	var setup *SetupError
	if err := s.consumer(o).Letters(t.Context(), deadletter.Filter{}, nil); !errors.As(err, &setup) {
		t.Errorf("no such topic: %v", err)
	}
}

// lettersAreReplayedOnce, whatever filters come one after the other, under the ids that they would have had.
func lettersAreReplayedOnce(t *testing.T, b *broker) {
	for _, mode := range []deadletter.Mode{deadletter.Raw, deadletter.Redacted, deadletter.Reference} {
		s := newStage(t, b, 3, 3)
		ids := s.spoil(60, 3, mode)
		if dry := s.replay(Replay{DryRun: true}); dry.Replayed != 60 || s.count(s.input()) != 60 {
			t.Errorf("%v: a dry run says %+v and writes %d records", mode, dry, s.count(s.input())-60)
		}
		if some := s.replay(Replay{Filter: deadletter.Filter{Codes: []string{"unscorable"}, Limit: 10}}); some.Replayed != 10 {
			t.Errorf("%v: some: %+v", mode, some)
		}
		rest := s.replay(Replay{Filter: deadletter.Filter{Codes: []string{"unscorable"}}})
		if rest.Replayed != 38 || rest.Before != 10 {
			t.Errorf("%v: the rest of a code: %+v", mode, rest)
		}
		s.decide()
		decided := s.decided()
		for _, id := range ids {
			if decided[id] != 1 {
				t.Errorf("%v: %s is decided %d times", mode, id, decided[id])
			}
		}
		if all := s.replay(Replay{}); all.Replayed != 12 || all.Before != 48 || all.Looked != all.Total {
			t.Errorf("%v: what is left: %+v", mode, all)
		}
		s.decide() // those are no JSON and fail again: new letters, with their first origin
		letters := s.read(s.letters())
		if again := letters[len(letters)-1]; len(letters) != 72 || header(again, deadletter.HeaderCode) != "bad_json" || !strings.HasPrefix(header(again, deadletter.HeaderTopic), s.name) {
			t.Errorf("%v: %d letters, %v", mode, len(letters), again.Headers)
		}
		if last := s.replay(Replay{}); last.Replayed != 12 || last.Before != 60 {
			t.Errorf("%v: the letters of the replay itself: %+v", mode, last)
		}
	}
}

// A replayed event keeps the time that it had, if it has none of its own.
func replayKeepsTheTime(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	then := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	s.produce(&kgo.Record{Value: []byte(`{"transaction_id":"x","income":"no"}`), Timestamp: then})
	s.decide()
	s.replay(Replay{})
	s.decide()
	letters := s.read(s.letters())
	if len(letters) != 2 {
		t.Fatalf("%d letters", len(letters))
	}
	for i, l := range letters {
		if want := fmt.Sprint(then.UnixMilli()); header(l, deadletter.HeaderTimestamp) != want || header(l, deadletter.HeaderOffset) != "0" {
			t.Errorf("letter %d: %v", i, l.Headers)
		}
	}
	s.produce(&kgo.Record{Value: event("dated"), Timestamp: time.Now(), Headers: []kgo.RecordHeader{
		{Key: deadletter.HeaderTopic, Value: []byte("in")},
		{Key: deadletter.HeaderPartition, Value: []byte("0")},
		{Key: deadletter.HeaderOffset, Value: []byte("7")},
		{Key: deadletter.HeaderTimestamp, Value: fmt.Append(nil, then.UnixMilli())},
	}})
	s.decide()
	var d struct {
		Time time.Time `json:"event_time"`
	}
	decisions := s.read(s.output())
	if err := json.Unmarshal(decisions[0].Value, &d); err != nil || !d.Time.Equal(then) {
		t.Errorf("%s: the time is not %v", decisions[0].Value, then)
	}
}

// replaySurvivesBeingKilled: a process that is gone from one moment to the next leaves its chunk to nobody, and the next
// one goes on where it was. A network that is cut for good is to the brokers what a killed process is.
func replaySurvivesBeingKilled(t *testing.T, b *broker) {
	s := newStage(t, b, 2, 2)
	ids := s.spoil(300, 2, deadletter.Raw)
	for writes := int64(5); writes < 38; writes += 2 {
		ctx, cancel := context.WithCancel(t.Context())
		network := &dyingDial{dead: cancel}
		network.left.Store(writes)
		o := s.options()
		o.Dial = network.dial
		c := s.consumer(o)
		c.timing.abort = 10 * time.Millisecond
		done, err := c.Replay(ctx, Replay{chunk: 10, Filter: deadletter.Filter{Limit: 30}})
		cancel()
		t.Logf("cut at write %d: %+v, %v", writes, done, err)
	}
	// In the middle of a transaction for certain: the records are written, and the process dies before the end of it.
	var network cuttableDial
	o := s.options()
	o.Dial = network.dial
	open := s.consumer(o)
	defer open.transport.CloseIdleConnections()
	transactor, err := open.newTransactor(t.Context(), s.name+".dlq-replay", s.name+".dlq-replay")
	if err != nil {
		t.Fatal(err)
	}
	half := &replay{c: open, group: s.name + ".dlq-replay", transactor: transactor, inputs: 2}
	if err := half.writeWithoutEnd(t, s); err != nil {
		t.Fatal(err)
	}
	network.sever()

	rest := s.replay(Replay{})
	t.Logf("the rest: %+v", rest)
	if rest.Replayed+rest.Before != 300 {
		t.Errorf("%+v do not add up to 300", rest)
	}
	s.decide()
	decided := s.decided()
	for _, id := range ids {
		if decided[id] != 1 {
			t.Errorf("%s is decided %d times", id, decided[id])
		}
	}
	if s.count(s.letters()) != 300+60 { // those that are no JSON come back, once
		t.Errorf("%d letters", s.count(s.letters()))
	}
}

// dyingDial is a dialer that cuts everything at the n-th write, and tells so.
type dyingDial struct {
	cuttableDial
	left atomic.Int64
	dead func()
}

func (d *dyingDial) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.cuttableDial.dial(ctx, network, address)
	return &dyingConn{conn, d}, err
}

type dyingConn struct {
	net.Conn
	d *dyingDial
}

func (c *dyingConn) Write(p []byte) (int, error) {
	if c.d.left.Add(-1) == 0 {
		n, _ := c.Conn.Write(p) // it is on its way, and nobody will see the answer
		c.d.sever()
		c.d.dead()
		return n, nil
	}
	return c.Conn.Write(p)
}

// writeWithoutEnd writes the first letter again in a transaction that nobody ends.
func (r *replay) writeWithoutEnd(t *testing.T, s *stage) error {
	first := s.read(s.letters())[0]
	all, err := r.c.reaches(t.Context(), deadletter.Filter{Limit: 1})
	if err != nil {
		return err
	}
	l := deadletter.Letter{Code: "none", Key: first.Key, Value: first.Value, Source: deadletter.Source{Topic: s.input(), Partition: 0, Offset: 0}, Offset: 1 << 40}
	r.batches = map[target]*recordbatch.Builder{}
	r.put(&l)
	if err := r.transactor.write(t.Context(), r.batches); err != nil {
		return err
	}
	return r.transactor.mark(t.Context(), s.letters(), map[int32]mark{all[0].partition: {1, "*:0-100000"}})
}

// A second replay takes over from the first, which ends and says so.
func secondReplayTakesOver(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	s.spoil(60, 1, deadletter.Raw)
	began := make(chan struct{}, 100)
	first := make(chan error, 1)
	go func() {
		_, err := s.consumer(s.options()).Replay(t.Context(), Replay{Rate: 10, Progress: func(Replayed) { began <- struct{}{} }})
		first <- err
	}()
	<-began
	second := s.replay(Replay{})
	if err := <-first; !errors.Is(err, errFenced) {
		t.Errorf("the first ended with %v", err)
	}
	if second.Replayed+second.Before != 60 || second.Before == 0 {
		t.Errorf("the second: %+v", second)
	}
	s.decide()
	for id, n := range s.decided() {
		if n != 1 {
			t.Errorf("%s is decided %d times", id, n)
		}
	}
}

// What the input no longer has is said and counted, and what belongs to others is left alone.
func goneAndForeignLetters(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	s.spoil(40, 1, deadletter.Reference)
	s.produce(&kgo.Record{Topic: s.letters(), Value: []byte("not ours")},
		&kgo.Record{Topic: s.letters(), Value: event("x"), Headers: []kgo.RecordHeader{
			{Key: deadletter.HeaderTopic, Value: []byte("another")},
			{Key: deadletter.HeaderPartition, Value: []byte("0")},
			{Key: deadletter.HeaderOffset, Value: []byte("1")},
		}})
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 5000
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = s.input()
	part := kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Offset = 15
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	if _, err := req.RequestWith(t.Context(), s.client); err != nil {
		t.Fatal(err)
	}
	if done := s.replay(Replay{}); done.Gone != 15 || done.Replayed != 25 || done.Foreign != 2 {
		t.Errorf("%+v", done)
	}
}

// Events that are large in one way or another, and whose letters do not show it, go back a few at a time.
func TestLargeOriginalsAreReplayed(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	half := noise(450 << 10) // two of them are over the limit of a topic together with their framing
	big := noise(650 << 10)
	own := []kgo.RecordHeader{{Key: "x", Value: half}}
	s.produce(&kgo.Record{Value: half}, &kgo.Record{Value: big}, &kgo.Record{Key: half, Value: []byte("{")}, &kgo.Record{Key: big, Value: []byte("{")},
		&kgo.Record{Value: []byte("{"), Headers: own}, &kgo.Record{Value: []byte("{"), Headers: own}, &kgo.Record{Value: []byte("{"), Headers: own})
	o := s.options()
	o.ExitAtEnd, o.LetterMode = true, deadletter.Reference
	if err := s.consumer(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	done, err := s.consumer(o).Replay(t.Context(), Replay{})
	if err != nil || done.Replayed != 7 || len(s.read(s.input())) != 14 {
		t.Errorf("%+v, %v", done, err)
	}
}

// Letters go back to a topic that takes small batches only, as many at a time as it takes.
func TestReplayIntoSmallBatches(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	s.configure(s.input(), "max.message.bytes", "2048")
	var records []*kgo.Record
	for range 30 {
		records = append(records, &kgo.Record{Key: noise(200), Value: []byte("{")}) // compression gains nothing
	}
	for few := range slices.Chunk(records, 5) {
		s.produce(few...)
	}
	o := s.options()
	o.ExitAtEnd = true
	if err := s.consumer(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if done := s.replay(Replay{}); done.Replayed != 30 || len(s.read(s.input())) != 60 {
		t.Errorf("%+v", done)
	}
}

// The rate is kept, within what a loaded machine allows.
func TestReplayRate(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	s.spoil(50, 1, deadletter.Raw)
	begun := time.Now()
	s.replay(Replay{Rate: 100})
	if took := time.Since(begun); took < 400*time.Millisecond {
		t.Errorf("50 letters at 100/s took %v", took)
	}
}
