package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/cmd/fraudstream/privacy"
)

// Nothing that the service says of a stream holds a card number: not the topics that it writes beside what the contract
// carries over, not its spans, its log, its page or its answers. The events drift, for the category of a feature has
// become a card number.
func TestNoCardNumberFromTheStream(t *testing.T) {
	t.Parallel()
	s := openCards(t, "drift: {pool: true}\ndlq: {breaker: {share: 1}}\n")
	events := append(slices.Clone(s.good), s.bad...)
	for i := range 1200 {
		events = append(events, s.good[1+2*(i%len(examplePANs))])
	}
	s.send(events)
	shown := map[string]string{}
	for began := time.Now(); !strings.Contains(shown["state"], `"shown":{"country":"411111******1111"}`); time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("the console shows no field: %.900s", shown["state"])
		}
		shown["state"] = s.ask("GET", s.url+"/console/state", "")
		s.client.Produce(t.Context(), &kgo.Record{Value: []byte(s.good[1])}, nil)
	}
	for _, path := range []string{"/console/events", "/metrics", "/drift", "/openapi.json", "/asyncapi.json", "/", "/readyz", "/healthz", "/4111111111111111", "/v2/models/4111111111111111/4111111111111111?pan=4111111111111111"} {
		shown[path] = s.ask("GET", s.url+path, "")
	}
	for name, body := range map[string]string{
		"refused": s.bad[0], "array": "[" + s.bad[1] + "]", "table": "amount,4111111111111111\n4111111111111111,4111111111111111\n", "none": examplePANs[0],
	} {
		shown["predict "+name] = s.ask("POST", s.url+"/predict?pan=4111111111111111", body)
		shown["infer "+name] = s.ask("POST", s.url+"/v2/models/4111111111111111/infer", body)
		shown["method "+name] = s.ask("4111111111111111", s.url+"/predict", body)
	}
	for _, path := range []string{"/log-level", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1", "/4111111111111111"} {
		shown["admin "+path] = s.ask("GET", s.admin+path, "")
	}
	shown["a level"] = s.ask("PUT", s.admin+"/log-level", "4111111111111111")
	s.end()
	shown["log"] = s.stderr.String()
	shown["spans"] = fmt.Sprint(s.spans.spans(t))
	records := s.records()
	for topic, all := range records {
		for _, r := range all {
			shown[topic] += ownText(r)
		}
	}
	for _, topic := range topicsOfCards[1:] {
		if len(records[topic]) == 0 {
			t.Errorf("nothing is written to %s", topic)
		}
	}
	// A letter that something else has written holds a number in every header that is listed.
	foreign := &kgo.Record{Topic: "transactions.dlq", Value: []byte(`{"transaction_id":"4111111111111111","note":"4111111111111111"}`)}
	for _, name := range []string{"__connect.errors.topic", "__connect.errors.exception.message", "fraudstream.error.code", "fraudstream.error.field"} {
		foreign.Headers = append(foreign.Headers, kgo.RecordHeader{Key: name, Value: []byte(examplePANs[0])})
	}
	if err := s.client.ProduceSync(t.Context(), foreign).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"table": nil, "lines": {"--json"}, "values": {"--values"}, "lines with values": {"--json", "--values"}} {
		code, out, stderr := say(append([]string{"dlq", "list", "--config", s.config}, args...)...)
		if code != 0 || strings.Count(out, "\n") < len(s.bad) {
			t.Errorf("%s: %d, %s%s", name, code, out, stderr)
		}
		shown[name] = out + stderr
	}
	for name, text := range shown {
		for line := range strings.Lines(text) {
			if found := leaks(line); len(found) > 0 {
				t.Errorf("%s: %v in %.900s", name, found, line)
				break
			}
		}
	}
	want := privacy.New(privacy.Options{HashKey: []byte("0123456789abcdef")}).ID(examplePANs[0])
	if !strings.Contains(shown["values"], want) || !strings.Contains(shown["values"], "411111******1111") {
		t.Errorf("the id is not hashed, or the field that may be shown is not:\n%s", shown["values"])
	}
	if !strings.Contains(shown["alerts"], `"feature":"country"`) || !strings.Contains(shown["log"], `"shown":{"country":"GB"}`) {
		t.Errorf("no alert of the country, or no field of a dead letter in the log:\n%s\n%.2000s", shown["alerts"], shown["log"])
	}
}

// In the modes that keep events out of the dead letters, numbers are in no part of one.
func TestNoCardNumberInMaskedLetters(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"redacted", "reference"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := openCards(t, "dlq: {mode: "+mode+", breaker: {share: 1}}\n")
			s.send(s.bad)
			s.end()
			letters := s.records()["transactions.dlq"]
			if len(letters) != len(s.bad) {
				t.Errorf("%d letters of %d events", len(letters), len(s.bad))
			}
			for _, r := range letters {
				if text := fmt.Sprintf("%s %s %s", r.Key, r.Value, r.Headers); len(leaks(text)) > 0 {
					t.Errorf("%v in %s", leaks(text), text)
				}
			}
		})
	}
}
