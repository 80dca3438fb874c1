package consumer

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/consumer/deadletter"
	"fraudstream/consumer/recordbatch"
)

// A dead letter that does not fit its topic either is written with less of its event, down to where the event is. None is
// passed over, whatever it is that is large, each is listed, and a replay brings back the whole event.
func deadLetterTooLarge(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	s.create(s.name+".small", 1, "max.message.bytes", "2000")
	large, broken := noise(4000), []byte(`{"income":`)
	own := []kgo.RecordHeader{{Key: "x", Value: large}}
	forged := []kgo.RecordHeader{ // an event with them, were it believed, could have no letter
		{Key: deadletter.HeaderTopic, Value: large},
		{Key: deadletter.HeaderPartition, Value: []byte("0")},
		{Key: deadletter.HeaderOffset, Value: []byte("0")},
	}
	poison := []*kgo.Record{
		{Key: []byte("k"), Value: large},
		{Key: large, Value: broken},
		{Key: []byte("k"), Value: broken, Headers: own},
		{Key: large, Headers: own},
		{Value: large},
		{Key: large, Value: large, Headers: own},
		{Value: broken, Headers: forged},
	}
	s.produce(poison...)
	registry := prometheus.NewRegistry()
	o := s.options()
	o.ExitAtEnd, o.DeadLetter, o.Metrics = true, s.name+".small", NewMetrics(registry)
	if err := s.consumer(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	letters := s.read(o.DeadLetter)
	if len(letters) != len(poison) {
		t.Fatalf("%d dead letters of %d events\n%s", len(letters), len(poison), s.logs.tail())
	}
	for i, l := range letters[:len(letters)-1] {
		if l.Value != nil || header(l, deadletter.HeaderValue) != "omitted" || header(l, "x") != "" ||
			header(l, deadletter.HeaderOffset) != fmt.Sprint(i) || header(l, deadletter.HeaderCode) == "" {
			t.Errorf("letter %d: %v", i, l.Headers)
		}
		if kept := i == 0; kept != (string(l.Key) == "k") || !kept && l.Key != nil {
			t.Errorf("letter %d has the key %.20q", i, l.Key)
		}
	}
	if last := letters[len(letters)-1]; header(last, deadletter.HeaderOffset) != "6" || header(last, deadletter.HeaderTopic) != s.input() {
		t.Errorf("an origin that is none: %.300v", last.Headers)
	}
	if n, _ := metric(t, registry, "fraudstream_dead_letters_total"); n != float64(len(poison)) {
		t.Errorf("dead_letters_total = %v", n)
	}

	listed := 0
	err := s.consumer(o).Letters(t.Context(), deadletter.Filter{}, func(l *deadletter.Letter) bool {
		if listed++; !l.Source.Known() || l.Message == "" {
			t.Errorf("listed: %+v", l)
		}
		return true
	})
	if err != nil || listed != len(poison) {
		t.Errorf("%d letters are listed, %v", listed, err)
	}
	done, err := s.consumer(o).Replay(t.Context(), Replay{})
	again := s.read(s.input())
	if err != nil || done.Replayed != int64(len(poison)) || len(again) != 2*len(poison) {
		t.Fatalf("replay: %+v, %v, %d records", done, err, len(again))
	}
	for i, p := range poison {
		if r := again[len(poison)+i]; !bytes.Equal(r.Key, p.Key) || !bytes.Equal(r.Value, p.Value) ||
			header(r, "x") != header(p, "x") || header(r, deadletter.HeaderOffset) != fmt.Sprint(i) {
			t.Errorf("event %d came back as another", i)
		}
	}
}

// noDeadLetterFits where the topic takes nothing at all. The partition pauses before the event and says what to do; when
// that is done it goes on, and no event is lost.
func noDeadLetterFits(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	s.create(s.name+".small", 1, "max.message.bytes", "200")
	registry := prometheus.NewRegistry()
	o := s.options()
	o.DeadLetter, o.Metrics = s.name+".small", NewMetrics(registry)
	stop := s.start(s.consumer(o))
	sent := s.sendEvents("before", 5, 1)
	s.await("the end of the lag", s.groupAtEnd)

	s.produce(&kgo.Record{Key: noise(4000), Value: []byte("{")}, &kgo.Record{})
	sent = append(sent, s.sendEvents("after", 5, 1)...)
	paused := func() bool {
		_, series := metric(t, registry, "fraudstream_partition_paused", "reason", letterTooLarge)
		return series == 1
	}
	s.await("the pause", paused)
	s.await("what to do about it", func() bool {
		return strings.Contains(s.logs.String(), "topic "+o.DeadLetter+" takes no dead letter") &&
			strings.Contains(s.logs.String(), "raise max.message.bytes")
	})
	if n, _ := metric(t, registry, "fraudstream_dead_letters_total"); n != 0 || s.groupAtEnd() || s.count(o.DeadLetter) != 0 {
		t.Errorf("%v dead letters are counted, and the group is at the end: %v", n, s.groupAtEnd())
	}

	s.configure(o.DeadLetter, "max.message.bytes", "2000")
	s.await("the end of the lag", s.groupAtEnd)
	s.await("the end of the pause", func() bool { return !paused() })
	stop()
	slices.Sort(sent)
	s.assertOnce(sent, s.decisionIDs())
	if letters := s.read(o.DeadLetter); len(letters) != 2 || header(letters[0], deadletter.HeaderOffset) != "5" || letters[0].Key != nil ||
		header(letters[1], deadletter.HeaderOffset) != "6" {
		t.Errorf("letters %v", letters)
	}
}

// An event that is read again is decompressed within the memory budget, where one batch at a time may be large, and what
// was found outlives the next that is.
func TestFindWithinTheBudget(t *testing.T) {
	t.Parallel()
	c := New(Options{Brokers: []string{"localhost:9"}, Memory: MinMemory}, testScorer(t))
	p := &partition{c: c}
	batch := func(text string) recordbatch.Batch {
		builder := recordbatch.Builder{Codec: recordbatch.LZ4}
		for range 3 {
			builder.Append(1, []byte("key-"+text), []byte(strings.Repeat(text, 1000)), recordbatch.Headers{})
		}
		var b recordbatch.Batch
		if _, _, err := recordbatch.Next(builder.Finish(recordbatch.Producer{ID: -1}, 0), &b); err != nil || b.Codec() == recordbatch.None {
			t.Fatalf("codec %v, %v", b.Codec(), err)
		}
		return b
	}
	found, err := p.find(&run{batches: []recordbatch.Batch{batch("one")}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := p.find(&run{batches: []recordbatch.Batch{batch("two")}}, 2); err != nil || string(other.Key) != "key-two" {
		t.Errorf("the other is %q, %v", other.Key, err)
	}
	if string(found.Key) != "key-one" || string(found.Value) != strings.Repeat("one", 1000) {
		t.Errorf("the first became %q", found.Key)
	}
	if _, err := p.find(&run{batches: []recordbatch.Batch{batch("one")}}, 3); err == nil {
		t.Error("an offset that is not there was found")
	}
	whole := <-c.memory.lane
	c.memory.lane <- &desk{unpack: recordbatch.Decompressor{Limit: 10}}
	if _, err := p.find(&run{batches: []recordbatch.Batch{batch("one")}}, 2); err == nil {
		t.Error("a batch was decompressed outside of the budget")
	}
	<-c.memory.lane
	c.memory.lane <- whole
}

// configure changes one setting of a topic.
func (s *stage) configure(topic, name, value string) {
	s.t.Helper()
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = name, &value
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	resource.Configs = append(resource.Configs, config)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = append(req.Resources, resource)
	res, err := req.RequestWith(s.t.Context(), s.client)
	if err != nil || res.Resources[0].ErrorCode != 0 {
		s.t.Fatalf("%s of %s: %v %+v", name, topic, err, res)
	}
}
