package web

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fraudstream/scoring"
)

type inference struct {
	ModelName    string `json:"model_name"`
	ModelVersion string `json:"model_version"`
	ID           *string
	Outputs      []struct {
		Name, Datatype string
		Shape          []int
		Data           []any
	}
	Error string
}

func infer(t testing.TB, door http.Handler, body string) (inference, int) {
	t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest("POST", "/v2/models/card-fraud/infer", strings.NewReader(body))
	request.Header.Set(requestIDHeader, "q-1")
	door.ServeHTTP(recorder, request)
	var answer inference
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v in %s", err, recorder.Body)
	}
	return answer, recorder.Code
}

// tensorsOf are rows of the demo's features as tensors, one for each feature, in the shape [N] or [N, 1].
func tensorsOf(rows []object, nested bool) string {
	types := map[string]string{"country": "BYTES", "channel": "BYTES", "mcc": "BYTES", "card_type": "BYTES", "cross_border": "BOOL", "tx_count_24h": "INT64"}
	var inputs []object
	for name := range rows[0] {
		var data []any
		for _, row := range rows {
			if nested {
				data = append(data, []any{row[name]})
			} else {
				data = append(data, row[name])
			}
		}
		shape := []int{len(rows)}
		if nested {
			shape = append(shape, 1)
		}
		datatype := types[name]
		if datatype == "" {
			datatype = "FP64"
		}
		inputs = append(inputs, object{"name": name, "shape": shape, "datatype": datatype, "data": data})
	}
	return string(appendJSON(nil, object{"id": "42", "inputs": inputs}))
}

// The scores of tensors are those of /predict, bit for bit, and so are the decisions.
func TestInferenceIsPrediction(t *testing.T) {
	s := newCards(t, nil)
	door := checked(t, s.http.Handler, "")
	number := rapid.Float64Range(-1e6, 1e6)
	maybe := func(g *rapid.Generator[float64], rt *rapid.T, name string) any {
		if rapid.IntRange(0, 4).Draw(rt, name+" there") == 0 {
			return nil
		}
		return g.Draw(rt, name)
	}
	rapid.Check(t, func(rt *rapid.T) {
		rows := make([]object, rapid.IntRange(1, 4).Draw(rt, "rows"))
		for i := range rows {
			rows[i] = object{
				"amount": number.Draw(rt, "amount"), "terminal_risk": number.Draw(rt, "risk"), "tx_count_24h": rapid.Int64Range(0, 99).Draw(rt, "count"),
				"cross_border": rapid.Bool().Draw(rt, "border"), "distance_km": maybe(number, rt, "distance"),
				"country": rapid.SampledFrom([]any{"GB", "FR", "??", nil}).Draw(rt, "country"), "channel": "pos", "mcc": "5411", "card_type": "debit",
				"customer_age": maybe(number, rt, "age"), "amount_to_mean_7d": 1.5, "minutes_since_last": nil,
			}
		}
		var predicted []prediction
		ask(t, door, "POST", "/predict", string(appendJSON(nil, rows)), &predicted)
		got, status := infer(t, door, tensorsOf(rows, rapid.Bool().Draw(rt, "nested")))
		if status != 200 || got.ModelName != "card-fraud" || got.ModelVersion != "2026-11-01" || *got.ID != "42" || len(got.Outputs) != len(outputs) {
			rt.Fatalf("status %d, %+v", status, got)
		}
		for i, p := range predicted {
			score := got.Outputs[0].Data[i].(float64)
			if math.Float64bits(score) != math.Float64bits(p.Score) || got.Outputs[3].Data[i] != p.Decision || got.Outputs[4].Data[i] != p.DecisionID {
				rt.Fatalf("row %d: %v, %v, and %v, %v", i, score, got.Outputs[3].Data[i], p.Score, p.Decision)
			}
		}
	})
}

// newTwo is the door over the tutorial's model of two numbers, whose whole frame is a matrix.
func newTwo(t testing.TB) http.Handler {
	t.Helper()
	model, err := scoring.Load("../../../scoring/testdata/fixtures/seed/fraud_model.pkl", scoring.Options{Features: []string{"income", "debt"}})
	if err != nil {
		t.Fatal(err)
	}
	model.Bundle.Name = "card-fraud"
	return New(doorOptions(model)).http.Handler
}

func TestInferMatrix(t *testing.T) {
	door := newTwo(t)
	const score = 0.5340704634959965 // of the row [40000, 30000], by scikit-learn 1.7.2
	for _, input := range []string{
		`{"name":"x","shape":[2,2],"datatype":"FP64","data":[40000,30000,20000,1000]}`,
		`{"name":"x","shape":[2,2],"datatype":"FP32","data":[[40000,30000],[20000,1000]]}`,
		`{"data":[[40000,30000],[20000,1000]],"datatype":"INT32","shape":[2,2],"name":"x","parameters":{"content_type":"np"}}`,
		`{"name":"debt","shape":[2,1],"datatype":"UINT16","data":[30000,1000]},{"name":"income","shape":[2],"datatype":"FP64","data":[4e4,20000.0]}`,
	} {
		got, status := infer(t, door, `{"inputs":[`+input+`],"outputs":[{"name":"score"}]}`)
		if status != 200 || len(got.Outputs) != 1 || math.Abs(got.Outputs[0].Data[0].(float64)-score) > 1e-12 || got.Outputs[0].Shape[0] != 2 || got.ID != nil {
			t.Errorf("%s: %d, %+v", input, status, got)
		}
	}
	got, _ := infer(t, door, `{"inputs":[{"name":"x","shape":[0,2],"datatype":"FP64","data":[]}],"outputs":[{"name":"decision"},{"name":"predicted"}]}`)
	if len(got.Outputs) != 2 || got.Outputs[0].Name != "decision" || got.Outputs[1].Datatype != "INT64" || len(got.Outputs[0].Data) != 0 {
		t.Errorf("no rows: %+v", got)
	}
	// A number is rounded to what the datatype holds, as a client's array would have done.
	single, _ := infer(t, door, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[0.1,0.1]}],"outputs":[]}`)
	double, _ := infer(t, door, fmt.Sprintf(`{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[%v,%v]}]}`, float64(float32(0.1)), float64(float32(0.1))))
	if single.Outputs[0].Data[0] != double.Outputs[0].Data[0] {
		t.Errorf("%v and %v", single.Outputs[0].Data[0], double.Outputs[0].Data[0])
	}
}

// What is wrong with a request is said without a word of what it holds.
func TestInferRefuses(t *testing.T) {
	door := newTwo(t)
	one := func(shape, datatype, data string) string {
		return `{"inputs":[{"name":"x","shape":` + shape + `,"datatype":"` + datatype + `","data":` + data + `}]}`
	}
	for _, c := range []struct{ body, want string }{
		{``, "bad_json: the body is not strict JSON"},
		{`[]`, "bad_json: the body is no inference request"},
		{`{"inputs":[]}`, "there is no input; /v2/models/card-fraud lists them"},
		{`{"inputs":null}`, "there is no input"},
		{`{"inputs":[],"inputs":[]}`, "bad_json"},
		{`{"inputs":[null]}`, "an input has no name"},
		{`{"id":1,"inputs":[]}`, "wrong_type: id: it is a text"},
		{`{"parameters":[],"inputs":[]}`, "parameters are an object"},
		{`{"parameters":{"a":null},"inputs":[]}`, "parameters are an object"},
		{one(`[2]`, "FP64", `[1,2]`), "the model has no such input, and the shape is not that of the whole frame, [N, 2]"},
		{one(`[1,3]`, "FP64", `[1,2,3]`), "not that of the whole frame"},
		{one(`[]`, "FP64", `[]`), "the shape is [N], [N, 1]"},
		{one(`[-1,2]`, "FP64", `[]`), "the shape is [N], [N, 1]"},
		{one(`[1,2,1]`, "FP64", `[]`), "the shape is [N], [N, 1]"},
		{one(`[1.5,2]`, "FP64", `[]`), "bad_json: the body is no inference request"},
		{one(`[1,2]`, "FP16", `[1,2]`), "the datatype is one of"},
		{one(`[1,2]`, "fp64", `[1,2]`), "the datatype is one of"},
		{one(`[1,2]`, "FP64", `7`), "data is a list"},
		{one(`[1,2]`, "FP64", `[1]`), "the data has fewer elements than the shape"},
		{one(`[1,2]`, "FP64", `[1,2,3]`), "the data has more elements than the shape"},
		{one(`[2,2]`, "FP64", `[[1,2,3],[4]]`), "the data has more elements than the shape"},
		{one(`[2,2]`, "FP64", `[[1],[2,3]]`), "a row has not 2 elements"},
		{one(`[1,2]`, "FP64", `[[],[1,2]]`), "a row has not 2 elements"},
		{one(`[2,2]`, "FP64", `[[1,2],[],[3,4]]`), "a row has not 2 elements"},
		{one(`[0,2]`, "FP64", `[[]]`), "a row has not 2 elements"},
		{one(`[2,2]`, "FP64", `[[1,2],3,4]`), "some rows are lists and some are not"},
		{one(`[1,2]`, "FP64", `[1,"4111111111111111"]`), "element 1 is no FP64"},
		{one(`[1,2]`, "INT8", `[1,128]`), "element 1 is no INT8"},
		{one(`[1,2]`, "UINT8", `[1,-1]`), "element 1 is no UINT8"},
		{one(`[1,2]`, "INT64", `[1.0,1]`), "element 0 is no INT64"},
		{one(`[1,2]`, "FP32", `[1e39,1]`), "element 0 is no FP32"},
		{one(`[1,2]`, "BOOL", `[true,1]`), "element 1 is no BOOL"},
		{one(`[1,2]`, "BYTES", `["1","2"]`), "wrong_type: income: row 0"},
		{one(`[2,2]`, "FP64", `[1,2,3,1e999]`), "non_finite: debt: row 1"},
		{one(`[2,2]`, "FP64", `[1,2,3,null]`), "unscorable: debt: row 1"},
		{`{"inputs":[{"name":"debt","shape":[1],"datatype":"FP64","data":[1]}]}`, "row 0"},
		{`{"inputs":[{"name":"debt","shape":[1,2],"datatype":"FP64","data":[1,2]},{"name":"debt","shape":[1],"datatype":"FP64","data":[1]}]}`, "the input is there twice"},
		{`{"inputs":[{"name":"debt","shape":[1],"datatype":"FP64","data":[1]},{"name":"income","shape":[2],"datatype":"FP64","data":[1,2]}]}`, "the tensor has 2 rows, another has 1"},
		{`{"inputs":[{"name":"debt","shape":[1],"datatype":"FP64","data":[1]},{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]}`, "debt is in this tensor and in another"},
		{`{"inputs":[{"name":"debt","shape":[1],"datatype":"FP64","data":[1]}],"outputs":[{"name":"other"}]}`, "the model has no such output"},
		{`{"inputs":[],"outputs":[{"name":"score"},{"name":"score"}]}`, "score is asked for twice"},
		{`{"inputs":[],"outputs":{"name":"score"}}`, "they are a list of objects with a name"},
		{`{"inputs":[],"outputs":null}`, "they are a list of objects with a name"},
	} {
		got, status := infer(t, door, c.body)
		if status != 400 || !strings.Contains(got.Error, c.want) || strings.Contains(got.Error, "4111") {
			t.Errorf("%s: %d, %q\nwant %q", c.body, status, got.Error, c.want)
		}
	}
}

// FuzzInfer holds that whatever is sent gets an answer, that it is one or the other, and that it has as many scores as
// the request has rows.
func FuzzInfer(f *testing.F) {
	f.Add(`{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP64","data":[[1,2],[3,4]]}]}`)
	f.Add(`{"id":"1","inputs":[{"name":"debt","shape":[1,1],"datatype":"INT8","data":[1]},{"name":"income","shape":[1],"datatype":"FP32","data":[null]}],"outputs":[{"name":"score"}]}`)
	f.Add(`{"inputs":[{"name":"x","shape":[1,2],"datatype":"BYTES","data":["\u0000",""]}],"parameters":{}}`)
	door := newTwo(f)
	f.Fuzz(func(t *testing.T, body string) {
		got, status := infer(t, door, body)
		switch {
		case status == 200 && got.Error == "" && len(got.Outputs) > 0:
			for _, o := range got.Outputs {
				if len(o.Shape) != 1 || o.Shape[0] != len(o.Data) {
					t.Errorf("%s has the shape %v and %d elements", o.Name, o.Shape, len(o.Data))
				}
			}
		case status >= 400 && status < 500 && got.Error != "" && got.Outputs == nil:
		default:
			t.Errorf("status %d, %+v", status, got)
		}
	})
}
