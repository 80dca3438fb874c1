package consumer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// lines are findings as text.
func lines(all []Finding) []string {
	var text []string
	for _, f := range all {
		text = append(text, fmt.Sprintf("%v %s: %s; %s", f.Level, f.Subject, f.Detail, f.Advice))
	}
	return text
}

// assertLine demands one finding that begins with level and subject and holds a text.
func assertLine(t *testing.T, all []Finding, begins, holds string) {
	t.Helper()
	if !slices.ContainsFunc(lines(all), func(l string) bool { return strings.HasPrefix(l, begins) && strings.Contains(l, holds) }) {
		t.Errorf("no finding %q with %q in\n%s", begins, holds, strings.Join(lines(all), "\n"))
	}
}

func (s *stage) diagnose(o Options) []Finding {
	s.t.Helper()
	return s.consumer(o).Diagnose(s.t.Context())
}

// full are options with every topic that there may be.
func (s *stage) full() Options {
	o := s.options()
	o.Alerts, o.State, o.Ticks = s.name+".alerts", s.name+".state", s.name+".ticks"
	return o
}

// topicsAreCreatedOnce: what is missing is made as it is needed, what is there stays, and a dry run makes nothing.
func topicsAreCreatedOnce(t *testing.T, b *broker) {
	s := newStage(t, b, 3, 3)
	o := s.full()
	o.Output, o.DeadLetter = s.name+".decisions", s.name+".letters"
	c := s.consumer(o)
	for _, f := range c.CreateTopics(t.Context(), Layout{DryRun: true}) {
		if f.Level != OK || !strings.Contains(f.Detail, "would be created") && f.Subject != "topic "+s.input() {
			t.Errorf("dry run: %+v", f)
		}
	}
	assertLine(t, c.Diagnose(t.Context()), "fail topic "+o.Output, "fraudstream topics create")

	made := c.CreateTopics(t.Context(), Layout{Retention: time.Hour})
	assertLine(t, made, "ok topic "+s.input(), "exists, with 3 partitions")
	assertLine(t, made, "ok topic "+o.Output, "created: 3 partitions, retention.ms=3600000")
	assertLine(t, made, "ok topic "+o.DeadLetter, "max.message.bytes=1114112")
	assertLine(t, made, "ok topic "+o.State, "created: 3 partitions, cleanup.policy=compact, segment.bytes=16777216, segment.ms=600000")
	assertLine(t, made, "ok topic "+o.Ticks, "created: 1 partitions")
	all, err := c.settingsOf(t.Context(), c.topics())
	if err != nil || all[o.State]["cleanup.policy"] != "compact" || all[o.Output]["retention.ms"] != "3600000" {
		t.Errorf("settings %v, %v", all, err)
	}
	for _, f := range c.CreateTopics(t.Context(), Layout{}) {
		if f.Level != OK || !strings.Contains(f.Detail, "exists") {
			t.Errorf("again: %+v", f)
		}
	}
	for _, f := range c.Diagnose(t.Context()) {
		if f.Level != OK {
			t.Errorf("after the creation: %+v", f)
		}
	}
	o.Output = s.name + ".copies"
	assertLine(t, s.consumer(o).CreateTopics(t.Context(), Layout{Replication: 9}), "fail topic "+o.Output, "--replication")
}

// diagnosisNamesWhatIsWrong on topics that are there.
func diagnosisNamesWhatIsWrong(t *testing.T, b *broker) {
	s := newStage(t, b, 3, 2)
	o := s.full()
	s.create(o.State, 2)
	s.create(o.Ticks, 2)
	s.create(o.Alerts, 1)
	s.create(s.name+".small", 1, "max.message.bytes", "1000")
	o.DeadLetter = s.name + ".small"
	all := s.diagnose(o)
	assertLine(t, all, "ok brokers", "1 of 1 reached")
	assertLine(t, all, "ok versions", "all that is needed")
	assertLine(t, all, "ok transactions", "")
	assertLine(t, all, "ok topic "+s.input()+":", "3 partitions, 1 replicas")
	assertLine(t, all, "ok topic "+s.input()+":", "reading is allowed")
	assertLine(t, all, "warn topic "+s.output(), "2 partitions, the input has 3")
	assertLine(t, all, "warn topic "+o.DeadLetter, "set max.message.bytes to 1114")
	assertLine(t, all, "warn topic "+o.State, "equally many partitions")
	assertLine(t, all, "warn topic "+o.State, "set cleanup.policy to compact")
	assertLine(t, all, "warn topic "+o.Ticks, "a pool reads one")
	assertLine(t, all, "ok group "+s.name, "0 members")

	other := s.newClient(kgo.ConsumerGroup(s.name), kgo.ConsumeTopics(s.letters()), kgo.ClientID("billing"))
	s.await("the other program in the group", func() bool {
		other.PollFetches(canceled(t))
		return slices.ContainsFunc(lines(s.diagnose(o)), func(l string) bool {
			return strings.HasPrefix(l, "warn group "+s.name) && strings.Contains(l, "billing at") && strings.Contains(l, "reads "+s.letters())
		})
	})
}

// canceled is a context that waits for nothing.
func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// A group of another kind of program cannot be joined, and that is said before it is tried.
func TestGroupOfAnotherKind(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 1, 1)
	b.fake.ControlKey(int16(kmsg.DescribeGroups), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.fake.KeepControl()
		res := r.ResponseKind().(*kmsg.DescribeGroupsResponse)
		g := kmsg.NewDescribeGroupsResponseGroup()
		g.Group, g.State, g.ProtocolType = s.name, "Stable", "connect"
		g.Members = append(g.Members, kmsg.NewDescribeGroupsResponseGroupMember())
		res.Groups = append(res.Groups, g)
		return res, nil, true
	})
	if err := startFault(t, s.consumer(s.options())); !strings.Contains(err.Error(), "members of type connect") {
		t.Errorf("error %q", err)
	}
}

// A cluster of brokers that are too old is named; so is a broker whose own address leads nowhere.
func TestDiagnosisOfBrokers(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t, kfake.MaxVersions(kversion.V0_10_2())), 1, 1)
	all := s.diagnose(s.options())
	assertLine(t, all, "fail versions", "Fetch 4 at broker 0")

	b := newFake(t, kfake.NumBrokers(2))
	s = newStage(t, b, 1, 1)
	addresses := strings.Split(b.bootstrap, ",")
	o := s.options()
	o.Brokers = addresses[:1]
	o.Dial = allBut(addresses[1])
	assertLine(t, s.diagnose(o), "fail broker "+addresses[1], "advertised.listeners")
}

// allBut dials every address but one.
func allBut(gone string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == gone {
			return nil, fmt.Errorf("dial %s: no such host", address)
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

func TestStrangersOfEveryKind(t *testing.T) {
	for _, metadata := range [][]byte{nil, {0}, {0, 1, 0, 0, 0, 9}, {0, 1, 255, 255, 255, 255}, {0, 1, 0, 0, 0, 1, 0, 9, 'x'}} {
		if topics, known := subscription(metadata); known {
			t.Errorf("% x is a subscription to %q", metadata, topics)
		}
	}
	if topics, known := subscription([]byte{0, 1, 0, 0, 0, 1, 0, 2, 'i', 'n'}); !known || topics[0] != "in" {
		t.Errorf("read %q, %v", topics, known)
	}
}

// What is said of replicas, without three brokers.
func TestDiagnosisOfReplicas(t *testing.T) {
	broker := func(id int) kafka.Broker { return kafka.Broker{ID: id, Host: "h", Port: id} }
	topic := func(replicas, inSync int, leader string) kafka.Topic {
		p := kafka.Partition{Leader: kafka.Broker{Host: leader}}
		for i := range replicas {
			p.Replicas = append(p.Replicas, broker(i))
		}
		p.Isr = p.Replicas[:inSync]
		return kafka.Topic{Name: "out", Partitions: []kafka.Partition{p}}
	}
	c := New(Options{Input: "in", Output: "out", DeadLetter: "dlq"}, nil)
	for _, test := range []struct {
		topic kafka.Topic
		isr   string
		want  string
	}{
		{topic(3, 3, "h"), "2", "ok"},
		{topic(3, 3, "h"), "3", "set min.insync.replicas to 2"},
		{topic(3, 3, "h"), "1", "set min.insync.replicas to 2"},
		{topic(3, 2, "h"), "2", "see which broker is away"},
		{topic(3, 3, ""), "2", "1 of 1 partitions have no leader"},
		{topic(1, 1, "h"), "1", "raise its replication factor"},
	} {
		var f findings
		c.diagnoseTopic(&f, test.topic, settings{"min.insync.replicas": test.isr}, nil, 1, 3)
		if !strings.Contains(strings.Join(lines(f), "\n"), test.want) || len(f) != 1 {
			t.Errorf("%q, want %q", lines(f), test.want)
		}
	}
	var f findings
	c.diagnoseTopic(&f, topic(3, 3, "h"), nil, nil, 1, 3)
	assertLine(t, f, "warn topic out", "grant DescribeConfigs")
}

// The two groups in which commands leave their word for the stream are asked for at the start, each by its name: a right
// that is missing shows before it is needed.
func TestDiagnosisOfCommandGroups(t *testing.T) {
	t.Parallel()
	group := func(name string) kfake.ACL {
		return kfake.ACL{Resource: kmsg.ACLResourceTypeGroup, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationRead, Allow: true}
	}
	for lacks, has := range map[string]string{"skip": "breaker", "breaker": "skip"} {
		b := newFake(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.SeedTopics(1, "in"), kfake.User("PLAIN", "ann", "pw", group("g."+has),
			kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: "in", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationRead, Allow: true}))
		s := &stage{t: t, b: b, logs: &logBuffer{}}
		all := s.diagnose(Options{
			Brokers: strings.Split(b.bootstrap, ","), Group: "g", Input: "in", Output: "out", DeadLetter: "dlq",
			Breaker: Breaker{Share: .5}, SASL: plain.Mechanism{Username: "ann", Password: "pw"},
		})
		assertLine(t, all, "ok group g."+has, "reading offsets is allowed")
		assertLine(t, all, "warn group g."+lacks, "grant Read on it")
	}
}

// A coordinator that is only starting is asked again, for as long as a request may take and not longer.
func TestDiagnosisOfAStartingCluster(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	o := s.options()
	o.ExactlyOnce, o.Breaker.Share = true, .5
	for key, code := range map[kmsg.Key]*kerr.Error{
		kmsg.OffsetFetch: kerr.CoordinatorLoadInProgress, kmsg.DescribeGroups: kerr.CoordinatorNotAvailable,
		kmsg.InitProducerID: kerr.NotCoordinator, kmsg.Produce: kerr.NotLeaderForPartition,
	} {
		begun := s.b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: code, Count: 3})
		for _, f := range s.diagnose(o) {
			if f.Level == Fail {
				t.Errorf("%s answers %v three times: %+v", key.Name(), code, f)
			}
		}
		if n := begun.Hits(); n != 3 {
			t.Errorf("%s answered %v %d times", key.Name(), code, n)
		}
	}
	s.b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.CoordinatorLoadInProgress, Count: -1})
	c := s.consumer(o)
	c.timing.request = time.Second
	begun := time.Now()
	all := c.Diagnose(t.Context())
	if took := time.Since(begun); took > 5*3*c.timing.request {
		t.Errorf("it took %v", took)
	}
	assertLine(t, all, "fail group "+s.name+": reading offsets could not be tried", "[14] Group Load In Progress")
	ctx, cancel := context.WithCancel(t.Context())
	attempts := 0
	err := readiness{c, time.Now().Add(time.Hour)}.try(ctx, "group", func(context.Context) error {
		if attempts++; attempts == 3 {
			cancel()
		}
		return kafka.GroupLoadInProgress
	})
	if attempts != 3 || !errors.Is(err, kafka.GroupLoadInProgress) {
		t.Errorf("%d attempts until the context ended, %v", attempts, err)
	}
}
