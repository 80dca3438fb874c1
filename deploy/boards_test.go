package deploy_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// choice is what somebody has chosen of the variables of a board; of the rest it is "All".
type choice map[string]string

// metricName finds the series that an expression reads.
var metricName = regexp.MustCompile(`\b(?:[a-z]+:fraudstream_[a-z0-9_:]+|(?:fraudstream|go|process)_[a-z0-9_]+)`)

// assertShown evaluates every expression of every board, variables filled in, in the Prometheus that watches the live
// service. Each must yield data, and each metric in it must have been scraped from a page of metrics or recorded by a rule.
func (p *prometheusServer) assertShown(t *testing.T) {
	t.Helper()
	var names struct{ Data []string }
	get(t, p.address, "/api/v1/label/__name__/values", &names)
	evaluated := 0
	for _, d := range dashboards(t) {
		chosen := choice{"feature": "amount"}
		fill := p.fill(t, d, chosen)
		for _, panel := range d.Panels {
			for _, target := range panel.Targets {
				for _, used := range metricName.FindAllString(target.Expr, -1) {
					if !slices.Contains(names.Data, used) {
						t.Errorf("%s, panel %q: nothing has exported or recorded %s", d.UID, panel.Title, used)
					}
				}
				evaluated++
				if !eventually(func() bool {
					if len(p.instant(t, fill.Replace(target.Expr))) > 0 {
						return true
					}
					fill = p.fill(t, d, chosen) // a worker that has come meanwhile is a new value
					return false
				}) {
					t.Errorf("%s, panel %q: no data for %s", d.UID, panel.Title, fill.Replace(target.Expr))
				}
			}
		}
	}
	if evaluated < 50 {
		t.Errorf("only %d expressions", evaluated)
	}
	t.Logf("%d expressions have data", evaluated)
}

// assertAnnotated evaluates what the boards mark, from the beginning on and in the step of a second: the episode that the
// demo drifts into, and the models when they were first seen.
func (p *prometheusServer) assertAnnotated(t *testing.T) {
	t.Helper()
	marks := 0
	for _, d := range dashboards(t) {
		for _, mark := range d.Annotations.List {
			marks++
			found := p.overTime(t, p.fill(t, d, nil).Replace(mark.Expr))
			if len(found) == 0 {
				t.Errorf("%s: the annotation %q marks nothing: %s", d.UID, mark.Name, mark.Expr)
			}
			if mark.Name == "Drift episodes" && !slices.ContainsFunc(found, func(s series) bool { return s.Metric["feature"] == "amount" }) {
				t.Errorf("%s: no episode of the amount is marked: %v", d.UID, found)
			}
		}
	}
	if marks < 6 {
		t.Errorf("only %d annotations", marks)
	}
}

// assertChosen chooses one model after the other on every board: what each selector of each query then finds must be of
// that model, by its process, its baseline or its name. What is recorded for a service as a whole has none of the three.
//
// It looks at selectors and not at results, since a sum no longer tells of whom it is. A variable that lets everything
// through under "All", whatever was chosen before it, is found so: the other model's process is in the same job.
func (p *prometheusServer) assertChosen(t *testing.T, models ...string) {
	t.Helper()
	serves, counted := map[string]string{}, map[string]string{} // the model by process, and by baseline
	for _, s := range p.known(t, "fraudstream_model_info") {
		serves[s["instance"]] = s["name"]
	}
	for _, s := range p.known(t, "fraudstream_feature_baseline_count") {
		counted[s["baseline"]] = serves[s["instance"]]
	}
	selector := regexp.MustCompile(`[a-z0-9_:]+\{[^}]*\}`)
	for _, model := range models {
		found := 0
		for _, d := range dashboards(t) {
			fill := p.fill(t, d, choice{"model": model, "feature": "amount"})
			expressions := map[string]string{}
			for _, panel := range d.Panels {
				for i, target := range panel.Targets {
					expressions[panel.Title+" "+strconv.Itoa(i)] = target.Expr
				}
			}
			for _, mark := range d.Annotations.List {
				expressions[mark.Name] = mark.Expr
			}
			for title, expression := range expressions {
				for _, read := range selector.FindAllString(expression, -1) {
					if strings.HasPrefix(read, "service:") {
						continue
					}
					var strangers []series
					for _, s := range p.instant(t, fill.Replace(read)) {
						found++
						name, _, _ := strings.Cut(s.Metric["model"], "@")
						if serves[s.Metric["instance"]] != model && counted[s.Metric["baseline"]] != model && name != model {
							strangers = append(strangers, s)
						}
					}
					if len(strangers) > 0 {
						t.Errorf("%s, %q with the model %s: %s finds %d series of another, such as %v", d.UID, title, model, read, len(strangers), strangers[0].Metric)
					}
				}
			}
		}
		if found < 200 {
			t.Errorf("with the model %s the boards read only %d series", model, found)
		}
		t.Logf("with the model %s the boards read %d series, all of them its own", model, found)
	}
}

// savePanels keeps what every panel would draw, and what the annotations mark, for grafana/render.py.
func (p *prometheusServer) savePanels(t *testing.T, folder string) {
	t.Helper()
	for _, d := range dashboards(t) {
		fill := p.fill(t, d, choice{"model": "card-fraud", "feature": "amount"})
		for _, panel := range d.Panels {
			var expressions []string
			for _, target := range panel.Targets {
				expressions = append(expressions, fill.Replace(target.Expr))
			}
			p.save(t, filepath.Join(folder, fmt.Sprintf("%s-%d.json", d.UID, panel.ID)), expressions)
		}
		var marks []string
		for _, mark := range d.Annotations.List {
			marks = append(marks, fill.Replace(mark.Expr))
		}
		p.save(t, filepath.Join(folder, d.UID+"-annotations.json"), marks)
	}
}

// save writes what Prometheus answers to expressions, over all of its time.
func (p *prometheusServer) save(t *testing.T, path string, expressions []string) {
	t.Helper()
	saved := struct {
		End     int64             `json:"end"`
		Answers []json.RawMessage `json:"answers"`
	}{End: time.Now().Unix()}
	for _, expression := range expressions {
		var answer json.RawMessage
		get(t, p.address, "/api/v1/query_range?"+p.since(url.Values{"query": {expression}, "step": {"1"}}), &answer)
		saved.Answers = append(saved.Answers, answer)
	}
	text, err := json.Marshal(saved)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text))
}

// fill replaces the variables of a board by what Grafana would, one after the other, since the later ones are asked for
// under the earlier ones. "All" is what the board says of it (allValue), or else every value that is offered, as an
// alternation; the values are those of the whole time that is looked at, so that a process which was killed still counts.
func (p *prometheusServer) fill(t *testing.T, d dashboard, chosen choice) *strings.Replacer {
	t.Helper()
	set := []string{"$__rate_interval", "30s", "$__range", "5m"}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		asked := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(v.Definition)
		values := p.values(t, strings.NewReplacer(set...).Replace(asked[1]), asked[2])
		if len(values) == 0 {
			t.Errorf("%s: the variable %s has no value", d.UID, v.Name)
		}
		value := chosen[v.Name]
		switch {
		case value != "" && !slices.Contains(values, value):
			t.Errorf("%s: the variable %s does not offer %s", d.UID, v.Name, value)
		case value != "":
			value = quote(value)
		case !v.IncludeAll:
			value = quote(values[0]) // Grafana begins with the first
		case v.AllValue != "":
			value = v.AllValue
		default:
			for i := range values {
				values[i] = quote(values[i])
			}
			value = "(" + strings.Join(values, "|") + ")"
		}
		set = append(set, "$"+v.Name, value)
	}
	return strings.NewReplacer(set...)
}

// quote writes a value so that the regular expression in a PromQL string means just it.
func quote(value string) string { return strings.ReplaceAll(regexp.QuoteMeta(value), `\`, `\\`) }

// values asks for the values of a label since the beginning, as a variable does.
func (p *prometheusServer) values(t *testing.T, selector, label string) []string {
	t.Helper()
	var answer struct{ Data []string }
	get(t, p.address, "/api/v1/label/"+label+"/values?"+p.since(url.Values{"match[]": {selector}}), &answer)
	return answer.Data
}

// known asks for the labels of all series of a name since the beginning.
func (p *prometheusServer) known(t *testing.T, name string) []map[string]string {
	t.Helper()
	var answer struct{ Data []map[string]string }
	get(t, p.address, "/api/v1/series?"+p.since(url.Values{"match[]": {name}}), &answer)
	return answer.Data
}

// overTime evaluates an expression at every second since the beginning.
func (p *prometheusServer) overTime(t *testing.T, expression string) []series {
	t.Helper()
	var answer struct{ Data struct{ Result []series } }
	get(t, p.address, "/api/v1/query_range?"+p.since(url.Values{"query": {expression}, "step": {"1"}}), &answer)
	return answer.Data.Result
}

// since adds the time that the boards look at.
func (p *prometheusServer) since(q url.Values) string {
	q.Set("start", strconv.FormatInt(p.began.Unix(), 10))
	q.Set("end", strconv.FormatInt(time.Now().Unix(), 10))
	return q.Encode()
}

// eventually bridges the moments in which a worker has just been killed.
func eventually(done func() bool) bool {
	for range 20 {
		if done() {
			return true
		}
		time.Sleep(250 * time.Millisecond)
	}
	return false
}
