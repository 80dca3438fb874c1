package consumer

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// startFault runs a consumer that cannot start and returns what Run says. The promise is 5 s; a loaded machine gets
// five times as much, and the log tells what it took.
func startFault(t *testing.T, c *Consumer) *SetupError {
	t.Helper()
	ended := make(chan error, 1)
	begun := time.Now()
	go func() { ended <- c.Run(t.Context()) }()
	select {
	case err := <-ended:
		t.Logf("%v after %v", err, time.Since(begun).Round(time.Millisecond))
		var setup *SetupError
		if !errors.As(err, &setup) {
			t.Fatalf("Run returned %v, want a SetupError", err)
		}
		return setup
	case <-time.After(25 * time.Second):
		t.Fatal("no error within 25 s")
		return nil
	}
}

func missingTopic(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	for _, choose := range []func(*Options) *string{
		func(o *Options) *string { return &o.Input },
		func(o *Options) *string { return &o.Output },
		func(o *Options) *string { return &o.DeadLetter },
		func(o *Options) *string { return &o.Alerts },
		func(o *Options) *string { return &o.State },
		func(o *Options) *string { return &o.Ticks },
	} {
		o := s.options()
		*choose(&o) = "no-such-topic"
		c := s.consumer(o)
		c.timing.missing = 500 * time.Millisecond
		err := startFault(t, c)
		if err.Resource != "topic no-such-topic" || !strings.Contains(err.Advice, "kafka-topics.sh --bootstrap-server "+o.Brokers[0]+" --create --topic no-such-topic") {
			t.Errorf("error %q does not name the topic and how to create it", err)
		}
		if (o.State != "") != strings.Contains(err.Advice, "cleanup.policy=compact") {
			t.Errorf("error %q: only the state is compacted", err)
		}
	}
}

// A state topic that is divided otherwise than the input is said and serves all the same.
func TestStateTopicWithFewerPartitions(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 3, 3)
	var log adderLog
	o := s.monitored(&log, 2)
	for range 2 {
		stop := s.start(s.consumer(o))
		s.sendEvents("a", 3*tickOf, 3)
		s.await("the end of the lag", s.groupAtEnd)
		stop()
	}
	s.assertAlerts(2*tickOf, 3, false)
	if log.restored != 3 || !strings.Contains(s.logs.String(), "give both equally many partitions") {
		t.Errorf("%d snapshots restored, said: %s", log.restored, s.logs.tail())
	}
}

func TestDeniedAccess(t *testing.T) {
	allow := func(resource kmsg.ACLResourceType, name string, op kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{
			Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true,
		}
	}
	const topic, group, cluster = kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup, kmsg.ACLResourceTypeCluster
	all := []kfake.ACL{
		allow(topic, "in", kmsg.ACLOperationRead), allow(topic, "out", kmsg.ACLOperationWrite),
		allow(topic, "dlq", kmsg.ACLOperationWrite), allow(group, "g", kmsg.ACLOperationRead),
		allow(cluster, "kafka-cluster", kmsg.ACLOperationIdempotentWrite),
		allow(topic, "in", kmsg.ACLOperationDescribe), allow(topic, "out", kmsg.ACLOperationDescribe),
		allow(topic, "dlq", kmsg.ACLOperationDescribe), allow(group, "g", kmsg.ACLOperationDescribe),
		allow(topic, "alerts", kmsg.ACLOperationWrite), allow(topic, "state", kmsg.ACLOperationWrite),
		allow(topic, "state", kmsg.ACLOperationRead), allow(topic, "alerts", kmsg.ACLOperationDescribe),
		allow(topic, "state", kmsg.ACLOperationDescribe),
	}
	for without, want := range map[int]string{
		0: "topic in: reading is denied", 1: "topic out: writing is denied", 2: "topic dlq: writing is denied",
		3: "group g: joining is denied", 9: "topic alerts: writing is denied", 10: "topic state: writing is denied",
		11: "topic state: reading is denied",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			acls := append([]kfake.ACL{}, all[:without]...)
			acls = append(acls, all[without+1:]...)
			b := newFake(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("PLAIN", "ann", "pw", acls...),
				kfake.SeedTopics(1, "in", "out", "dlq", "alerts", "state"))
			s := &stage{t: t, b: b, logs: &logBuffer{}}
			c := s.consumer(Options{
				Brokers: strings.Split(b.bootstrap, ","), Group: "g", Input: "in", Output: "out", DeadLetter: "dlq",
				Alerts: "alerts", State: "state", SASL: plain.Mechanism{Username: "ann", Password: "pw"},
			})
			if err := startFault(t, c); !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error %q, want %q", err, want)
			}
		})
	}
}

// Exactly-once delivery needs its transactional ids, and no right to number batches beside them.
func TestTransactionsAreDeniedByName(t *testing.T) {
	t.Parallel()
	allow := func(kind kmsg.ACLResourceType, name string, op kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypePrefixed, Operation: op, Allow: true}
	}
	const topic, group, id = kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup, kmsg.ACLResourceTypeTransactionalId
	all := []kfake.ACL{
		allow(topic, "", kmsg.ACLOperationRead), allow(topic, "", kmsg.ACLOperationWrite), allow(topic, "", kmsg.ACLOperationDescribe),
		allow(group, "g", kmsg.ACLOperationRead), allow(group, "g", kmsg.ACLOperationDescribe),
		allow(id, "g/in/", kmsg.ACLOperationWrite), allow(id, "g/in/", kmsg.ACLOperationDescribe),
	}
	run := func(acls ...kfake.ACL) (*stage, *Consumer) {
		b := newFake(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("PLAIN", "ann", "pw", acls...), kfake.SeedTopics(1, "in", "out", "dlq"))
		s := &stage{t: t, b: b, logs: &logBuffer{}}
		return s, s.consumer(Options{
			Brokers: strings.Split(b.bootstrap, ","), Group: "g", Input: "in", Output: "out", DeadLetter: "dlq",
			ExactlyOnce: true, ExitAtEnd: true, SASL: plain.Mechanism{Username: "ann", Password: "pw"},
		})
	}
	_, c := run(all[:5]...)
	if err := startFault(t, c); err.Error() != "transactional ids g/in/*: writing is denied; grant Write and Describe to the user of this service" {
		t.Errorf("error %q", err)
	}
	_, c = run(all...)
	if err := c.Run(t.Context()); err != nil {
		t.Errorf("with all that is needed: %v", err)
	}
}

// Brokers that allow no transactions of our length are found out at the start.
func TestShortTransactionsAreNamed(t *testing.T) {
	t.Parallel()
	b := newFake(t, kfake.BrokerConfigs(map[string]string{"transaction.max.timeout.ms": "10000"}))
	b.exactly = true
	s := newStage(t, b, 1, 1)
	err := startFault(t, s.consumer(s.options()))
	if !strings.Contains(err.Error(), "transaction.max.timeout.ms") {
		t.Errorf("error %q", err)
	}
}

// Apache Kafka answers a wrong password with a code; the in-process broker only hangs up, so it is made to answer.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	b := newFake(t, kfake.EnableSASL(), kfake.User("PLAIN", "ann", "right"), kfake.SeedTopics(1, "in", "out", "dlq"))
	b.fake.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.fake.KeepControl()
		res := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		res.ErrorCode = kerr.SaslAuthenticationFailed.Code
		return res, nil, true
	})
	s := &stage{t: t, b: b, logs: &logBuffer{}}
	err := startFault(t, s.consumer(Options{
		Brokers: strings.Split(b.bootstrap, ","), Group: "g", Input: "in", Output: "out", DeadLetter: "dlq",
		SASL: plain.Mechanism{Username: "ann", Password: "not-the-secret"},
	}))
	if !strings.Contains(err.Error(), "authentication failed") || strings.Contains(err.Error(), "not-the-secret") {
		t.Errorf("error %q", err)
	}
}

// A broker that is not there is named, waited for, and used when it comes.
func TestBrokerThatComesLater(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	s := &stage{t: t, b: &broker{bootstrap: address}, name: "later", logs: &logBuffer{}}
	c := s.consumer(s.options())
	s.start(c)
	s.await("the broker's name in the log", func() bool {
		return strings.Contains(s.logs.String(), "unreachable") && strings.Contains(s.logs.String(), address)
	})
	if c.Ready() || !c.Healthy() {
		t.Errorf("ready %v, healthy %v without a broker", c.Ready(), c.Healthy())
	}
	newFake(t, kfake.Ports(listener.Addr().(*net.TCPAddr).Port), kfake.SeedTopics(1, s.input(), s.output(), s.letters()))
	s.await("readiness", c.Ready)
}
