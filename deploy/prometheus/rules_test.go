// Package prometheus_test holds the alert and recording rules against the runbook, against the series that the
// program exports and, through promtool, against the program's own figures.
package prometheus_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"fraudstream/cmd/fraudstream/web"
	"fraudstream/consumer"
	"fraudstream/drift"
)

// ruleFile is what the tests look at of fraudstream.rules.yml.
type ruleFile struct {
	Groups []struct {
		Name, Interval string
		Rules          []rule
	}
}

type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

// testFile is what the tests look at of fraudstream.test.yml.
type testFile struct {
	Tests []struct {
		Input []struct {
			Series string
		} `yaml:"input_series"`
		Alerts []struct {
			Name     string `yaml:"alertname"`
			Expected []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func rules(t *testing.T) (alerts, records []rule) {
	t.Helper()
	var file ruleFile
	read(t, "fraudstream.rules.yml", &file)
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert != "" {
				alerts = append(alerts, r)
			} else {
				records = append(records, r)
			}
		}
	}
	if len(alerts) < 5 || len(records) < 10 {
		t.Fatalf("%d alerts and %d recording rules", len(alerts), len(records))
	}
	return alerts, records
}

func TestEveryAlertHasARunbook(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	alerts, _ := rules(t)
	for _, a := range alerts {
		if s := a.Labels["severity"]; s != "warning" && s != "critical" {
			t.Errorf("%s has severity %q", a.Alert, s)
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s lacks a summary or a description", a.Alert)
		}
		if want := "deploy/README.md#" + strings.ToLower(a.Alert); a.Annotations["runbook_url"] != want {
			t.Errorf("%s has runbook_url %q, want %q", a.Alert, a.Annotations["runbook_url"], want)
		}
		_, section, found := strings.Cut(string(text), "\n### "+a.Alert+"\n")
		section, _, _ = strings.Cut(section, "\n### ")
		if !found {
			t.Errorf("the runbook has no section %s", a.Alert)
		}
		for _, part := range []string{"**What it means.**", "**What to look at.**", "**What to do.**"} {
			if !strings.Contains(section, part) {
				t.Errorf("section %s of the runbook lacks %s", a.Alert, part)
			}
		}
	}
}

// TestEveryAlertIsTested wants of each alert a test in which it fires, one in which it is silent, and one in which none of
// the series is there that it reads, by itself or through what is recorded: an expression that lacks a side mostly says
// nothing, and sometimes something else than was meant.
func TestEveryAlertIsTested(t *testing.T) {
	fires, silent, absent := map[string]bool{}, map[string]bool{}, map[string]bool{}
	alerts, records := rules(t)
	reads := map[string]map[string]bool{}
	for _, a := range alerts {
		reads[a.Alert] = map[string]bool{}
		gather(a.Expr, records, reads[a.Alert])
	}
	for _, path := range []string{"fraudstream.test.yml", "objectives.test.yml"} {
		var file testFile
		read(t, path, &file)
		for _, test := range file.Tests {
			for _, a := range test.Alerts {
				fires[a.Name] = fires[a.Name] || len(a.Expected) > 0
				silent[a.Name] = silent[a.Name] || len(a.Expected) == 0
				without := true
				for _, s := range test.Input {
					name, _, _ := strings.Cut(s.Series, "{")
					without = without && !reads[a.Name][name]
				}
				absent[a.Name] = absent[a.Name] || without
			}
		}
	}
	for _, a := range alerts {
		if len(reads[a.Alert]) == 0 {
			t.Errorf("%s reads no series", a.Alert)
		}
		if !fires[a.Alert] || !silent[a.Alert] || !absent[a.Alert] {
			t.Errorf("%s is tested firing: %v, silent: %v, without its series: %v", a.Alert, fires[a.Alert], silent[a.Alert], absent[a.Alert])
		}
	}
}

// gather collects the scraped series that an expression reads, through the recorded ones.
func gather(expression string, records []rule, into map[string]bool) {
	for _, name := range regexp.MustCompile(`[a-z:]*fraudstream_[a-z0-9_:]+`).FindAllString(expression, -1) {
		if i := slices.IndexFunc(records, func(r rule) bool { return r.Record == name }); i >= 0 {
			gather(records[i].Expr, records, into)
		} else {
			into[name] = true
		}
	}
}

// TestRulesReadWhatIsExported takes the names from the descriptions of the collectors, so that a series that is
// renamed takes its rules along.
func TestRulesReadWhatIsExported(t *testing.T) {
	known := exported(t)
	alerts, records := rules(t)
	for _, r := range records {
		known = append(known, r.Record)
	}
	name := regexp.MustCompile(`[a-z:]*fraudstream_[a-z0-9_:]+`)
	for _, r := range append(alerts, records...) {
		for _, used := range name.FindAllString(r.Expr, -1) {
			histogram := strings.TrimSuffix(strings.TrimSuffix(used, "_bucket"), "_count")
			if !slices.Contains(known, used) && !slices.Contains(known, histogram) {
				t.Errorf("%s%s reads %s, which nothing exports or records", r.Alert, r.Record, used)
			}
		}
	}
}

// exported lists the names of all series of a process.
func exported(t *testing.T) (names []string) {
	t.Helper()
	monitor, err := drift.NewMonitor(drift.Options{})
	if err != nil {
		t.Fatal(err)
	}
	described := &descriptions{}
	consumer.NewMetrics(described)
	web.NewModelMetrics(described)
	described.MustRegister(web.NewDriftCollector(monitor, "0a0b0c0d"))
	return described.names
}

// descriptions is a prometheus.Registerer that keeps the names.
type descriptions struct{ names []string }

func (d *descriptions) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = d.Register(c) // it has no error
	}
}

func (d *descriptions) Unregister(prometheus.Collector) bool { return false }

func (d *descriptions) Register(c prometheus.Collector) error {
	quoted := regexp.MustCompile(`fqName: "([^"]+)"`)
	ch := make(chan *prometheus.Desc, 100)
	c.Describe(ch)
	close(ch)
	for about := range ch {
		d.names = append(d.names, quoted.FindStringSubmatch(about.String())[1])
	}
	return nil
}
