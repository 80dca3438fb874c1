package nemesis

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/kafkatest"
)

// StartSecure runs a broker that shows certificates, demands a login and asks an authorizer: one, since what is refused
// does not depend on how many refuse it. The plain loop is not run there: it has no login.
func StartSecure(t testing.TB) *Ground {
	t.Helper()
	cluster := kafkatest.StartProxied(t, 1, kafkatest.Options{Secure: true})
	cluster.Security.Allow(t, kafkatest.User, allGrants()...)
	return &Ground{
		Name: "Apache Kafka with TLS, SASL and ACLs", Brokers: cluster.Network.Bootstrap(), Direct: cluster.Bootstrap(), Replication: 1,
		Access: fmt.Sprintf("  tls: {enabled: true, ca: %q}\n  sasl: {mechanism: SCRAM-SHA-512, username: %s, password: %q}\n",
			cluster.Security.CA, kafkatest.User, kafkatest.Password),
		Kafka: cluster,
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

// A right is what the service needs of the cluster, and how its log must call it when it is taken away.
type right struct {
	name  string
	grant kafkatest.Grant
	said  map[string]string // by subject; none: that subject does without
}

// rights are all that the service needs.
func rights() []right {
	return []right{
		{
			"of the input",
			kafkatest.Grant{Type: kafka.ResourceTypeTopic, Name: input, Operation: kafka.ACLOperationTypeRead},
			map[string]string{"exactly-once": "Read on topic " + input, "at-least-once": "Read on topic " + input},
		},
		{
			"of the output",
			kafkatest.Grant{Type: kafka.ResourceTypeTopic, Name: "exactly-once.", Operation: kafka.ACLOperationTypeWrite, Prefix: true},
			map[string]string{"exactly-once": "Write on topic"},
		},
		{
			"of the output, at least once",
			kafkatest.Grant{Type: kafka.ResourceTypeTopic, Name: "at-least-once.", Operation: kafka.ACLOperationTypeWrite, Prefix: true},
			map[string]string{"at-least-once": "Write on topic at-least-once."},
		},
		{
			"of the group",
			kafkatest.Grant{Type: kafka.ResourceTypeGroup, Name: "nemesis-", Operation: kafka.ACLOperationTypeRead, Prefix: true},
			map[string]string{"exactly-once": "Read on group nemesis-exactly-once", "at-least-once": "Read on group nemesis-at-least-once"},
		},
		{
			"of the transactional ids",
			kafkatest.Grant{Type: kafka.ResourceTypeTransactionalID, Name: "nemesis-", Operation: kafka.ACLOperationTypeWrite, Prefix: true},
			map[string]string{"exactly-once": "Write on transactional ids nemesis-exactly-once/"},
		},
	}
}

func allGrants() []kafkatest.Grant {
	var all []kafkatest.Grant
	for _, r := range rights() {
		all = append(all, r.grant)
	}
	return all
}

// aclWithdrawn takes one right away from the user of the service, and gives it back when the service has said in its log
// which one it lacks, and some seconds later.
func aclWithdrawn(r right) Fault {
	return Fault{"ACL " + r.name + " withdrawn and given back", func(w *World) {
		security := w.Ground.Kafka.Security
		before := map[string]int{}
		for name, text := range r.said {
			before[name] = w.subject(name).said(text)
		}
		security.Withdraw(w.T, kafkatest.User, r.grant)
		for name, text := range r.said {
			w.eventually(name+" to say that it lacks "+text, 50*time.Second, func() bool { return w.subject(name).said(text) > before[name] })
		}
		w.Sleep(w.Between(3*time.Second, 8*time.Second))
		security.Allow(w.T, kafkatest.User, r.grant)
	}}
}

func (w *World) subject(name string) *Subject {
	for _, s := range w.Subjects {
		if s.Name == name {
			return s
		}
	}
	w.T.Fatalf("no subject %s", name)
	return nil
}

// certificateExpired lets the certificate of every broker expire and ends all connections, so that nobody gets in until
// the brokers have a new one. The service must say why.
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
		}
		w.Sleep(w.Between(3*time.Second, 8*time.Second))
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
