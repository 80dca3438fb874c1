package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestTopicsAreAsDescribed runs the service with every topic that it can have, through drift and refused events, and holds
// each record of each topic against the description that the service itself serves: key, headers and payload.
func TestTopicsAreAsDescribed(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t)
	createSurvivalTopics(func(topic string, partitions int) {
		if err := cluster.CreateTopic(topic, int32(partitions), nil); err != nil {
			t.Fatal(err)
		}
	})
	bootstrap, listen := cluster.ListenAddrs()[0], freeAddress(t)
	config := writeConfig(t, fmt.Sprintf(`
kafka: {brokers: [%q], group: told, alerts: alerts, drift_state: drift-state, drift_ticks: drift-ticks}
model: {path: demo/bundle}
drift: {pool: true}
dlq: {breaker: {share: 0.05, events: 10}}
http: {listen: %q}
`, bootstrap, listen))
	startProcess(t, "service", "fraudstream", "run", "--config", config, "--drift-tick-events", "100")
	d := describedTopics(t, listen)
	sendDescribed(t, cluster)
	wanted := []string{"Event", "Decision", "DeadLetter", "DriftAlert", "BreakerAlert", "DriftSnapshot", "DriftTick"}
	d.read(t, bootstrap, wanted)
	t.Logf("records as described: %v", d.seen)
}

// sendDescribed sends payments that drift, a few that cannot be scored, and then so many of those that a partition pauses.
func sendDescribed(t *testing.T, cluster *kfake.Cluster) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic("transactions"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	send := func(values [][]byte, partition int32) {
		var records []*kgo.Record
		for i, value := range values {
			records = append(records, &kgo.Record{Key: fmt.Appendf(nil, "card-%d", i), Value: value, Partition: partition})
		}
		if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	refused := [][]byte{[]byte("{"), []byte("{}"), []byte(`{"amount": "much"}`)}
	send(append(payments(1, 1500, 600), refused...), 0)
	send(payments(2, 1500, 600), 1)
	var bad [][]byte
	for range 200 {
		bad = append(bad, refused...)
	}
	send(bad, 0)
}

// description is what /asyncapi.json says: the messages of each topic.
type description struct {
	messages map[string][]describedMessage // by the name of the topic
	seen     map[string]int                // records of each message
}

// A describedMessage is one message with its schemas, compiled.
type describedMessage struct {
	name, contentType     string
	key, headers, payload *jsonschema.Schema
}

// describedTopics asks the service for the description, as soon as it is there.
func describedTopics(t *testing.T, listen string) *description {
	t.Helper()
	var text any
	for deadline := time.Now().Add(60 * time.Second); text == nil; time.Sleep(20 * time.Millisecond) {
		if response, err := http.Get("http://" + listen + "/asyncapi.json"); err == nil {
			text, err = jsonschema.UnmarshalJSON(response.Body)
			response.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("mem:///asyncapi.json", text); err != nil {
		t.Fatal(err)
	}
	part := func(name, of string) *jsonschema.Schema {
		return compiler.MustCompile("mem:///asyncapi.json#/components/messages/" + name + of)
	}
	d := &description{map[string][]describedMessage{}, map[string]int{}}
	root := text.(map[string]any)
	described := root["components"].(map[string]any)["messages"].(map[string]any)
	for _, channel := range root["channels"].(map[string]any) {
		c := channel.(map[string]any)
		topic := c["address"].(string)
		for name := range c["messages"].(map[string]any) {
			d.messages[topic] = append(d.messages[topic], describedMessage{
				name, described[name].(map[string]any)["contentType"].(string),
				part(name, "/bindings/kafka/key"), part(name, "/headers"), part(name, "/payload"),
			})
		}
	}
	if len(d.messages) != 6 {
		t.Fatalf("described are %v", d.messages)
	}
	return d
}

// read reads all topics until each of the wanted messages was there.
func (d *description) read(t *testing.T, bootstrap string, wanted []string) {
	t.Helper()
	topics := make([]string, 0, len(d.messages))
	for topic := range d.messages {
		topics = append(topics, topic)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { d.hold(t, r) })
		missing := ""
		for _, name := range wanted {
			if d.seen[name] == 0 {
				missing += " " + name
			}
		}
		if missing == "" || t.Failed() {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("there is no%s; there are %v", missing, d.seen)
		}
	}
}

// hold finds the one message that a record is. The value of an input may be anything: it is what the refused ones are
// refused for.
func (d *description) hold(t *testing.T, r *kgo.Record) {
	t.Helper()
	headers := map[string]any{}
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	var is []string
	var why []error
	for _, m := range d.messages[r.Topic] {
		if err := m.is(r, headers); err != nil {
			why = append(why, err)
		} else {
			is = append(is, m.name)
		}
	}
	refusedEvent := r.Topic == "transactions" && len(r.Value) < 40
	if len(is) != 1 && !refusedEvent {
		t.Errorf("a record of %s, %q %v %.300q, is %v of what is described: %v", r.Topic, r.Key, headers, r.Value, is, why)
		return
	}
	for _, name := range is {
		d.seen[name]++
	}
}

// binaryState is how both kinds of bytes that are no JSON are said to end: with what begins with fsdr.
var binaryState = regexp.MustCompile(`(?s)^.{4,}fsdr.+`)

// is says how a record is not the message.
func (m *describedMessage) is(r *kgo.Record, headers map[string]any) error {
	if err := m.headers.Validate(headers); err != nil {
		return err
	}
	if err := m.key.Validate(string(r.Key)); err != nil {
		return err
	}
	if m.contentType == "application/octet-stream" {
		if !binaryState.Match(r.Value) {
			return fmt.Errorf("%q does not hold fsdr", r.Value[:min(len(r.Value), 40)])
		}
		return m.payload.Validate(string(r.Value))
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(r.Value)))
	if err != nil && m.name != "DeadLetter" {
		return err
	}
	if err != nil || !json.Valid(r.Value) {
		value = string(r.Value)
	}
	return m.payload.Validate(value)
}
