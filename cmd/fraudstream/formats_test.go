package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A format is one way in which a payment of 512.07 arrives: in an envelope, under headers, with its amount as a database
// writes it.
type format struct {
	name    string
	event   string // of the configuration
	value   string
	headers map[string]string
	noFile  bool // a line of a file has no headers
}

// formatsOf are all that events may come in, made of one payment. They are written after what Debezium and CloudEvents
// publish of their messages, not recorded from a running connector.
func formatsOf() []format {
	payment := func(amount string) string {
		return `{"transaction_id":"t-77","event_time":"2026-11-22T10:15:00Z","amount":` + amount + `,"country":"GB","channel":"pos","mcc":"5411",` +
			`"card_type":"debit","customer_age":40,"distance_km":1,"cross_border":false,"tx_count_24h":1,"amount_to_mean_7d":1,` +
			`"minutes_since_last":10,"terminal_risk":0.02}`
	}
	const (
		text   = `fields: {amount: {type: decimal}}`
		bytes  = `fields: {amount: {type: debezium_decimal, scale: 2}}`
		framed = "\x00\x00\x00\x00\x07"
		source = `"source":{"version":"3.0.0.Final","connector":"postgresql","name":"bank","ts_ms":1795342500000,"db":"bank","schema":"public","table":"payments","lsn":24023128}`
		schema = `{"type":"struct","name":"bank.public.payments.Envelope","optional":false,"fields":[{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"field":"amount"}]}`
	)
	change := func(amount string) string {
		return `{"before":null,"after":` + payment(amount) + `,` + source + `,"op":"c","ts_ms":1795342500123}`
	}
	whole := `{"specversion":"1.0","id":"e-1","source":"/tills/7","type":"com.example.payment","datacontenttype":"application/json","data":` + payment(`"512.07"`) + `}`
	binary := map[string]string{"ce_specversion": "1.0", "ce_id": "e-1", "ce_source": "/tills/7", "ce_type": "com.example.payment", "content-type": "application/json; charset=utf-8"}
	structured := map[string]string{"content-type": "application/cloudevents+json; charset=UTF-8"}
	return []format{
		{name: "plain", event: "{format: json}", value: payment("512.07")},
		{name: "framed", event: "{format: json}", value: framed + payment("512.07")},
		{name: "CloudEvent, structured", event: "{format: cloudevents, " + text + "}", value: whole, headers: structured},
		{name: "CloudEvent, binary", event: "{format: cloudevents, " + text + "}", value: payment(`"512.07"`), headers: binary, noFile: true},
		{name: "Debezium, text", event: "{format: debezium, " + text + "}", value: change(`"512.07"`)},
		{name: "Debezium, base64", event: "{format: debezium, " + bytes + "}", value: change(`"AMgH"`)},
		{name: "Debezium with its schema", event: "{format: debezium, " + bytes + "}", value: `{"schema":` + schema + `,"payload":` + change(`"AMgH"`) + `}`},
		{name: "Debezium, framed", event: "{format: debezium, " + text + "}", value: framed + change(`"512.07"`)},
	}
}

// verdictIn is what must be the same, whatever was around the payment.
func verdictIn(t *testing.T, name, text string) string {
	t.Helper()
	var d struct {
		ID       string  `json:"transaction_id"`
		Time     string  `json:"event_time"`
		Score    float64 `json:"score"`
		Decision string  `json:"decision"`
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil || d.ID == "" {
		t.Errorf("%s: no decision: %v %s", name, err, text)
	}
	return fmt.Sprintf("%s %s %v %s", d.ID, d.Time, d.Score, d.Decision)
}

// Each format is decided alike by the stream, over HTTP and from a file.
func TestFormatsThroughEveryDoor(t *testing.T) {
	t.Parallel()
	want := ""
	for _, f := range formatsOf() {
		broker := fakeKafka(t, kfake.SeedTopics(1, "transactions", "decisions", "transactions.dlq"))
		config := writeConfig(t, fmt.Sprintf("kafka: {brokers: [%q]}\nmodel: {path: demo/bundle}\nevent: %s\n", broker, f.event))
		streamed := verdictIn(t, f.name+", streamed", f.stream(t, broker, config))
		if want == "" {
			want = streamed
		}
		answered := verdictIn(t, f.name+", over HTTP", f.ask(t, config))
		read := want
		if !f.noFile {
			file := filepath.Join(t.TempDir(), "events.ndjson")
			if err := os.WriteFile(file, []byte(f.value+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, out, stderr := say("score", "--config", config, "--in", file)
			read = verdictIn(t, f.name+", from a file "+stderr, out)
		}
		if streamed != want || answered != want || read != want {
			t.Errorf("%s: streamed %s, over HTTP %s, from a file %s, want %s", f.name, streamed, answered, read, want)
		}
	}
}

// stream sends the event through `run`, and returns the decision.
func (f *format) stream(t *testing.T, broker, config string) string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic("transactions"), kgo.ConsumeTopics("decisions"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	record := &kgo.Record{Value: []byte(f.value)}
	for name, value := range f.headers {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := say("run", "--config", config, "--exit-at-end", "--listen=", "--admin-listen="); code != 0 {
		t.Fatalf("%s: %d: %s", f.name, code, stderr)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	records := client.PollFetches(ctx).Records()
	if len(records) != 1 {
		t.Fatalf("%s: %d decisions", f.name, len(records))
	}
	return string(records[0].Value)
}

// ask sends the event to `serve`, with the headers in the names of HTTP, and returns the answer.
func (f *format) ask(t *testing.T, config string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stderr, ended := &logLines{}, make(chan error, 1)
	listen, off := "127.0.0.1:0", ""
	command := &serveCommand{Config: config}
	command.Listen, command.AdminListen = &listen, &off
	go func() { ended <- command.Run(ctx, streams{strings.NewReader(""), io.Discard, stderr}) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
	}()
	address := regexp.MustCompile(`"listening","address":"([^"]+)"`)
	for deadline := time.Now().Add(20 * time.Second); !address.MatchString(stderr.String()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not listen: %s", stderr)
		}
	}
	url := address.FindStringSubmatch(stderr.String())[1] + "/predict"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(f.value))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for name, value := range f.headers {
		request.Header.Set(strings.ReplaceAll(name, "_", "-"), value)
	}
	return answerTo(t, request)
}

// answerTo is the body of the answer to a request, whatever its status.
func answerTo(t *testing.T, request *http.Request) string {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
