package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A dashboard is what the tests look at of a board's JSON.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Links         []struct{ URL string }
	Panels        []panel
	Templating    struct{ List []variable }
	Annotations   struct{ List []struct{ Name, Expr string } }
}

// variable is a choice at the head of a board. With AllValue, "All" is that expression; without, it is every value that
// there is under the choices before it.
type variable struct {
	Name, Type, Description string
	Definition              string
	IncludeAll              bool
	AllValue                string
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

// TestLinksLeadToPanels holds the links of the rules, and of the boards, against the boards: one that leads nowhere, or
// sets a variable that is not there, is found at night.
func TestLinksLeadToPanels(t *testing.T) {
	t.Parallel()
	known := map[string]map[string]bool{} // the variables that may be set, by address
	all := dashboards(t)
	for _, d := range all {
		variables := map[string]bool{}
		for _, v := range d.Templating.List {
			variables["var-"+v.Name] = true
		}
		known["d/"+d.UID] = variables
		for _, p := range d.Panels {
			if p.Type != "row" {
				known[fmt.Sprintf("d/%s?viewPanel=%d", d.UID, p.ID)] = variables
			}
		}
	}
	for _, d := range all {
		if len(d.Links) != len(all)-1 {
			t.Errorf("%s has %d links to the other boards", d.UID, len(d.Links))
		}
		for _, link := range d.Links {
			if known[strings.TrimPrefix(link.URL, "/")] == nil || link.URL == "/d/"+d.UID {
				t.Errorf("%s: the link %s leads to no other board", d.UID, link.URL)
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
		link := regexp.MustCompile(`dashboard_url: "([^"&]+)([^"]*)"`).FindStringSubmatch(alert)
		if link == nil || known[link[1]] == nil {
			t.Errorf("%s: dashboard_url %q leads to no panel", name, link)
			continue
		}
		for _, set := range regexp.MustCompile(`var-\w+`).FindAllString(link[2], -1) {
			if !known[link[1]][set] {
				t.Errorf("%s: dashboard_url sets %s, which the board has not", name, set)
			}
		}
	}
	if len(alerts) < 15 {
		t.Errorf("only %d alerts", len(alerts))
	}
}
