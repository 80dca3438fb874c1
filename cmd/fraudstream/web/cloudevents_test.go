package web

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"fraudstream/scoring"
)

// CloudEvents over HTTP: the content type and the header ce-specversion tell the mode, and a batch is an array of whole
// ones.
func TestCloudEvents(t *testing.T) {
	model, err := scoring.Load("../../../scoring/testdata/fixtures/seed/fraud_model.pkl", scoring.Options{
		Features: []string{"income", "debt"}, Mapping: scoring.Mapping{Format: "cloudevents"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := New(doorOptions(model))
	const data = `{"transaction_id":"t-1","income":52000,"debt":1300}`
	const whole = `{"specversion":"1.0","id":"1","source":"/pos","type":"payment","data":` + data + `}`
	for _, c := range []struct {
		name, mediaType, version, body string
		status                         int
		want                           string
	}{
		{"binary", "application/json", "1.0", data, 200, `"transaction_id":"t-1"`},
		{"structured", "application/cloudevents+json; charset=utf-8", "", whole, 200, `"transaction_id":"t-1"`},
		{"batch", "application/cloudevents-batch+json", "", "[" + whole + "," + whole + "]", 200, `},{"status":"success"`},
		{"neither", "application/json", "", data, 400, `"field":"ce_specversion"`},
		{"another version", "application/json", "0.3", data, 400, `"code":"unknown_schema"`},
		{"structured without data", "application/cloudevents+json", "", data, 400, `"field":"specversion"`},
	} {
		recorder, request := httptest.NewRecorder(), httptest.NewRequest("POST", "/predict", strings.NewReader(c.body))
		request.Header.Set("Content-Type", c.mediaType)
		if c.version != "" {
			request.Header.Set("ce-specversion", c.version)
		}
		s.http.Handler.ServeHTTP(recorder, request)
		answer, err := io.ReadAll(recorder.Result().Body)
		if err != nil || recorder.Code != c.status || !strings.Contains(string(answer), c.want) {
			t.Errorf("%s: %d %s, want %d %s", c.name, recorder.Code, answer, c.status, c.want)
		}
	}
}
