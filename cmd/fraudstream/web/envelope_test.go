package web

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"fraudstream/scoring"
)

// enveloped is the demo's model, whose events come in the envelope of a format.
func enveloped(t *testing.T, format string, where *scoring.Where) *scoring.Scorer {
	t.Helper()
	model, err := scoring.Load("../demo/bundle", scoring.Options{Mapping: scoring.Mapping{Format: format, Where: where}})
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// newEnveloped returns the door over it.
func newEnveloped(t *testing.T, format string, where *scoring.Where) *checkedDoor {
	t.Helper()
	s := newCards(t, func(o *Options) {
		o.Scorer = enveloped(t, format, where)
		o.Table = commaTable(o.Scorer.Plain())
	})
	return checked(t, s.http.Handler, "")
}

// post sends a body with its media type and, where it is not empty, the version of CloudEvents in a header.
func (c *checkedDoor) post(mediaType, version, body string) *httptest.ResponseRecorder {
	c.t.Helper()
	request := httptest.NewRequest("POST", "/predict", strings.NewReader(body))
	request.Header.Set("Content-Type", mediaType)
	if version != "" {
		request.Header.Set("Ce-Specversion", version)
	}
	recorder := httptest.NewRecorder()
	c.ServeHTTP(recorder, request)
	return recorder
}

// The schemas of the envelopes take what the door takes and refuse what it refuses, whatever the event around the row is.
func TestEnvelopeSchemasAreTrue(t *testing.T) {
	for format, media := range map[string]struct{ mediaType, version, schema string }{
		"debezium":            {"application/json", "", "Event"},
		"cloudevents":         {"application/cloudevents+json", "", "CloudEvent"},
		"cloudevents, binary": {"application/json", "1.0", "Event"},
	} {
		t.Run(format, func(t *testing.T) {
			name, _, _ := strings.Cut(format, ",")
			door := newEnveloped(t, name, nil)
			row := string(appendJSON(nil, newCards(t, nil).example()))
			schema, err := door.compiler.Compile("mem:///openapi.json#/components/schemas/" + media.schema)
			if err != nil {
				t.Fatal(err)
			}
			taken, refused := 0, 0
			for _, event := range envelopesOf(format, row) {
				valid := schema.Validate(must(jsonschema.UnmarshalJSON(strings.NewReader(event)))) == nil
				answer := door.post(media.mediaType, media.version, event)
				if valid != (answer.Code == 200) {
					t.Errorf("%s: the schema says %v, the door %d %s", event, valid, answer.Code, answer.Body)
				}
				if valid {
					taken++
				} else {
					refused++
				}
			}
			if taken < 2 || refused < 2 {
				t.Errorf("%d were taken and %d refused: too few to tell", taken, refused)
			}
		})
	}
}

// What the descriptions of the envelopes show as examples is scored, in every form that they name.
func TestEnvelopeExamplesAreScored(t *testing.T) {
	for format, want := range map[string]int{"debezium": 3, "cloudevents": 6} {
		door := newEnveloped(t, format, nil)
		post := door.document["paths"].(map[string]any)["/predict"].(map[string]any)["post"].(map[string]any)
		tried := 0
		for media, body := range post["requestBody"].(map[string]any)["content"].(map[string]any) {
			version := ""
			if format == "cloudevents" && media == "application/json" {
				version = "1.0"
			}
			var texts []string
			if table, ok := body.(map[string]any)["example"].(string); ok {
				texts = append(texts, table)
			}
			examples, _ := body.(map[string]any)["examples"].(map[string]any)
			for _, example := range examples {
				texts = append(texts, string(appendJSON(nil, example.(map[string]any)["value"])))
			}
			for _, text := range texts {
				tried++
				if answer := door.post(media, version, text); answer.Code != 200 || !strings.Contains(answer.Body.String(), `"success"`) || strings.Contains(answer.Body.String(), `"error"`) {
					t.Errorf("%s as %s: %d %s", text, media, answer.Code, answer.Body)
				}
			}
		}
		if tried != want {
			t.Errorf("%s: %d examples, want %d", format, tried, want)
		}
	}
}

// An event that is left out says why, alone and in an array, in the words of the metric.
func TestSkippedSaysWhy(t *testing.T) {
	door := newEnveloped(t, "debezium", &scoring.Where{Path: "kind", In: []any{"payment"}})
	for event, want := range map[string]string{
		`{"op":"u"}`: "update", `{"op":"d"}`: "delete", `{"op":"t"}`: "truncate", `{"op":"m"}`: "message", `{"payload":null}`: "tombstone", ``: "tombstone",
		`{"op":"c","after":{"kind":"refund"}}`: "where",
	} {
		want = `{"status":"skipped","reason":"` + want + `"}`
		if answer := door.post("application/json", "", event); answer.Code != 200 || strings.TrimSpace(answer.Body.String()) != want {
			t.Errorf("%s is answered by %d %s", event, answer.Code, answer.Body)
		}
		if event == "" {
			continue // no element of an array is empty
		}
		if answer := door.post("application/json", "", "["+event+"]"); strings.TrimSpace(answer.Body.String()) != "["+want+"]" {
			t.Errorf("[%s] is answered by %s", event, answer.Body)
		}
	}
	for format, want := range map[string]int{"json": 1, "cloudevents": 1, "debezium": 6} {
		skipped := newEnveloped(t, format, nil).document["components"].(map[string]any)["schemas"].(map[string]any)["Skipped"]
		reasons := skipped.(map[string]any)["properties"].(map[string]any)["reason"].(map[string]any)["enum"].([]any)
		if len(reasons) != want {
			t.Errorf("%s: the description knows the reasons %v", format, reasons)
		}
	}
}

// envelopesOf are events around a row, sound ones and broken ones, of each kind that the format tells apart.
func envelopesOf(format, row string) []string {
	bad := strings.Replace(row, `"amount":`, `"amount":true,"x":`, 1)
	var events []string
	with := func(patterns ...string) {
		for _, p := range patterns {
			events = append(events, strings.NewReplacer("ROW", row, "BAD", bad).Replace(p))
		}
	}
	switch format {
	case "debezium":
		with(`{"op":"c","after":ROW}`, `{"op":"r","after":ROW,"before":null}`, `{"op":"c","after":BAD}`, `{"op":"c"}`, `{"op":"c","after":null}`,
			`{"op":"u","after":BAD}`, `{"op":"d"}`, `{"op":"t","after":3}`, `{"op":"m","message":{}}`, `{"op":"x","after":ROW}`, `{"op":1,"after":ROW}`,
			`{"after":ROW}`, `{"op":null,"after":ROW}`, `{"op":"r","after":[]}`, `{"payload":null}`, `{"payload":null,"schema":{}}`, `{"payload":3}`,
			`{"payload":{"op":"c","after":ROW}}`, `{"schema":{},"payload":{"op":"r","after":ROW}}`, `{"payload":{"op":"c","after":BAD}}`,
			`{"payload":{"op":"d","after":null}}`, `{"payload":{"after":ROW}}`, `{"payload":{"op":"c","after":ROW},"op":"c"}`,
			`{"payload":{"op":"c","after":ROW},"after":ROW}`, `{"payload":{"op":"u"},"after":null}`, `{"payload":null,"op":"c"}`, `ROW`, `{}`, `null`, `3`)
	case "cloudevents":
		with(`{"specversion":"1.0","data":ROW}`, `{"specversion":"1.0","id":"1","source":"/pos","type":"payment","data":ROW}`, `{"specversion":"1.0","data":BAD}`,
			`{"specversion":"0.3","data":ROW}`, `{"specversion":1.0,"data":ROW}`, `{"specversion":null,"data":ROW}`, `{"data":ROW}`, `{"specversion":"1.0"}`,
			`{"specversion":"1.0","data":null}`, `{"specversion":"1.0","data":"text"}`, `{"specversion":"1.0","data":ROW,"data_base64":null}`,
			`{"specversion":"1.0","data":ROW,"data_base64":"e30="}`, `{"specversion":"1.0","data_base64":3}`, `{"specversion":"1.0","data":null,"data_base64":"e30="}`,
			`ROW`, `{}`, `null`)
		for _, media := range []string{
			`"application/json"`, `"application/json; charset=utf-8"`, `"text/x+JSON"`, `" "`, `null`, `7`, `"application/xml"`, `"json"`, `"a/b/json"`, `"a/+json"`, `"a/b/x+json"`,
		} {
			with(`{"specversion":"1.0","datacontenttype":` + media + `,"data":ROW}`)
		}
	default:
		with(`ROW`, `ROW `, `BAD`, `{}`, `null`, `{"data":ROW}`)
	}
	return events
}
