package web

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// publishedAsyncAPI is the schema that the AsyncAPI initiative publishes for its documents.
func publishedAsyncAPI(t *testing.T) *jsonschema.Schema {
	t.Helper()
	packed, err := os.Open("testdata/asyncapi-3.0.0.schema.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	text, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("http://asyncapi.com/definitions/3.0.0/asyncapi.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("http://asyncapi.com/definitions/3.0.0/asyncapi.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestAsyncAPIIsAsyncAPI(t *testing.T) {
	published := publishedAsyncAPI(t)
	for name, c := range map[string]struct {
		channels int
		change   func(*Options)
	}{
		"all topics":   {6, func(o *Options) { o.Topics.DriftState, o.Topics.DriftTicks = "drift-state", "drift-ticks" }},
		"no pool":      {5, func(o *Options) { o.Topics.DriftState = "drift-state" }},
		"no alerts":    {3, func(o *Options) { o.Topics.Alerts = "" }},
		"debezium":     {4, func(o *Options) { o.Scorer = enveloped(t, "debezium", nil) }},
		"cloudevents":  {4, func(o *Options) { o.Scorer = enveloped(t, "cloudevents", nil) }},
		"exactly once": {4, func(o *Options) { o.Topics.ExactlyOnce, o.Topics.LetterMode = true, "reference" }},
	} {
		door := newCards(t, c.change).http.Handler
		var document any
		ask(t, door, "GET", "/asyncapi.json", "", &document)
		if err := published.Validate(document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		holdReferences(t, document, document)
		channels := document.(map[string]any)["channels"].(map[string]any)
		if _, alerts := channels["Alerts"]; len(channels) != c.channels || alerts != (name != "no alerts") {
			t.Errorf("%s: channels %v", name, channels)
		}
		groups := map[string]string{"receiveInput": "g", "receiveDriftTicks": "g.drift-pool", "receiveDriftState": ""}
		for operation, o := range document.(map[string]any)["operations"].(map[string]any) {
			group, reads := groups[operation]
			if said := groupOf(o); reads != strings.HasPrefix(operation, "receive") || said != group {
				t.Errorf("%s: %s reads in the group %q, want %q", name, operation, said, group)
			}
		}
	}
}

// groupOf is the group that an operation names, if any.
func groupOf(operation any) string {
	bindings, _ := operation.(map[string]any)["bindings"].(map[string]any)
	if bindings == nil {
		return ""
	}
	return bindings["kafka"].(map[string]any)["groupId"].(map[string]any)["const"].(string)
}

// holdReferences fails where a reference leads nowhere: the published schema does not look.
func holdReferences(t *testing.T, root, node any) {
	t.Helper()
	switch n := node.(type) {
	case []any:
		for _, v := range n {
			holdReferences(t, root, v)
		}
	case map[string]any:
		if to, ok := n["$ref"].(string); ok {
			at := root
			for step := range strings.SplitSeq(strings.TrimPrefix(to, "#/"), "/") {
				at = at.(map[string]any)[step]
				if at == nil {
					t.Errorf("the reference %s leads nowhere", to)
					return
				}
			}
		}
		for _, v := range n {
			holdReferences(t, root, v)
		}
	}
}

// A decision of the stream, an alert and the headers of both are what the description says.
func TestRecordsAreAsDescribed(t *testing.T) {
	s := newCards(t, nil)
	var document map[string]any
	ask(t, s.http.Handler, "GET", "/asyncapi.json", "", &document)
	closeObjects(document)
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("mem:///asyncapi.json", document); err != nil {
		t.Fatal(err)
	}
	for message, record := range map[string]string{
		"Decision": `{"decision_id":"transactions/3/1042","transaction_id":"t-77","score":0.9312,"predicted":1,"is_fraud":true,"decision":"block",
			"thresholds":{"review":0.3,"block":0.8,"from":"bundle"},
			"reasons":[{"code":"R01","feature":"amount","text":"unusual amount","contribution":1.83}],"reason_method":"linear",
			"model":{"name":"card-fraud","version":"2026-11-01","sha256":"9f2c"},
			"event_time":"2026-11-22T10:15:00Z","source":{"topic":"transactions","partition":3,"offset":1042}}`,
		"DriftAlert": `{"episode":"00c2425ef25c9759","state":"open","alarms":1,"feature":"amount","kind":"values","partition":"3","event":105210,
			"tick":106,"half_life":8,"log_m":21.3,"threshold":19.5,"epsilon":0.02,"replay":false,"tv":0.09,"psi":0.04,"w1_over_std":null,
			"moved":[{"cell":"> 1000","baseline":0.004,"live":0.031,"text":"amount over 1,000"}],
			"severity":"warning","text":"amount over 1,000","model":"card-fraud@2026-11-01","guarantee":"a year"}`,
	} {
		schema, err := compiler.Compile("mem:///asyncapi.json#/components/messages/" + message + "/payload")
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal([]byte(record), &value); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", message, err)
		}
		delete(value.(map[string]any), "model")
		if schema.Validate(value) == nil {
			t.Errorf("%s without its model is taken", message)
		}
	}
}
