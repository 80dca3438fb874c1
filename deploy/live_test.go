// Package deploy_test holds what is shipped for operation against the running program: the dashboards and the alerts
// against a real Prometheus and Alertmanager that watch the demo, the manifests against their schemas, the release
// against itself.
package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/cmd/fraudstream/demo/cards"
)

// TestWatchedDemo runs the demo under the shipped configuration of Prometheus and Alertmanager, and lets it drift. The
// alert must arrive, the boards must have something to show, and promtool must like the page of metrics.
//
// Beside the demo there is a process in trouble, whose Kafka refuses every decision: what is only there on a bad day is
// there to be seen. Its model has another name, so that the boards have two to choose from. Three things differ from the
// shipped files: the addresses, how targets are found, and the pace of the rules and scrapes, so that a minute holds what is
// half an hour in service.
func TestWatchedDemo(t *testing.T) {
	if os.Getenv("FRAUDSTREAM_PROMTOOL") == "" {
		t.Skip("FRAUDSTREAM_PROMTOOL is not set: the path of promtool, of Debian's package prometheus; prometheus-alertmanager is wanted too")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "fraudstream")
	output(t, "go", "build", "-o", binary, "../cmd/fraudstream")
	inbox := startInbox(t)
	alertmanager := startAlertmanager(t, dir, inbox.address)
	prometheus := startPrometheus(t, dir, alertmanager)
	targets := filepath.Join(dir, "targets.json")
	troubled := startTroubled(t, dir, binary)
	demo := start(t, dir, binary, "demo", "--plain", "--for", "90s", "--listen", "127.0.0.1:0")
	go prometheus.announce(t.Context(), demo.Process.Pid, targets, troubled)

	until(t, "the drift of the amount is at Alertmanager", func() bool {
		var alerts []struct{ Labels, Annotations map[string]string }
		get(t, alertmanager, "/api/v2/alerts?filter=alertname%3DFraudstreamValueDrift&filter=feature%3Damount", &alerts)
		return len(alerts) > 0 && alerts[0].Annotations["summary"] == "Values of amount no longer look like the training data."
	})
	until(t, "the pager or the ticket system was told of it", func() bool { return inbox.told("amount") })
	// The demo's poison is still to come. While the boards are asked, it kills a worker.
	until(t, "dead letters are counted", func() bool {
		return len(prometheus.instant(t, "sum(fraudstream_dead_letters_total) > 4")) > 0
	})
	assertMetricsCheck(t, targets)
	if folder := os.Getenv("FRAUDSTREAM_PANELS"); folder != "" {
		prometheus.savePanels(t, folder)
	}
	prometheus.assertShown(t)
	prometheus.assertAnnotated(t)
	prometheus.assertChosen(t, "card-fraud", troubledModel)
	assertRulesHealthy(t, prometheus.address)
}

// assertMetricsCheck runs promtool's linter over the page of a worker. Of what it says, one thing is known: the name of a
// gauge that is a count of training rows and is fixed by its readers.
func assertMetricsCheck(t *testing.T, targets string) {
	t.Helper()
	addresses := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindAllString(file(t, targets), -1)
	if len(addresses) < 2 {
		t.Fatalf("only %v are left", addresses)
	}
	var page []byte
	for _, address := range addresses[1:] { // the first is the one in trouble, another may just have been killed
		response, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			continue
		}
		page, err = io.ReadAll(response.Body)
		response.Body.Close()
		if err == nil {
			break
		}
	}
	check := exec.CommandContext(t.Context(), os.Getenv("FRAUDSTREAM_PROMTOOL"), "check", "metrics")
	check.Stdin = bytes.NewReader(page)
	said, _ := check.CombinedOutput() // what it says counts, not its code
	for line := range strings.Lines(string(said)) {
		if !strings.HasPrefix(line, `fraudstream_feature_baseline_count non-histogram and non-summary metrics should not have "_count" suffix`) {
			t.Errorf("promtool check metrics: %s", line)
		}
	}
	if !strings.Contains(string(said), "fraudstream_feature_baseline_count") {
		t.Errorf("promtool has not read the page; it said %q", said)
	}
}

func assertRulesHealthy(t *testing.T, prometheus string) {
	t.Helper()
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	get(t, prometheus, "/api/v1/rules", &answer)
	seen := 0
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			seen++
			if r.Health != "ok" {
				t.Errorf("rule %s is %s: %s", r.Name, r.Health, r.LastError)
			}
		}
	}
	if seen < 40 {
		t.Errorf("only %d rules", seen)
	}
}

// troubledModel is the name of the model of the process in trouble: the demo's under another name, so that there are two
// to choose from.
const troubledModel = "card-fraud-trial"

// startTroubled is a worker that reads a thousand payments and cannot publish a decision.
func startTroubled(t *testing.T, dir, binary string) (address string) {
	t.Helper()
	const demo = "../cmd/fraudstream/demo/bundle"
	model := filepath.Join(dir, "trial")
	copyFiles(t, demo, model, "model.joblib", "golden.json")
	write(t, filepath.Join(model, "metadata.json"), strings.Replace(file(t, filepath.Join(demo, "metadata.json")), `"card-fraud"`, `"`+troubledModel+`"`, 1))
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "transactions", "decisions", "transactions.dlq"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic("transactions"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	address = freeAddress(t)
	start(t, t.TempDir(), binary, "run", "--brokers", strings.Join(cluster.ListenAddrs(), ","), "--group", "troubled",
		"--model", model, "--listen", address)
	until(t, "the process to be troubled is ready", func() bool { return get(t, address, "/readyz", nil) })
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "decisions", Err: kerr.NotEnoughReplicas, Count: -1})
	payments := cards.New(1)
	for range 1000 {
		tx := payments.Next()
		client.Produce(t.Context(), &kgo.Record{Value: tx.AppendJSON(nil)}, nil)
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return address
}

// prometheusServer is a Prometheus that has nothing in it from before it began.
type prometheusServer struct {
	address string
	began   time.Time
	last    atomic.Int64 // when a worker of the demo was last seen, in Unix milliseconds; 0: not yet
}

// startPrometheus runs the shipped prometheus.yml and rules, thirty times as fast.
func startPrometheus(t *testing.T, dir, alertmanager string) *prometheusServer {
	t.Helper()
	began := time.Now()
	rules, err := os.ReadFile("prometheus/fraudstream.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	distances, rest, _ := strings.Cut(string(rules), "  - name: fraudstream-drift-alerts")
	faster := strings.NewReplacer("[5m]", "[10s]", "[1h:5m]", "[2m:10s]", "[24h:5m]", "[48m:10s]", "interval: 1m", "interval: 2s")
	write(t, filepath.Join(dir, "fraudstream.rules.yml"), faster.Replace(distances)+"  - name: fraudstream-drift-alerts"+
		strings.ReplaceAll(rest, "interval: 30s", "interval: 1s"))
	config := readYAML(t, "prometheus/prometheus.yml")
	config["global"] = map[string]any{"scrape_interval": "1s", "evaluation_interval": "1s"}
	config["alerting"] = map[string]any{"alertmanagers": []any{map[string]any{"static_configs": []any{map[string]any{"targets": []string{alertmanager}}}}}}
	scrape := config["scrape_configs"].([]any)[0].(map[string]any)
	delete(scrape, "dns_sd_configs")
	scrape["file_sd_configs"] = []any{map[string]any{"files": []string{"targets.json"}, "refresh_interval": "1s"}}
	writeYAML(t, filepath.Join(dir, "prometheus.yml"), config)
	address := freeAddress(t)
	start(t, dir, "prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	until(t, "Prometheus is ready", func() bool { return get(t, address, "/-/ready", nil) })
	return &prometheusServer{address: address, began: began}
}

// startAlertmanager runs the shipped alertmanager.yml, whose receivers are one inbox, and which waits for nothing.
func startAlertmanager(t *testing.T, dir, inbox string) (address string) {
	t.Helper()
	output(t, "amtool", "check-config", "alertmanager/alertmanager.yml")
	config := readYAML(t, "alertmanager/alertmanager.yml")
	route := config["route"].(map[string]any)
	route["group_wait"], route["group_interval"] = "1s", "1s"
	for _, receiver := range config["receivers"].([]any) {
		for _, hook := range receiver.(map[string]any)["webhook_configs"].([]any) {
			hook.(map[string]any)["url"] = inbox + "/" + receiver.(map[string]any)["name"].(string)
		}
	}
	writeYAML(t, filepath.Join(dir, "alertmanager.yml"), config)
	address = freeAddress(t)
	start(t, dir, "prometheus-alertmanager", "--config.file="+filepath.Join(dir, "alertmanager.yml"),
		"--storage.path="+filepath.Join(dir, "alertmanager"), "--web.listen-address="+address, "--cluster.listen-address=", "--log.level=warn")
	until(t, "Alertmanager is ready", func() bool { return get(t, address, "/-/ready", nil) })
	return address
}

// inbox is what the pager and the ticket system get.
type inbox struct {
	address string
	mu      sync.Mutex
	paths   []string
	bodies  []string
}

func startInbox(t *testing.T) *inbox {
	t.Helper()
	i := &inbox{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		i.mu.Lock()
		defer i.mu.Unlock()
		i.paths, i.bodies = append(i.paths, r.URL.Path), append(i.bodies, string(body))
	}))
	t.Cleanup(server.Close)
	i.address = server.URL
	return i
}

// told says whether a message named the feature, at the receiver of its severity.
func (i *inbox) told(feature string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, body := range i.bodies {
		severity := map[string]string{"/pager": "critical", "/tickets": "warning"}[i.paths[n]]
		if strings.Contains(body, `"feature":"`+feature+`"`) && strings.Contains(body, `"severity":"`+severity+`"`) {
			return true
		}
	}
	return false
}

// announce writes the list of targets that Prometheus reads: the workers of the demo, as they come and go, and the
// process in trouble. It notes when there was one.
func (p *prometheusServer) announce(ctx context.Context, demo int, path, troubled string) {
	for ctx.Err() == nil {
		groups := []map[string]any{{"targets": []string{troubled}, "labels": map[string]string{"instance": "troubled"}}}
		if workers := listening(demo); len(workers) > 0 {
			groups = append(groups, map[string]any{"targets": workers})
			p.last.Store(time.Now().UnixMilli())
		}
		if text, err := json.Marshal(groups); err == nil {
			_ = os.WriteFile(path+".new", text, 0o600) // it is written again in half a second
			_ = os.Rename(path+".new", path)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// listening reads the addresses of a process's children from their --listen.
func listening(parent int) (addresses []string) {
	children, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range children {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		arguments := strings.Split(string(command), "\x00")
		if at := slices.Index(arguments, "--listen"); at > 0 && at+1 < len(arguments) {
			addresses = append(addresses, arguments[at+1])
		}
	}
	slices.Sort(addresses)
	return addresses
}

// series is what Prometheus answers of one series to an instant query (Value) or one over a time (Values).
type series struct {
	Metric map[string]string
	Value  [2]any
	Values [][2]any
}

// instant returns the series of a query of the last instant at which the demo ran: where the machine is slow, the demo may
// have ended before all is asked.
func (p *prometheusServer) instant(t *testing.T, expression string) []series {
	t.Helper()
	var answer struct{ Data struct{ Result []series } }
	query := url.Values{"query": {expression}}
	if at := p.last.Load(); at > 0 {
		query.Set("time", strconv.FormatFloat(float64(at)/1e3, 'f', 3, 64))
	}
	if !get(t, p.address, "/api/v1/query?"+query.Encode(), &answer) {
		t.Errorf("Prometheus refuses %s", expression)
	}
	return answer.Data.Result
}

// get tells whether the answer was 200 and, where it is wanted, JSON.
func get(t *testing.T, address, path string, into any) bool {
	t.Helper()
	response, err := http.Get("http://" + address + path)
	if err != nil {
		return false // it is still starting
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK && (into == nil || json.NewDecoder(response.Body).Decode(into) == nil)
}

// until waits two minutes, many times what it takes on a quiet machine.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("it did not come about within two minutes that %s", what)
		}
		time.Sleep(250 * time.Millisecond)
	}
	t.Logf("%s after %.1f s", what, time.Since(began).Seconds())
}

// start runs a program until the test ends, and shows what it said where the test has failed.
func start(t *testing.T, dir, program string, args ...string) *exec.Cmd {
	t.Helper()
	said := &bytes.Buffer{}
	command := exec.Command(program, args...)
	command.Stdout, command.Stderr = said, said
	command.Env = append(os.Environ(), "GOMEMLIMIT=1GiB", "TMPDIR="+dir)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt) // it may have ended by itself
		timer := time.AfterFunc(20*time.Second, func() { _ = command.Process.Kill() })
		_ = command.Wait()
		timer.Stop()
		if t.Failed() {
			t.Logf("%s said last:\n%s", filepath.Base(program), said.Bytes()[max(0, said.Len()-2000):])
		}
	})
	return command
}

// output runs a program to its end.
func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, said)
	}
	return string(said)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func readYAML(t *testing.T, path string) (value map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return value
}

func writeYAML(t *testing.T, path string, value any) {
	t.Helper()
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
