package consumer

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/consumer/deadletter"
	"fraudstream/consumer/kafkatest"
	"fraudstream/consumer/security"
)

// secured gives o the login and the encryption of a test.
func secured(t *testing.T, o Options, address string, tls security.TLS, login security.SASL) Options {
	t.Helper()
	dialer, err := security.NewDialer(tls)
	if err != nil {
		t.Fatal(err)
	}
	if o.SASL, err = login.Login(); err != nil {
		t.Fatal(err)
	}
	o.Brokers, o.Dial = []string{address}, dialer.DialContext
	return o
}

// A right is what the stream needs of one resource of the cluster, and the words that name it where it is missing.
type right struct {
	kafkatest.Grant
	denied   string // in the running stream
	resource string // of the SetupError, where the start is refused
	detail   string
}

// rights are all that the stream needs, in either mode, with its monitor's topics. Reading the state comes last: only a
// new generation does that.
func rights(s *stage, exactly bool) []right {
	topic := func(name string, operation kafka.ACLOperationType, access, action string) right {
		return right{
			Grant:  kafkatest.Grant{Type: kafka.ResourceTypeTopic, Name: name, Operation: operation},
			denied: access + " on topic " + name, resource: "topic " + name, detail: action + " is denied",
		}
	}
	all := []right{topic(s.input(), kafka.ACLOperationTypeRead, "Read", "reading")}
	for _, name := range []string{s.output(), s.letters(), s.alerts(), s.state(), s.ticks()} {
		all = append(all, topic(name, kafka.ACLOperationTypeWrite, "Write", "writing"))
	}
	all = append(all, right{
		Grant:  kafkatest.Grant{Type: kafka.ResourceTypeGroup, Name: s.name, Operation: kafka.ACLOperationTypeRead},
		denied: "Read on group " + s.name, resource: "group " + s.name, detail: "joining is denied",
	})
	if exactly {
		prefix := s.name + "/" + s.input() + "/"
		all = append(all, right{
			Grant: kafkatest.Grant{
				Type: kafka.ResourceTypeTransactionalID, Name: prefix, Operation: kafka.ACLOperationTypeWrite, Prefix: true,
			},
			denied: "Write on transactional ids " + prefix + "*", resource: "transactional ids " + prefix + "*", detail: "writing is denied",
		})
	}
	return append(all, topic(s.state(), kafka.ACLOperationTypeRead, "Read", "reading"))
}

// grants are what a stream without a monitor needs.
func grants(s *stage) (all []kafkatest.Grant) {
	for _, r := range rights(s, s.b.exactly) {
		if r.Name != s.alerts() && r.Name != s.state() && r.Name != s.ticks() {
			all = append(all, r.Grant)
		}
	}
	return all
}

// TestSecureApacheKafka runs the stream on one broker that demands TLS and a login, and whose authorizer refuses what
// is not granted.
func TestSecureApacheKafka(t *testing.T) {
	cluster := kafkatest.StartSecure(t)
	b := &broker{bootstrap: cluster.Bootstrap(), real: true}
	dir := t.TempDir()
	certificate, key := cluster.Authority.Issue(t, "cat", time.Now().Add(time.Hour))
	plainTLS := security.TLS{Enabled: true, CA: cluster.CA}
	mutual := plainTLS
	mutual.Cert = kafkatest.WriteFile(t, filepath.Join(dir, "cat.pem"), certificate)
	mutual.Key = kafkatest.WriteFile(t, filepath.Join(dir, "cat.key"), key)
	token := kafkatest.WriteFile(t, filepath.Join(dir, "token"), []byte(kafkatest.Token("bee", time.Now().Add(time.Hour))))
	password := func(mechanism string) security.SASL {
		return security.SASL{Mechanism: mechanism, Username: kafkatest.User, Password: kafkatest.Password}
	}
	bearer := security.SASL{Mechanism: "OAUTHBEARER", Token: security.Token{File: token}}

	for _, c := range []struct {
		name, user, address string
		tls                 security.TLS
		login               security.SASL
	}{
		{"PLAIN", kafkatest.User, cluster.SASL, plainTLS, password("PLAIN")},
		{"SCRAM-SHA-256", kafkatest.User, cluster.SASL, plainTLS, password("SCRAM-SHA-256")},
		{"SCRAM-SHA-512", kafkatest.User, cluster.SASL, plainTLS, password("SCRAM-SHA-512")},
		{"OAUTHBEARER", "bee", cluster.SASL, plainTLS, bearer},
		{"mTLS", "cat", cluster.MTLS, mutual, security.SASL{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, b, 2, 2)
			cluster.Allow(t, c.user, grants(s)...)
			sent := s.sendEvents("a", 200, 2)
			o := secured(t, s.options(), c.address, c.tls, c.login)
			o.ExitAtEnd = true
			if err := s.consumer(o).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.assertOnce(sent, s.decisionIDs())
		})
	}
	t.Run("refused logins", func(t *testing.T) {
		wrong := password("PLAIN")
		wrong.Password = "not-the-secret"
		wrongScram := wrong
		wrongScram.Mechanism = "SCRAM-SHA-512"
		old := security.SASL{Mechanism: "OAUTHBEARER", Token: security.Token{
			File: kafkatest.WriteFile(t, filepath.Join(dir, "old"), []byte(kafkatest.Token("bee", time.Now().Add(-time.Hour)))),
		}}
		for _, login := range []security.SASL{wrong, wrongScram, old} {
			s := newStage(t, b, 1, 1)
			err := startFault(t, s.consumer(secured(t, s.options(), cluster.SASL, plainTLS, login)))
			if !strings.Contains(err.Error(), "authentication failed") || strings.Contains(err.Error()+s.logs.String(), "not-the-secret") {
				t.Errorf("%s: error %q", login.Mechanism, err)
			}
		}
	})
	t.Run("refused certificates", func(t *testing.T) {
		stranger := kafkatest.NewAuthority(t)
		lone := plainTLS
		lone.CA = kafkatest.WriteFile(t, filepath.Join(dir, "stranger.pem"), stranger.PEM)
		assertSaid(t, b, cluster.SASL, lone, password("PLAIN"), "is not trusted; give it in tls.ca")
		assertSaid(t, b, cluster.MTLS, plainTLS, security.SASL{}, "look at tls.cert")
		assertSaid(t, b, cluster.SASL, security.TLS{}, password("PLAIN"), "unreachable")
	})
	login := func(t *testing.T, s *stage, o Options) Options {
		return secured(t, o, cluster.SASL, plainTLS, password("SCRAM-SHA-512"))
	}
	for _, exactly := range []bool{false, true} {
		mode := *b
		mode.exactly = exactly
		t.Run(fmt.Sprintf("denied at the start, exactly once %v", exactly), func(t *testing.T) { refused(t, &mode, cluster, login) })
		t.Run(fmt.Sprintf("withdrawn and given back, exactly once %v", exactly), func(t *testing.T) { withdrawn(t, &mode, cluster, login) })
	}
	t.Run("replay and resume denied", func(t *testing.T) { replayDenied(t, b, cluster, plainTLS, password("SCRAM-SHA-512")) })
}

// refused starts the stream without each of its rights in turn, and is told which.
func refused(t *testing.T, b *broker, cluster *kafkatest.Secure, login func(*testing.T, *stage, Options) Options) {
	s := newStage(t, b, 1, 1)
	o := login(t, s, s.monitored(&adderLog{}, 1))
	all := rights(s, b.exactly)
	for _, r := range all {
		describe := r.Grant
		describe.Operation = kafka.ACLOperationTypeDescribe
		cluster.Allow(t, kafkatest.User, r.Grant, describe) // whoever may not even see a topic is told that of all
	}
	for _, r := range all {
		cluster.Withdraw(t, kafkatest.User, r.Grant)
		err := startFault(t, s.consumer(o))
		cluster.Allow(t, kafkatest.User, r.Grant)
		if err.Resource != r.resource || err.Detail != r.detail {
			t.Errorf("without %q the start says %q", r.denied, err)
		}
	}
}

// withdrawn takes each right from a running stream and gives it back: meanwhile the log names this one and no other, and
// nothing is lost. Every round has events that are decided, events that become dead letters and the end of an interval
// of the monitor, so that all of the stream's topics are written to.
func withdrawn(t *testing.T, b *broker, cluster *kafkatest.Secure, login func(*testing.T, *stage, Options) Options) {
	s := newStage(t, b, 2, 2)
	c := s.consumer(login(t, s, s.monitored(&adderLog{}, 2)))
	all := rights(s, b.exactly)
	for _, r := range all {
		cluster.Allow(t, kafkatest.User, r.Grant)
	}
	stop := s.start(c)
	var sent []string
	letters := int64(0)
	send := func(name string) {
		sent = append(sent, s.sendEvents(name, 2*tickOf, 2)...)
		s.produce(&kgo.Record{Value: []byte("{"), Partition: 0}, &kgo.Record{Value: []byte("{"), Partition: 1})
		letters += 2
	}
	arrived := func() bool {
		return len(s.decisionIDs()) >= len(sent) && s.count(s.letters()) >= letters && s.groupAtEnd()
	}
	send("before")
	s.await("the first decisions", arrived)
	for i, r := range all {
		before := len(s.logs.String())
		cluster.Withdraw(t, kafkatest.User, r.Grant)
		if i == len(all)-1 {
			s.grow(s.input(), 3) // the state is read by whoever is given a partition
		}
		send("without " + r.denied)
		s.await("the refusal without "+r.denied, func() bool { return strings.Contains(s.logs.String()[before:], `denied="`+r.denied+`"`) })
		cluster.Allow(t, kafkatest.User, r.Grant)
		s.await("the events after "+r.denied, arrived)
		for _, other := range all {
			if said := s.logs.String()[before:]; other.denied != r.denied && strings.Contains(said, `denied="`+other.denied+`"`) {
				t.Errorf("without %q the log names %q", r.denied, other.denied)
			}
		}
	}
	stop()
	s.assertOnce(sent, s.decisionIDs())
	if n := s.count(s.letters()); n != letters {
		t.Errorf("%d dead letters of %d", n, letters)
	}
}

// replayDenied takes away what a replay needs, one by one, and then what ends a pause of the breaker.
func replayDenied(t *testing.T, b *broker, cluster *kafkatest.Secure, tls security.TLS, login security.SASL) {
	for i, want := range []string{"topic %s.dlq: ", "topic %s.in: writing is denied", "group %s.dlq-replay: ", "transactional id %s.dlq-replay: writing is denied", ""} {
		s := newStage(t, b, 1, 1)
		s.spoil(10, 1, deadletter.Raw)
		all := []kafkatest.Grant{
			{Type: kafka.ResourceTypeTopic, Name: s.letters(), Operation: kafka.ACLOperationTypeRead},
			{Type: kafka.ResourceTypeTopic, Name: s.input(), Operation: kafka.ACLOperationTypeWrite},
			{Type: kafka.ResourceTypeGroup, Name: s.name + ".dlq-replay", Operation: kafka.ACLOperationTypeRead},
			{Type: kafka.ResourceTypeTransactionalID, Name: s.name + ".dlq-replay", Operation: kafka.ACLOperationTypeWrite},
			{Type: kafka.ResourceTypeTopic, Name: s.input(), Operation: kafka.ACLOperationTypeRead},
		}
		if want != "" {
			all = append(all[:i], all[i+1:]...)
		}
		cluster.Allow(t, kafkatest.User, all...)
		c := s.consumer(secured(t, s.options(), cluster.SASL, tls, login))
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		done, err := c.Replay(ctx, Replay{})
		cancel()
		t.Logf("%+v, %v", done, err)
		if want == "" {
			if err != nil || done.Replayed != 10 {
				t.Errorf("with everything granted: %+v, %v", done, err)
			}
			if _, err = c.Accept(t.Context()); err == nil || !strings.Contains(err.Error(), "group "+s.name+".breaker") {
				t.Errorf("resume: %v", err)
			}
			continue
		}
		if want = fmt.Sprintf(want, s.name); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// assertSaid demands that a consumer that cannot connect says why within 5 s (of which a loaded machine gets five times
// as much), and goes on trying: whoever renews a certificate needs no restart.
func assertSaid(t *testing.T, b *broker, address string, tls security.TLS, login security.SASL, want string) {
	t.Helper()
	s := newStage(t, b, 1, 1)
	c := s.consumer(secured(t, s.options(), address, tls, login))
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	for !strings.Contains(s.logs.String(), want) {
		select {
		case err := <-ended:
			t.Fatalf("Run ended with %v; the log: %s", err, s.logs.tail())
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// The in-process broker also speaks TLS and SASL: the same stream in a second, and a broker whose certificate runs out
// and is renewed while it runs.
func TestSecureStream(t *testing.T) {
	t.Parallel()
	authority := kafkatest.NewAuthority(t)
	ca := kafkatest.WriteFile(t, filepath.Join(t.TempDir(), "ca.pem"), authority.PEM)
	served := &servedCertificate{}
	served.set(t, authority, time.Now().Add(time.Hour))
	b := newFake(t, kfake.TLS(served.config()), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "ann", "pw"))
	tls := security.TLS{Enabled: true, CA: ca}
	login := security.SASL{Mechanism: "SCRAM-SHA-512", Username: "ann", Password: "pw"}
	dialer, err := security.NewDialer(tls)
	if err != nil {
		t.Fatal(err)
	}
	b.login = franzLogin(dialer)
	s := newStage(t, b, 2, 2)
	stop := s.start(s.consumer(secured(t, s.options(), b.bootstrap, tls, login)))
	sent := s.sendEvents("a", 100, 2)
	s.await("the decisions", func() bool { return s.countOf(s.output()) == 100 })
	stop()

	served.set(t, authority, time.Now().Add(-time.Hour))
	sent = append(sent, s.sendEvents("b", 100, 2)...) // over the connections that the test has
	stop = s.start(s.consumer(secured(t, s.options(), b.bootstrap, tls, login)))
	s.await("the expired certificate in the log", func() bool { return strings.Contains(s.logs.String(), "has to be renewed") })
	served.set(t, authority, time.Now().Add(time.Hour))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(sent, s.decisionIDs())
}
