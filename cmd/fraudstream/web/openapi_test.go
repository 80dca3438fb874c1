package web

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/goleak"

	"fraudstream/drift"
	"fraudstream/scoring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A checkedDoor holds every answer of a door against the door's own description: status, type of content, headers and
// body, where members that are not described are as wrong as those that are missing.
type checkedDoor struct {
	t        *testing.T
	door     http.Handler
	document map[string]any

	mu       sync.Mutex // of the two below; some tests ask many things at a time
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

func checked(t *testing.T, door http.Handler, token string) *checkedDoor {
	t.Helper()
	request := httptest.NewRequest("GET", "/openapi.json", nil)
	request.Header.Set("Authorization", "Bearer "+token)
	recorder := httptest.NewRecorder()
	door.ServeHTTP(recorder, request)
	document, err := jsonschema.UnmarshalJSON(recorder.Body)
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(document)
	c := &checkedDoor{t: t, door: door, document: document.(map[string]any), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := c.compiler.AddResource("mem:///openapi.json", document); err != nil {
		t.Fatal(err)
	}
	return c
}

// closeObjects allows no members beside those that are described, wherever all that are required are described.
func closeObjects(node any) {
	switch n := node.(type) {
	case []any:
		for _, v := range n {
			closeObjects(v)
		}
	case map[string]any:
		for _, v := range n {
			closeObjects(v)
		}
		properties, _ := n["properties"].(map[string]any)
		if _, open := n["additionalProperties"]; open || n["type"] != "object" || properties == nil || n["maxProperties"] != nil {
			return
		}
		required, _ := n["required"].([]any)
		for _, name := range required {
			if _, there := properties[name.(string)]; !there {
				return
			}
		}
		n["additionalProperties"] = false
	}
}

// ServeHTTP asks the door and checks what it answers.
func (c *checkedDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.t.Helper()
	answer := httptest.NewRecorder()
	c.door.ServeHTTP(answer, r)
	c.check(r, answer)
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (c *checkedDoor) check(r *http.Request, answer *httptest.ResponseRecorder) {
	c.t.Helper()
	if id := answer.Header().Get(requestIDHeader); id == "" {
		c.t.Errorf("%s %s: no request id", r.Method, r.URL.Path)
	}
	item, _ := c.document["paths"].(map[string]any)[r.Pattern].(map[string]any)
	operation, _ := item[strings.ToLower(r.Method)].(map[string]any)
	if operation == nil {
		c.checkUndescribed(r, answer)
		return
	}
	at := "#/paths/" + escapePointer(r.Pattern) + "/" + strings.ToLower(r.Method) + "/responses/" + strconv.Itoa(answer.Code)
	response, _ := operation["responses"].(map[string]any)[strconv.Itoa(answer.Code)].(map[string]any)
	if response == nil {
		c.t.Errorf("%s %s: status %d is not described", r.Method, r.Pattern, answer.Code)
		return
	}
	if shared, ok := response["$ref"].(string); ok {
		at = shared
		response = c.document["components"].(map[string]any)["responses"].(map[string]any)[shared[strings.LastIndexByte(shared, '/')+1:]].(map[string]any)
	}
	for name := range response["headers"].(map[string]any) {
		if answer.Header().Get(name) == "" {
			c.t.Errorf("%s %s: the header %s is described and not there", r.Method, r.Pattern, name)
		}
	}
	media, _, err := mime.ParseMediaType(answer.Header().Get("Content-Type"))
	content := response["content"].(map[string]any)
	if err != nil || content[media] == nil {
		c.t.Errorf("%s %s: the type %q is not described", r.Method, r.Pattern, answer.Header().Get("Content-Type"))
		return
	}
	c.validate(at+"/content/"+escapePointer(media)+"/schema", media, answer.Body.Bytes())
}

// checkUndescribed is for what lies beside the table: paths and methods that are not there.
func (c *checkedDoor) checkUndescribed(r *http.Request, answer *httptest.ResponseRecorder) {
	c.t.Helper()
	switch answer.Code {
	case http.StatusNoContent:
	case http.StatusOK:
		if r.Method != http.MethodHead {
			c.t.Errorf("%s %s is answered and not described", r.Method, r.URL.Path)
		}
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		name := "Problem"
		if strings.HasPrefix(r.URL.Path, "/v2") {
			name = "InferProblem"
		}
		c.validate("#/components/schemas/"+name, "application/json", answer.Body.Bytes())
	default:
		c.t.Errorf("%s %s: answered with %d and is not described", r.Method, r.URL.Path, answer.Code)
	}
}

func (c *checkedDoor) validate(pointer, media string, body []byte) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	schema := c.schemas[pointer]
	if schema == nil {
		var err error
		if schema, err = c.compiler.Compile("mem:///openapi.json" + pointer); err != nil {
			c.t.Fatalf("%s: %v", pointer, err)
		}
		c.schemas[pointer] = schema
	}
	var value any = string(body)
	if media == "application/json" {
		var err error
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(body)); err != nil {
			c.t.Errorf("%s: %v in %.200s", pointer, err, body)
			return
		}
	}
	if err := schema.Validate(value); err != nil {
		c.t.Errorf("%s: %v in %.300s", pointer, err, body)
	}
}

func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
}

// newCards returns the door over the demo's model, with everything on.
func newCards(t testing.TB, change func(*Options)) *Server {
	t.Helper()
	model, err := scoring.Load("../demo/bundle", scoring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := doorOptions(model)
	o.Topics = Topics{Input: "transactions", Output: "decisions", DeadLetter: "transactions.dlq", Alerts: "alerts", Group: "g"}
	o.Monitor, err = drift.NewMonitor(drift.Options{Features: []drift.Feature{{Name: "amount", Edges: []float64{10}, Counts: []int64{50, 50}}}})
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&o)
	}
	return New(o)
}

// Each line of the table of routes is an operation of the description, and the other way round.
func TestEveryRouteIsDescribed(t *testing.T) {
	s := newCards(t, nil)
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Responses   map[string]any
		}
	}
	ask(t, s.http.Handler, "GET", "/openapi.json", "", &document)
	described, served := map[string]bool{}, map[string]bool{}
	ids := map[string]bool{}
	for path, item := range document.Paths {
		for method, operation := range item {
			described[strings.ToUpper(method)+" "+path] = true
			if ids[operation.OperationID] || operation.OperationID == "" || len(operation.Responses) == 0 {
				t.Errorf("%s %s: operation id %q", method, path, operation.OperationID)
			}
			ids[operation.OperationID] = true
		}
	}
	for _, r := range s.routes() {
		served[r.method+" "+r.path] = true
		if !described[r.method+" "+r.path] {
			t.Errorf("%s %s is served and not described", r.method, r.path)
		}
	}
	for operation := range described {
		if !served[operation] {
			t.Errorf("%s is described and not served", operation)
		}
	}
	if len(served) < 14 {
		t.Errorf("only %d routes", len(served))
	}
}

// What the description shows as examples is scored, in every form.
func TestExamplesAreScored(t *testing.T) {
	s := newCards(t, func(o *Options) { o.Table = commaTable(o.Scorer) })
	door := checked(t, s.http.Handler, "")
	var document struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct {
					Example  json.RawMessage
					Examples map[string]struct{ Value json.RawMessage }
				}
			} `json:"requestBody"`
		}
	}
	ask(t, door, "GET", "/openapi.json", "", &document)
	asked := 0
	for path, item := range document.Paths {
		at := strings.NewReplacer("{model}", "card-fraud", "{version}", "2026-11-01").Replace(path)
		for media, body := range item["post"].RequestBody.Content {
			examples := []json.RawMessage{body.Example}
			for _, e := range body.Examples {
				examples = append(examples, e.Value)
			}
			for _, example := range examples {
				if example == nil {
					continue
				}
				text := string(example)
				if media == "text/csv" {
					if err := json.Unmarshal(example, &text); err != nil {
						t.Fatal(err)
					}
				}
				request := httptest.NewRequest("POST", at, strings.NewReader(text))
				request.Header.Set("Content-Type", media)
				recorder := httptest.NewRecorder()
				door.ServeHTTP(recorder, request)
				asked++
				if recorder.Code != 200 || strings.Contains(recorder.Body.String(), `"error"`) {
					t.Errorf("%s as %s: %d, %s", at, media, recorder.Code, recorder.Body)
				}
			}
		}
	}
	if asked != 5 {
		t.Errorf("%d examples were tried", asked)
	}
}

// The schema of an event takes what the door takes and refuses what it refuses.
func TestEventSchemaIsTrue(t *testing.T) {
	s := newCards(t, nil)
	door := checked(t, s.http.Handler, "")
	schema, err := door.compiler.Compile("mem:///openapi.json#/components/schemas/Event")
	if err != nil {
		t.Fatal(err)
	}
	values := []any{nil, true, false, 0, 1, -1.5, 1e38, 3.5e38, -1e39, 1e300, "", "GB", "5411", "2026-11-22T10:15:00Z", []any{}, map[string]any{}}
	refused := 0
	for _, name := range append(slices.Sorted(keys(s.example())), "unread") {
		for _, value := range append(values, absentValue{}) {
			event := s.example()
			event[name] = value
			if _, absent := value.(absentValue); absent {
				delete(event, name)
			}
			text := appendJSON(nil, event)
			valid := schema.Validate(must(jsonschema.UnmarshalJSON(bytes.NewReader(text)))) == nil
			status := ask(t, door, "POST", "/predict", string(text), nil).StatusCode
			if valid != (status == 200) && name != "event_time" { // format is an annotation there
				t.Errorf("%s = %v: the schema says %v, the door %d", name, value, valid, status)
			}
			if !valid {
				refused++
			}
		}
	}
	if refused < 50 {
		t.Errorf("only %d events were refused", refused)
	}
}

type absentValue struct{}

func keys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func must(v any, err error) any {
	if err != nil {
		panic(err)
	}
	return v
}
