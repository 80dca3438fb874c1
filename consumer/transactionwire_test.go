package consumer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/consumer/recordbatch"
)

// testTransactional is an identity as if it had been fenced.
func testTransactional() *transactional {
	c := New(Options{ClientID: "me", Group: "g"}, nil)
	t := c.newTransactional("g/in/3", "g")
	t.producer = recordbatch.Producer{ID: 77, Epoch: 5, Transactional: true}
	return &t
}

// Each request of a transaction names the id, the producer and the epoch, and the one with offsets the generation too:
// franz-go's decoder reads all of it back, and nothing is left over.
func TestTransactionOnTheWire(t *testing.T) {
	tx := testTransactional()
	marks := map[int32]mark{3: {offset: 42, text: "77/5/1"}}
	for _, c := range []struct {
		data  []byte
		into  kmsg.Request
		holds func(kmsg.Request) bool
	}{
		{tx.encodeAddPartitions([]target{{"out", 3}, {"dlq", 0}, {"out", 4}}), kmsg.NewPtrAddPartitionsToTxnRequest(), func(r kmsg.Request) bool {
			req := r.(*kmsg.AddPartitionsToTxnRequest)
			added := map[string][]int32{}
			for _, topic := range req.Topics {
				added[topic.Topic] = topic.Partitions
			}
			return req.TransactionalID == "g/in/3" && req.ProducerID == 77 && req.ProducerEpoch == 5 && len(req.Topics) == 2 &&
				slices.Equal(added["out"], []int32{3, 4}) && slices.Equal(added["dlq"], []int32{0})
		}},
		{tx.encodeAddOffsets(), kmsg.NewPtrAddOffsetsToTxnRequest(), func(r kmsg.Request) bool {
			req := r.(*kmsg.AddOffsetsToTxnRequest)
			return req.TransactionalID == "g/in/3" && req.ProducerID == 77 && req.ProducerEpoch == 5 && req.Group == "g"
		}},
		{tx.encodeOffsets(member{generation: 9, id: "me-1"}, "in", marks), kmsg.NewPtrTxnOffsetCommitRequest(), func(r kmsg.Request) bool {
			req := r.(*kmsg.TxnOffsetCommitRequest)
			if len(req.Topics) != 1 || len(req.Topics[0].Partitions) != 1 {
				return false
			}
			p := req.Topics[0].Partitions[0]
			return req.TransactionalID == "g/in/3" && req.Group == "g" && req.ProducerID == 77 && req.ProducerEpoch == 5 &&
				req.Generation == 9 && req.MemberID == "me-1" && req.InstanceID == nil && req.Topics[0].Topic == "in" &&
				p.Partition == 3 && p.Offset == 42 && p.LeaderEpoch == -1 && *p.Metadata == "77/5/1"
		}},
		{tx.encodeEnd(true), kmsg.NewPtrEndTxnRequest(), func(r kmsg.Request) bool {
			req := r.(*kmsg.EndTxnRequest)
			return req.TransactionalID == "g/in/3" && req.ProducerID == 77 && req.ProducerEpoch == 5 && req.Commit
		}},
		{tx.encodeEnd(false), kmsg.NewPtrEndTxnRequest(), func(r kmsg.Request) bool {
			req := r.(*kmsg.EndTxnRequest)
			return req.TransactionalID == "g/in/3" && req.ProducerID == 77 && req.ProducerEpoch == 5 && !req.Commit
		}},
	} {
		name := kmsg.NameForKey(c.into.Key())
		in := cursor{data: c.data}
		size, key, version, id := in.int32(), in.int16(), in.int16(), in.int32()
		client := string(in.take(int(in.int16())))
		if int(size) != len(c.data)-4 || key != c.into.Key() || id != correlation || client != "me" {
			t.Errorf("%s: size %d of %d, key %d, correlation %d, client %q", name, size, len(c.data), key, id, client)
		}
		if got := (&coordinatorRequest{data: c.data}).ApiKey(); got != protocol.ApiKey(key) {
			t.Errorf("%s: the Transport is told of request %d", name, got)
		}
		if c.into.SetVersion(version); c.into.IsFlexible() {
			in.skipTags()
		}
		if err := c.into.ReadFrom(in.data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again := c.into.AppendTo(nil); !c.holds(c.into) || len(again) != len(in.data) {
			t.Errorf("%s: %+v, %d bytes of %d", name, c.into, len(again), len(in.data))
		}
	}
}

// partitionCodes are the codes that an answer has for one topic, of its partitions from 0 on.
type partitionCodes struct {
	topic string
	codes []int16
}

// addedAnswer is an answer to AddPartitionsToTxn as franz-go encodes it.
func addedAnswer(topics ...partitionCodes) []byte {
	res := kmsg.NewPtrAddPartitionsToTxnResponse()
	res.Version = addPartitionsVersion
	for _, at := range topics {
		one := kmsg.NewAddPartitionsToTxnResponseTopic()
		one.Topic = at.topic
		for i, code := range at.codes {
			one.Partitions = append(one.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: int32(i), ErrorCode: code})
		}
		res.Topics = append(res.Topics, one)
	}
	return res.AppendTo(nil)
}

// offsetsAnswer is an answer to TxnOffsetCommit, with the tagged fields of the header of a flexible version.
func offsetsAnswer(topics ...partitionCodes) []byte {
	res := kmsg.NewPtrTxnOffsetCommitResponse()
	res.Version = txnOffsetCommitVersion
	for _, at := range topics {
		one := kmsg.NewTxnOffsetCommitResponseTopic()
		one.Topic = at.topic
		for i, code := range at.codes {
			p := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			p.Partition, p.ErrorCode = int32(i), code
			one.Partitions = append(one.Partitions, p)
		}
		res.Topics = append(res.Topics, one)
	}
	return res.AppendTo([]byte{0})
}

// parseAdded and parseCommitted read the answers to requests about out/0, out/1 and dlq/0, and about in/0 and in/1.
func parseAdded(in cursor) error {
	return parseAddPartitions(in, []target{{"out", 0}, {"dlq", 0}, {"out", 1}})
}

func parseCommitted(in cursor) error {
	return parseOffsets(in, "in", map[int32]mark{0: {offset: 4}, 1: {offset: 5}})
}

// The answers as franz-go encodes them: the code that tells the cause is found, a part of an answer is none, and no
// success is read from one that leaves out what was asked for.
func TestTransactionAnswersOnTheWire(t *testing.T) {
	for name, c := range map[string]struct {
		body  []byte
		parse func(cursor) error
		want  error
	}{
		"denied":              {addedAnswer(partitionCodes{"dlq", []int16{55}}, partitionCodes{"out", []int16{55, 29, 55}}), parseAdded, kafka.TopicAuthorizationFailed},
		"all added":           {addedAnswer(partitionCodes{"dlq", []int16{0}}, partitionCodes{"out", []int16{0, 0}}), parseAdded, nil},
		"nothing added":       {addedAnswer(), parseAdded, errUnanswered},
		"a topic left out":    {addedAnswer(partitionCodes{"out", []int16{0, 0}}), parseAdded, errUnanswered},
		"a partition too few": {addedAnswer(partitionCodes{"dlq", []int16{0}}, partitionCodes{"out", []int16{0}}), parseAdded, errUnanswered},
		"busy, left out":      {addedAnswer(partitionCodes{"out", []int16{51}}), parseAdded, kafka.ConcurrentTransactions},
		"offsets":             {(&kmsg.AddOffsetsToTxnResponse{Version: addOffsetsVersion, ErrorCode: 51}).AppendTo(nil), parseCode, kafka.ConcurrentTransactions},
		"not committed":       {offsetsAnswer(partitionCodes{"in", []int16{0, 22}}), parseCommitted, kafka.IllegalGeneration},
		"committed":           {offsetsAnswer(partitionCodes{"in", []int16{0, 0}}), parseCommitted, nil},
		"nothing committed":   {offsetsAnswer(), parseCommitted, errUnanswered},
		"one not committed":   {offsetsAnswer(partitionCodes{"in", []int16{0}}), parseCommitted, errUnanswered},
		"another topic's":     {offsetsAnswer(partitionCodes{"on", []int16{0, 0}}), parseCommitted, errUnanswered},
		"ended":               {(&kmsg.EndTxnResponse{Version: endTransactionVersion}).AppendTo(nil), parseCode, nil},
	} {
		if err := c.parse(cursor{data: c.body}); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		for n := range c.body {
			if err := c.parse(cursor{data: c.body[:n]}); err == nil {
				t.Errorf("%s: %d bytes of %d pass for an answer", name, n, len(c.body))
			}
		}
	}
}

// A list that says it is two thousand million long, and is not, costs no time: whoever reads it stops where it ends.
func TestLyingLengthsEndAtOnce(t *testing.T) {
	const most = "\x7f\xff\xff\xff"
	for name, c := range map[string]struct {
		body  string
		parse func(cursor) error
	}{
		"topics added":         {"\x00\x00\x00\x00" + most, parseAdded},
		"partitions added":     {"\x00\x00\x00\x00\x00\x00\x00\x01\x00\x03out" + most, parseAdded},
		"topics committed":     {"\x00\x00\x00\x00\x00\xff\xff\xff\x3f", parseCommitted},
		"partitions committed": {"\x00\x00\x00\x00\x00\x02\x03in\xff\xff\xff\x3f", parseCommitted},
		"tags":                 {"\xff\xff\xff\x3f", parseCommitted},
		"aborted": {"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x02in\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 16) + most, func(in cursor) error {
			_, err := parseFetch(append(make([]byte, 4), in.data...), fetchOldest)
			return err
		}},
	} {
		done := make(chan error, 1)
		go func() { done <- c.parse(cursor{data: []byte(c.body)}) }()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s: passes for an answer", name)
			}
		case <-time.After(2 * time.Second):
			t.Errorf("%s: is still being read", name)
		}
	}
}

// Of the topics that were to be added only those count whose own code tells the cause, in whichever order they come.
func TestTopicsAtFaultOnTheWire(t *testing.T) {
	for name, c := range map[string]struct {
		answers []partitionCodes
		code    kafka.Error
		guilty  []string // nil: the code is about no topic
	}{
		"one denied, the first": {[]partitionCodes{{"dlq", []int16{29}}, {"out", []int16{55, 55}}}, 29, []string{"dlq"}},
		"one denied, the last":  {[]partitionCodes{{"out", []int16{55, 55}}, {"dlq", []int16{29}}}, 29, []string{"dlq"}},
		"two denied":            {[]partitionCodes{{"out", []int16{29, 29}}, {"state", []int16{55}}, {"dlq", []int16{29}}}, 29, []string{"out", "dlq"}},
		"unknown":               {[]partitionCodes{{"out", []int16{55}}, {"dlq", []int16{3}}}, 3, []string{"dlq"}},
		"busy":                  {[]partitionCodes{{"out", []int16{51}}, {"dlq", []int16{51}}}, 51, nil},
		"id denied":             {[]partitionCodes{{"out", []int16{53}}, {"dlq", []int16{53}}}, 53, nil},
	} {
		err := parseAdded(cursor{data: addedAnswer(c.answers...)})
		var at topicError
		if found, ok := errors.AsType[*topicError](err); ok {
			at = *found
		}
		if !errors.Is(err, c.code) || !slices.Equal(at.topics, c.guilty) {
			t.Errorf("%s: %v of %q, want %v of %q", name, err, at.topics, c.code, c.guilty)
		}
	}
}

// A signature is what a request says of who writes.
type signature struct {
	id       string // transactional id
	producer int64
	epoch    int16
}

// signatures are those of all requests that write on a stage, by kind of request and topic.
type signatures struct {
	mu  sync.Mutex
	all map[string]map[signature]int
	odd []string // what batches deny of their request
}

func (g *signatures) note(what string, by signature) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all[what] == nil {
		g.all[what] = map[signature]int{}
	}
	g.all[what][by]++
}

// collectSignatures listens to what the in-process broker is asked.
func collectSignatures(s *stage) *signatures {
	g := &signatures{all: map[string]map[signature]int{}}
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn} {
		s.b.fake.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
			s.b.fake.KeepControl()
			switch r := r.(type) {
			case *kmsg.ProduceRequest:
				g.noteBatch(s, r)
			case *kmsg.AddPartitionsToTxnRequest:
				g.note("add partitions", signature{r.TransactionalID, r.ProducerID, r.ProducerEpoch})
			case *kmsg.AddOffsetsToTxnRequest:
				g.note("add offsets", signature{r.TransactionalID, r.ProducerID, r.ProducerEpoch})
			case *kmsg.TxnOffsetCommitRequest:
				g.note("commit offsets", signature{r.TransactionalID, r.ProducerID, r.ProducerEpoch})
			case *kmsg.EndTxnRequest:
				g.note("end", signature{r.TransactionalID, r.ProducerID, r.ProducerEpoch})
			}
			return nil, nil, false
		})
	}
	return g
}

// noteBatch reads the producer from the header of the batch; a probe of the checks before the start holds none.
func (g *signatures) noteBatch(s *stage, r *kmsg.ProduceRequest) {
	topic, records := r.Topics[0].Topic, r.Topics[0].Partitions[0].Records
	if topic == s.input() || topic == "" || len(records) == 0 {
		return // topics without a name are those of the test's own client, which goes by their ids
	}
	by := signature{"", int64(binary.BigEndian.Uint64(records[43:])), int16(binary.BigEndian.Uint16(records[51:]))}
	if r.TransactionID != nil {
		by.id = *r.TransactionID
	}
	g.note("produce to "+strings.TrimPrefix(topic, s.name), by)
	if transactional := binary.BigEndian.Uint16(records[21:])&0x10 != 0; transactional != (by.id != "") || r.Acks != -1 {
		g.odd = append(g.odd, fmt.Sprintf("%s: transactional %v under the id %q, acks %d", topic, transactional, by.id, r.Acks))
	}
}

// All that a partition writes, wherever to, is written in one name: with exactly-once delivery by the id, producer and
// epoch of its transactions, and each batch says that it belongs to one; at least once by a producer without an id.
func TestWhoWrites(t *testing.T) {
	topics := []string{"produce to .out", "produce to .dlq", "produce to .alerts", "produce to .state", "produce to .ticks"}
	for name, c := range map[string]struct {
		exactly bool
		want    []string
	}{
		"at least once": {false, topics},
		"exactly once":  {true, append(topics, "add partitions", "add offsets", "commit offsets", "end")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			b.exactly = c.exactly
			s := newStage(t, b, 1, 1)
			g := collectSignatures(s)
			s.sendEvents("a", 2*tickOf, 1)
			s.produce(&kgo.Record{Value: []byte(`{"income":"x","debt":2}`)})
			stop := s.start(s.consumer(s.monitored(&adderLog{}, 1)))
			s.await("the end of the lag", s.groupAtEnd)
			stop()
			g.mu.Lock()
			defer g.mu.Unlock()
			if kinds := slices.Sorted(maps.Keys(g.all)); !slices.Equal(kinds, slices.Sorted(slices.Values(c.want))) {
				t.Errorf("written by %q", kinds)
			}
			writers := map[signature]bool{}
			for what, by := range g.all {
				for one := range by {
					writers[one] = true
					if id := s.name + "/" + s.input() + "/0"; c.exactly != (one.id == id) || one.producer < 0 || one.epoch < 0 {
						t.Errorf("%s by %+v", what, one)
					}
				}
			}
			if len(writers) != 1 || len(g.odd) > 0 {
				t.Errorf("writers %v; %q", writers, g.odd)
			}
		})
	}
}

// A coordinator is looked up once for many requests, and again when its broker says that it is none any more.
func TestCoordinatorIsRemembered(t *testing.T) {
	t.Parallel()
	s := exactStage(t, 1)
	var lookUps atomic.Int64
	s.b.fake.ControlKey(int16(kmsg.FindCoordinator), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.b.fake.KeepControl()
		lookUps.Add(1)
		return nil, nil, false
	})
	registry := prometheus.NewRegistry()
	o := s.options()
	o.Metrics, o.CommitInterval = NewMetrics(registry), time.Hour
	o.CommitEvents = 1
	stop := s.start(s.consumer(o))
	send := func(name string) {
		s.sendEvents(name, 1, 1)
		s.await("the end of the lag", s.atEnd(registry))
	}
	send("first")
	before := lookUps.Load()
	for i := range 20 {
		send(fmt.Sprintf("a%d", i))
	}
	if n := lookUps.Load() - before; n != 0 {
		t.Errorf("coordinators were looked up %d times for 20 transactions", n)
	}
	for _, key := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn} {
		before := lookUps.Load()
		s.b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.NotCoordinator, Count: 1})
		send(key.Name())
		if n := lookUps.Load() - before; n != 1 {
			t.Errorf("%s: looked up %d times after error 16", key.Name(), n)
		}
	}
	stop()
}

// atEnd tells whether all events sent so far count as consumed, without asking the broker.
func (s *stage) atEnd(registry *prometheus.Registry) func() bool {
	return func() bool {
		n, _ := metric(s.t, registry, "fraudstream_events_consumed_total")
		return int64(n) == s.countOf(s.input())
	}
}
