package nemesis

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/kafkatest"
)

// StartSecure returns the ground of three brokers that show certificates, demand a login and ask an authorizer, among
// themselves too. The workers reach them through proxies that cannot read what passes. It ends with its test.
func StartSecure(t testing.TB) *Ground {
	t.Helper()
	cluster := kafkatest.StartProxied(t, 3, kafkatest.Options{Secure: true})
	for _, r := range rights() {
		cluster.Security.Allow(t, kafkatest.User, r.grants...)
	}
	for _, prefix := range []string{"exactly-once.", "at-least-once."} { // the snapshots of the drift monitor are read again
		cluster.Security.Allow(t, kafkatest.User,
			kafkatest.Grant{Type: kafka.ResourceTypeTopic, Name: prefix, Operation: kafka.ACLOperationTypeRead, Prefix: true})
	}
	password := kafkatest.WriteFile(t, filepath.Join(t.TempDir(), "password"), []byte(kafkatest.Password+"\n"))
	return &Ground{
		Name: kafkaName() + " with TLS, SASL and ACLs", Brokers: cluster.Network.Bootstrap(), Direct: cluster.Bootstrap(), Replication: 3,
		Access: fmt.Sprintf("  tls: {enabled: true, ca: %q}\n  sasl: {mechanism: SCRAM-SHA-512, username: %s, password: \"${file:%s}\"}\n",
			cluster.Security.CA, kafkatest.User, password),
		PlainAccess: []string{"-ca", cluster.Security.CA, "-user", kafkatest.User, "-password-file", password},
		Kafka:       cluster,
	}
}

// SecureFaults need brokers that show certificates and ask an authorizer: see [StartSecure].
func SecureFaults() []Fault {
	var all []Fault
	for _, r := range rights() {
		all = append(all, aclWithdrawn(r))
	}
	return append(all, certificateExpired())
}

// A right is what the subjects need of the cluster, and how the service's log must call it when it is taken away: by
// the operation and the resource, in the words of whoever grants it.
type right struct {
	name   string
	grants []kafkatest.Grant
	said   map[string]string // by subject; none: that subject does without
}

// rights are all that the subjects need, each a row of its own, since each is asked for by other requests and refused
// with another code: fetches, writes, the group's heartbeats and commits, and the producer's transactions. The plain
// loop says what it lacks in words of its library, which nobody reads here.
func rights() []right {
	return []right{
		{
			"of the input",
			[]kafkatest.Grant{{Type: kafka.ResourceTypeTopic, Name: input, Operation: kafka.ACLOperationTypeRead}},
			map[string]string{"exactly-once": "Read on topic " + input, "at-least-once": "Read on topic " + input},
		},
		{
			"of the outputs",
			[]kafkatest.Grant{written("exactly-once."), written("at-least-once."), written("plain.")},
			map[string]string{"exactly-once": "Write on topic", "at-least-once": "Write on topic at-least-once."},
		},
		{
			"of the group",
			[]kafkatest.Grant{{Type: kafka.ResourceTypeGroup, Name: "nemesis-", Operation: kafka.ACLOperationTypeRead, Prefix: true}},
			map[string]string{"exactly-once": "Read on group nemesis-exactly-once", "at-least-once": "Read on group nemesis-at-least-once"},
		},
		{
			"of the transactional ids",
			[]kafkatest.Grant{{Type: kafka.ResourceTypeTransactionalID, Name: "nemesis-", Operation: kafka.ACLOperationTypeWrite, Prefix: true}},
			map[string]string{"exactly-once": "Write on transactional ids nemesis-exactly-once/"},
		},
	}
}

// written allows writing to the topics of one subject, all of which begin with its name.
func written(prefix string) kafkatest.Grant {
	return kafkatest.Grant{Type: kafka.ResourceTypeTopic, Name: prefix, Operation: kafka.ACLOperationTypeWrite, Prefix: true}
}

// aclWithdrawn takes one right away from the user that the subjects log in as, and gives it back some seconds after the
// service has said in its log which one it lacks.
func aclWithdrawn(r right) Fault {
	return Fault{"ACL " + r.name + " withdrawn and given back", func(w *World) {
		security := w.Ground.Kafka.Security
		before := map[string]int{}
		for name, text := range r.said {
			before[name] = w.subject(name).said(text)
		}
		security.Withdraw(w.T, kafkatest.User, r.grants...)
		for name, text := range r.said {
			w.eventually(name+" to say that it lacks "+text, 50*time.Second, func() bool { return w.subject(name).said(text) > before[name] })
		}
		for _, s := range w.Subjects {
			if text := r.said[s.Name]; text != "" {
				w.Met(s, "lines of the log that name the right", s.said(text)-before[s.Name])
			} else {
				w.Spared(s)
			}
		}
		w.Sleep(w.Between(3*time.Second, 8*time.Second))
		security.Allow(w.T, kafkatest.User, r.grants...)
	}}
}

// subject finds a subject by its name; there has to be one. Without one the test ends: a fault was written for other
// subjects than there are.
func (w *World) subject(name string) *Subject {
	for _, s := range w.Subjects {
		if s.Name == name {
			return s
		}
	}
	w.T.Fatalf("no subject %s", name)
	return nil
}

// certificateExpired puts one that has expired in the place of every broker's certificate and ends all connections,
// so that nobody gets in until the brokers have a good one. The service must say why. What the brokers show each
// other stays good: they take no other for that.
func certificateExpired() Fault {
	return Fault{"expired certificate of the brokers", func(w *World) {
		before := map[*Subject]int{}
		for _, s := range w.services() {
			before[s] = s.said("expired")
		}
		w.Ground.Kafka.ShowCertificate(w.T, time.Now().Add(-time.Minute))
		w.Ground.Kafka.Network.Disconnect()
		for _, s := range w.services() {
			w.eventually(s.Name+" to say that the certificate has expired", 50*time.Second, func() bool { return s.said("expired") > before[s] })
			w.Met(s, "lines of the log that say expired", s.said("expired")-before[s])
		}
		w.Sleep(w.Between(3*time.Second, 8*time.Second))
		w.MetWaiting()
		w.Ground.Kafka.ShowCertificate(w.T, time.Now().Add(time.Hour))
		for _, s := range w.Subjects {
			for _, worker := range s.Workers() {
				if text := worker.last(1000); strings.Contains(text, kafkatest.Password) {
					w.T.Errorf("the log of %s has the password", worker.Name)
				}
			}
		}
	}}
}
