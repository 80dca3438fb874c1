package main

import (
	"bytes"
	"encoding/json"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fakeKafka is an in-process broker; it returns its address.
func fakeKafka(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	return fakeCluster(t, opts...).ListenAddrs()[0]
}

// fakeCluster is an in-process broker that the test may tell what to answer.
func fakeCluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// say runs a command line in this process.
func say(args ...string) (code int, stdout, stderr string) {
	var out, complaints bytes.Buffer
	code = execute(args, streams{strings.NewReader(""), &out, &complaints})
	return code, out.String(), complaints.String()
}

// TestTopicsCheckAndCreate goes the way of a new cluster: what is missing, what would be made, making it, and all is well.
func TestTopicsCheckAndCreate(t *testing.T) {
	address := fakeKafka(t)
	code, out, _ := say("topics", "check", "--brokers", address)
	if code != exitConfig || !strings.Contains(out, "fail  topic decisions") || !strings.Contains(out, "fraudstream topics create") {
		t.Errorf("without topics: %d\n%s", code, out)
	}
	code, out, _ = say("topics", "create", "--brokers", address, "--partitions", "4", "--replication", "1", "--dry-run")
	if code != 0 || strings.Count(out, "would be created: 4 partitions, 1 replicas") != 3 {
		t.Errorf("dry run: %d\n%s", code, out)
	}
	code, out, _ = say("topics", "create", "--brokers", address, "--partitions", "4")
	if code != 0 || strings.Count(out, "created: 4 partitions") != 3 {
		t.Errorf("create: %d\n%s", code, out)
	}
	code, out, _ = say("topics", "check", "--brokers", address, "--json")
	var all []struct{ Level, Subject, Detail string }
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != 0 || len(all) < 8 {
		t.Errorf("check: %d, %v\n%s", code, err, out)
	}
	for _, f := range all {
		if f.Level != "ok" {
			t.Errorf("%+v", f)
		}
	}
	if code, _, _ = say("topics", "create", "--brokers", address, "--partitions", "0"); code != exitUsage {
		t.Errorf("--partitions 0: %d", code)
	}
}

// What a person can do something about is told from what may pass, also for scripts.
func TestTopicsCheckExitCodes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if code, out, _ := say("topics", "check", "--brokers", l.Addr().String()); code != exitFailure || !strings.Contains(out, "cannot be reached") {
		t.Errorf("a broker that is away: %d\n%s", code, out)
	}
	cluster := fakeCluster(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "ann", "pw"))
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl() // Apache Kafka answers with a code where this broker would hang up
		res := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		res.ErrorCode = kerr.SaslAuthenticationFailed.Code
		return res, nil, true
	})
	address := cluster.ListenAddrs()[0]
	config := writeConfig(t, "kafka: {brokers: ['"+address+"'], sasl: {mechanism: PLAIN, username: ann, password: wrong-one}}\n")
	code, out, complaints := say("topics", "check", "--config", config)
	if code != exitConfig || !strings.Contains(out, "authentication failed") || strings.Contains(out+complaints, "wrong-one") {
		t.Errorf("a wrong password: %d\n%s%s", code, out, complaints)
	}
	if !strings.Contains(complaints, "clear text") {
		t.Errorf("nothing was said of a password in clear text: %s", complaints)
	}
	config = writeConfig(t, "kafka: {tls: {ca: /nowhere}}\n")
	if code, _, complaints = say("topics", "check", "--config", config); code != exitConfig || !strings.Contains(complaints, "kafka.tls is configured and tls.enabled is not true") {
		t.Errorf("half a configuration: %d %s", code, complaints)
	}
}
