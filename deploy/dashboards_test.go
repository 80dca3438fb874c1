package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A dashboard is what the tests look at of a board's JSON.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Links         []struct{ URL string }
	Panels        []panel
	Templating    struct {
		List []struct {
			Name, Type, Description string
			Definition              string
		}
	}
	Annotations struct{ List []struct{ Name, Expr string } }
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Options                  struct {
		CellValues struct{ Unit string }
		YAxis      struct{ Unit string }
	}
	Datasource struct{ UID string }
	Targets    []struct {
		Expr       string
		Datasource struct{ UID string }
	}
}

func dashboards(t *testing.T) []dashboard {
	t.Helper()
	paths, err := filepath.Glob("grafana/dashboards/*.json")
	if err != nil || len(paths) != 3 {
		t.Fatalf("%d boards (%v)", len(paths), err)
	}
	var all []dashboard
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, d)
	}
	return all
}

// unitless are the kinds of panels that show words.
var unitless = map[string]bool{"table": true, "state-timeline": true}

func TestPanelsAreDescribed(t *testing.T) {
	t.Parallel()
	for _, d := range dashboards(t) {
		if d.SchemaVersion < 41 || !strings.HasPrefix(d.UID, "fraudstream-") {
			t.Errorf("%s: schema %d, uid %s", d.Title, d.SchemaVersion, d.UID)
		}
		variables := map[string]bool{}
		for _, v := range d.Templating.List {
			variables[v.Name] = true
			if v.Type != "datasource" && v.Description == "" {
				t.Errorf("%s: variable %s has no description", d.UID, v.Name)
			}
		}
		if !variables["datasource"] || !variables["model"] || len(d.Annotations.List) == 0 {
			t.Errorf("%s: variables %v, %d annotations", d.UID, variables, len(d.Annotations.List))
		}
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			if ids[p.ID] {
				t.Errorf("%s: two panels have the id %d", d.UID, p.ID)
			}
			ids[p.ID] = true
			occupy(t, taken, p)
			if p.Type == "row" {
				continue
			}
			unit := p.FieldConfig.Defaults.Unit + p.Options.CellValues.Unit
			if len(p.Description) < 20 || len(p.Targets) == 0 || (unit == "" && !unitless[p.Type]) {
				t.Errorf("%s: panel %q: description %q, unit %q, %d queries", d.UID, p.Title, p.Description, unit, len(p.Targets))
			}
			for _, target := range p.Targets {
				if p.Datasource.UID != "${datasource}" || target.Datasource.UID != "${datasource}" {
					t.Errorf("%s: panel %q asks a fixed data source", d.UID, p.Title)
				}
				for _, name := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
					if !variables[name[1]] && !strings.HasPrefix(name[1], "__") {
						t.Errorf("%s: panel %q uses $%s, which the board has not", d.UID, p.Title, name[1])
					}
				}
			}
		}
	}
}

// occupy holds that no two panels lie over each other, nor beside the board.
func occupy(t *testing.T, taken map[[2]int]string, p panel) {
	t.Helper()
	g := p.GridPos
	if g.X < 0 || g.X+g.W > 24 || g.W < 1 || g.H < 1 {
		t.Errorf("panel %q lies outside the board: %+v", p.Title, g)
	}
	for x := g.X; x < g.X+g.W; x++ {
		for y := g.Y; y < g.Y+g.H; y++ {
			if other, ok := taken[[2]int{x, y}]; ok {
				t.Fatalf("panels %q and %q lie over each other", p.Title, other)
			}
			taken[[2]int{x, y}] = p.Title
		}
	}
}

// TestAlertsLinkToPanels holds the links of the rules against the boards: a link that leads nowhere is found at night.
func TestAlertsLinkToPanels(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, d := range dashboards(t) {
		known["d/"+d.UID] = true
		for _, p := range d.Panels {
			if p.Type != "row" {
				known[fmt.Sprintf("d/%s?viewPanel=%d", d.UID, p.ID)] = true
			}
		}
	}
	text, err := os.ReadFile("prometheus/fraudstream.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	alerts := strings.Split(string(text), "- alert: ")[1:]
	for _, alert := range alerts {
		name, _, _ := strings.Cut(alert, "\n")
		link := regexp.MustCompile(`dashboard_url: "([^"&]+)`).FindStringSubmatch(alert)
		if link == nil || !known[link[1]] {
			t.Errorf("%s: dashboard_url %q leads to no panel", name, link)
		}
	}
	if len(alerts) < 15 {
		t.Errorf("only %d alerts", len(alerts))
	}
}

// assertShown evaluates every expression of every board, variables filled in, in the Prometheus that watches the live
// service. Each must yield data, and each metric in it must have been scraped from a page of metrics or recorded by a rule.
func assertShown(t *testing.T, prometheus string) {
	t.Helper()
	var names struct{ Data []string }
	get(t, prometheus, "/api/v1/label/__name__/values", &names)
	name := regexp.MustCompile(`\b(?:[a-z]+:fraudstream_[a-z0-9_:]+|(?:fraudstream|go|process)_[a-z0-9_]+)`)
	fill := variables(t, prometheus)
	evaluated := 0
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				for _, used := range name.FindAllString(target.Expr, -1) {
					if !slices.Contains(names.Data, used) {
						t.Errorf("%s, panel %q: nothing has exported or recorded %s", d.UID, p.Title, used)
					}
				}
				expression := fill.Replace(target.Expr)
				if !eventually(func() bool { return len(instant(t, prometheus, expression)) > 0 }) {
					t.Errorf("%s, panel %q: no data for %s", d.UID, p.Title, expression)
				}
				evaluated++
			}
		}
	}
	if evaluated < 50 {
		t.Errorf("only %d expressions", evaluated)
	}
	t.Logf("%d expressions have data", evaluated)
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

// variables fills in what Grafana would, "All" where it is the default. $feature is what drifts in the demo.
func variables(t *testing.T, prometheus string) *strings.Replacer {
	t.Helper()
	for _, d := range dashboards(t) {
		for _, v := range d.Templating.List {
			if v.Type != "query" {
				continue
			}
			label := regexp.MustCompile(`label_values\((.*), (\w+)\)$`).FindStringSubmatch(v.Definition)
			everything := strings.NewReplacer("$job", ".+", "$model", ".+", "$instance", ".+", "$baseline", ".+").Replace(label[1])
			if len(instant(t, prometheus, "group by ("+label[2]+") ("+everything+")")) == 0 {
				t.Errorf("%s: variable %s has no value", d.UID, v.Name)
			}
		}
	}
	return strings.NewReplacer("$job", ".+", "$model", ".+", "$instance", ".+", "$baseline", ".+", "$feature", "amount",
		"$__rate_interval", "30s", "$__range", "5m")
}
