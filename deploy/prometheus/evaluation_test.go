package prometheus_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What the rules must bear: every second process of a large fleet has a page of metrics like this.
const (
	processes = 16
	features  = 30
	bins      = 24
)

// TestRulesEvaluateWithinASecond gives a real Prometheus a day of records and the last minutes of 11,520 counters and
// as many baseline gauges, scraped every 15 seconds, and reads how long it says that the group takes. The bound is five
// times the second that the rules are laid out for, so that a busy machine does not fail it; the figure is logged.
func TestRulesEvaluateWithinASecond(t *testing.T) {
	tool := promtool(t)
	dir := t.TempDir()
	writeHistory(t, filepath.Join(dir, "history"), time.Now().Add(-15*time.Second))
	run(t, tool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", filepath.Join(dir, "history"), filepath.Join(dir, "data"))
	address := startPrometheus(t, dir)

	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) {
		time.Sleep(200 * time.Millisecond)
		if group, done := evaluated(t, address, "fraudstream-drift-distances"); done {
			figures := query(t, address, "count(feature:fraudstream_psi:1h) + count(feature:fraudstream_psi:24h)")
			if figures != fmt.Sprint(2*features) {
				t.Errorf("%s figures of psi, want %d", figures, 2*features)
			}
			t.Logf("%d features × %d bins × %d processes: the group takes %.3f s", features, bins, processes, group)
			if group > 5 {
				t.Errorf("the group takes %.3f s", group)
			}
			return
		}
	}
	t.Fatal("the group was not evaluated within a minute")
}

// writeHistory writes, in OpenMetrics, the raw series of the last six minutes and the five-minute records of a day,
// all of them up to now.
func writeHistory(t *testing.T, path string, now time.Time) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for feature := range features {
		for bin := range bins {
			cell := fmt.Sprintf(`feature="f%02d",cell="%02d",baseline="0a0b0c0d",job="fraud"`, feature, bin)
			rate := 1 + random.IntN(50)
			for process := range processes {
				for sample := range 24 {
					at := now.Add(time.Duration(sample-23) * 15 * time.Second).Unix()
					fmt.Fprintf(w, "fraudstream_feature_cell_total{%s,instance=\"p%d\"} %d %d\n", cell, process, 1000+sample*rate, at)
					fmt.Fprintf(w, "fraudstream_feature_baseline_count{%s,instance=\"p%d\"} %d %d\n", cell, process, 100*rate, at)
				}
			}
			for minute := range 24 * 60 {
				at := now.Add(time.Duration(minute-24*60) * time.Minute).Unix()
				fmt.Fprintf(w, "cell:fraudstream_feature_cell:increase5m{%s} %d %d\n", cell, 20*rate*processes, at)
			}
		}
	}
	fmt.Fprintln(w, "# EOF")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// startPrometheus runs the rules every five seconds over what is in dir, and scrapes nothing.
func startPrometheus(t *testing.T, dir string) (address string) {
	t.Helper()
	rules, err := os.ReadFile("fraudstream.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	often := strings.ReplaceAll(string(rules), "interval: 1m", "interval: 5s")
	for name, text := range map[string]string{"rules.yml": often, "prometheus.yml": "rule_files: [rules.yml]\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	server := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	said := &strings.Builder{}
	server.Stderr = said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill() // it may have ended by itself
		_ = server.Wait()
		if t.Failed() {
			t.Log(said)
		}
	})
	return address
}

// evaluated returns the seconds of the last evaluation of a group, once there was one without an error.
func evaluated(t *testing.T, address, name string) (seconds float64, done bool) {
	t.Helper()
	var answer struct {
		Data struct {
			Groups []struct {
				Name           string
				EvaluationTime float64
				Rules          []struct{ Health, LastError string }
			}
		}
	}
	if !get(address, "/api/v1/rules", &answer) {
		return 0, false
	}
	for _, group := range answer.Data.Groups {
		if group.Name != name || group.EvaluationTime == 0 {
			continue
		}
		for _, r := range group.Rules {
			if r.Health != "ok" {
				t.Fatalf("a rule is %s: %s", r.Health, r.LastError)
			}
		}
		return group.EvaluationTime, true
	}
	return 0, false
}

// query returns the value of an instant query with one result.
func query(t *testing.T, address, expression string) string {
	t.Helper()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if !get(address, "/api/v1/query?query="+strings.ReplaceAll(strings.ReplaceAll(expression, "+", "%2B"), " ", "%20"), &answer) || len(answer.Data.Result) != 1 {
		t.Fatalf("%s has no result", expression)
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

func get(address, path string, into any) bool {
	response, err := http.Get("http://" + address + path)
	if err != nil {
		return false // it is still starting
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK && json.NewDecoder(response.Body).Decode(into) == nil
}
