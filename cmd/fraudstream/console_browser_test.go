//go:build browser

// The console as a person has it, in a real browser. The tag keeps the protocol of Chromium, which takes as long to compile
// as all the rest, out of every other test run.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/cmd/fraudstream/web"
	"fraudstream/drift"
)

// startDoor serves the demo's model as serve does, with drift intervals of a hundred events. The address may be one that
// another door has just left; with a token, it is asked for. Of events, the named fields are shown.
func startDoor(t *testing.T, address, token string, show ...string) (url string, stop func()) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	config := defaultConfig()
	config.Model.Path, config.Privacy.Show = "demo/bundle", show
	registry := web.NewRegistry()
	model, err := loadModel(config, nil, quiet, web.NewModelMetrics(registry))
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := driftOptions(model, config.Drift, time.Now(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	wanted.TickEvents = 100
	monitor, err := drift.NewMonitor(wanted)
	if err != nil {
		t.Fatal(err)
	}
	options := web.Options{
		Scorer: model, Gatherer: registry, Requests: web.NewRequestMetrics(registry), Log: quiet, Monitor: monitor, Observe: true, Token: token,
	}
	options.Console = config.doorConsole(model, &wanted, &options)
	door := web.New(options)
	if err := door.Listen(address); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- door.Serve(ctx) }()
	return "http://" + door.Addr() + "/", sync.OnceFunc(func() {
		cancel()
		began := time.Now()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("the open page held the end of the service up for %v", took)
		}
	})
}

// post sends events in requests of a hundred.
func post(t *testing.T, url string, lines []byte) {
	t.Helper()
	for chunk := range slices.Chunk(strings.Split(strings.TrimSpace(string(lines)), "\n"), 100) {
		response, err := http.Post(url+"predict", "application/json", strings.NewReader("["+strings.Join(chunk, ",")+"]"))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
}

// TestConsoleInBrowser opens the console of a service without Kafka: it loads, counts, shows an injected drift and a refused
// event, is readable in both schemes and on a telephone, and comes back when the service does.
func TestConsoleInBrowser(t *testing.T) {
	url, stop := startDoor(t, "127.0.0.1:0", "")
	defer func() { stop() }()
	b := openTab(t, url)
	b.await("it loads", `document.getElementById('link').textContent === 'live'`)
	b.await("it says which model", `document.getElementById('model').textContent === 'card-fraud 2026-11-01'`)
	b.await("an empty list says so", `!document.getElementById('decisions-empty').hidden && document.body.innerText.includes('No stream')`)
	b.picture("empty")

	// From here on nothing may jump, not even while the page loads. It is loaded anew, for at first the browser may have had
	// a window of another size.
	b.do(chromedp.Reload())
	b.await("it loads again", `innerWidth === 1280 && document.getElementById('link').textContent === 'live'`)
	value[bool](b, `(() => {
	  window.shifted = 0;
	  new PerformanceObserver((l) => { for (const e of l.getEntries()) shifted += e.value; }).observe({ type: 'layout-shift', buffered: true });
	  return true;
	})()`)
	events := drifting(2500, 1000)
	post(t, url, events)
	b.await("it counts", `document.getElementById('decided').textContent === '2,500'`)
	b.latencies("request to answer")
	if lag := value[string](b, `document.getElementById('lag').textContent`); lag != "–" {
		t.Errorf("without a stream the lag is %q", lag)
	}
	b.histogram(url)
	b.facts(url, "card-fraud", "2026-11-01", "rows agree with scikit-learn")
	b.await("it shows the drift", `document.getElementById('open-alarms').innerText.includes('amount values over 95.86')`)
	post(t, url, drifting(100, 5000))
	b.await("it shows a decision", `document.querySelectorAll('#decisions tr').length > 0`)
	if id := value[string](b, `document.querySelector('#decisions td').textContent`); !regexp.MustCompile(`^\*\d{1,4}$`).MatchString(id) {
		t.Errorf("the id of a decision is shown as %q", id)
	}
	post(t, url, []byte(`{"transaction_id":"4111111111111111","amount":"twelve euros"}`))
	b.await("it shows a refused event", `document.getElementById('codes').innerText.includes('wrong_type') && document.getElementById('letters').innerText.includes('amount')`)
	for range 2 {
		post(t, url, []byte(`{"transaction_id":"t-1","amount":1,"amount":2}`))
	}
	b.await("refused events are counted by code", `document.querySelector('#codes').innerText.replace(/\s+/g, ' ').trim() === 'duplicate_key 2 wrong_type 1'`)
	b.await("their sum is told", `document.getElementById('refused').textContent === '3'`)
	if strings.Contains(value[string](b, `document.documentElement.outerHTML`), "411111") {
		t.Error("a card number has reached the page")
	}

	if shift := value[float64](b, `shifted`); shift > 0.1 { // more is no longer good by Core Web Vitals
		t.Errorf("the layout has shifted by %.3f", shift)
	}

	b.do(chromedp.Focus("button.feature"), chromedp.KeyEvent("\r"))
	b.await("a feature opens by key", `document.querySelector('tr.detail:not([hidden]) .cells').innerText.includes('over 95.86')`)
	if first := value[string](b, `document.querySelector('button.feature').textContent`); !strings.Contains("amount amount_to_mean_7d score", first) {
		t.Errorf("the first feature is %s, which has not drifted", first)
	}
	if cut := value[string](b, `[...document.querySelectorAll('.tiles .note')].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent).join()`); cut != "" {
		t.Errorf("cut short in their tiles: %s", cut)
	}
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		b.readable(scheme)
		b.picture(scheme)
	}
	if paper := value[string](b, `getComputedStyle(document.body).backgroundColor`); paper != "rgb(15, 18, 21)" {
		t.Errorf("in the dark, the page is %s", paper)
	}
	b.do(chromedp.EmulateViewport(390, 844))
	b.readable("telephone")
	b.picture("telephone")
	b.do(chromedp.EmulateViewport(1280, 900))
	b.calm("")

	stop()
	b.await("it says that the service has gone", `!document.getElementById('banner').hidden && document.body.classList.contains('stale')`)
	_, stop = startDoor(t, strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/"), "")
	b.await("it comes back", `document.getElementById('banner').hidden && document.getElementById('decided').textContent === '0'`)
	b.calm("net::ERR_")
}

// latencies demands that the median and the 99th percentile are shown under their title, in order and between a
// microsecond and a minute.
func (b *tab) latencies(title string) {
	b.t.Helper()
	b.await("the latencies are shown", `/\d m?s$/.test(document.getElementById('p50').textContent) && /\d m?s$/.test(document.getElementById('p99').textContent)`)
	if got := value[string](b, `document.getElementById('latency-title').textContent`); got != title {
		b.t.Errorf("the latency is called %q, want %q", got, title)
	}
	const seconds = `((id) => { const [, v, unit] = document.getElementById(id).textContent.match(/([\d.]+) (m?s)$/); return v / (unit === 'ms' ? 1e3 : 1); })`
	p50, p99 := value[float64](b, seconds+`('p50')`), value[float64](b, seconds+`('p99')`)
	if p50 < 0 || p99 < p50 || p99 < 1e-6 || p99 > 60 {
		b.t.Errorf("the page says p50 %v s, p99 %v s", p50, p99)
	}
}

// shown is what of the console's state the page is held against.
type shown struct {
	Model  struct{ Name, Version, SHA256, Golden string }
	Totals struct{ Score struct{ Counts []int64 } }
}

func stateOf(t *testing.T, url string) (s shown) {
	t.Helper()
	response, err := http.Get(url + "console/state")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// histogram demands a bar on the canvas for each bucket of the scores that is not empty. Bars are of the colour of what
// is live, and have gaps between them.
func (b *tab) histogram(url string) {
	b.t.Helper()
	filled := 0
	for _, n := range stateOf(b.t, url).Totals.Score.Counts {
		if n > 0 {
			filled++
		}
	}
	const bars = `(() => {
	  const canvas = document.querySelector('#chart-score canvas');
	  if (!canvas) return 0;
	  const { width, height } = canvas, { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
	  let runs = 0, inside = false;
	  for (let x = 0; x < width; x++) {
	    let blue = 0;
	    for (let y = 0; y < height; y++) { const i = 4 * (y * width + x); if (data[i + 3] > 100 && data[i + 2] > data[i] + 60) blue++; }
	    if (blue > 1 && !inside) runs++;
	    inside = blue > 1;
	  }
	  return runs;
	})()`
	if filled < 3 {
		b.t.Fatalf("the scores lie in %d buckets: too few to tell", filled)
	}
	b.await("a bar for each filled bucket of the scores", fmt.Sprintf("%s === %d", bars, filled))
}

// facts demands that the facts of the model are those of the state, the hash in full, and has these words.
func (b *tab) facts(url string, words ...string) {
	b.t.Helper()
	model := stateOf(b.t, url).Model
	if len(model.SHA256) != 64 || model.Golden == "" {
		b.t.Errorf("the model is %+v", model)
	}
	text := value[string](b, `document.getElementById('facts').innerText`)
	for _, word := range append(words, model.Name, model.Version, model.SHA256, model.Golden) {
		if !strings.Contains(text, word) {
			b.t.Errorf("the facts of the model lack %q:\n%s", word, text)
		}
	}
}

// TestConsoleAsksForToken opens the console of a service that has a token: the page asks for it, says so when it was another
// one, works with it, and does not ask again in the same tab.
func TestConsoleAsksForToken(t *testing.T) {
	const token = "sixteen characters"
	url, stop := startDoor(t, "127.0.0.1:0", token)
	defer stop()
	b := openTab(t, url)
	const asked = `!document.getElementById('login').hidden && document.activeElement.id === 'token' && document.getElementById('link').textContent === 'token needed'`
	b.await("it asks for the token", asked)
	if text := value[string](b, `document.getElementById('main').innerText + document.getElementById('model').textContent`); strings.Contains(text, "card-fraud") {
		t.Errorf("without the token the page shows\n%s", text)
	}
	b.picture("token")
	b.do(chromedp.KeyEvent("another token"), chromedp.KeyEvent("\r"))
	b.await("it says that this is another one", asked+` && document.getElementById('token-label').textContent.includes('not the token') && document.getElementById('token').value === ''`)
	b.do(chromedp.KeyEvent(token), chromedp.KeyEvent("\r"))
	b.await("it works", `document.getElementById('login').hidden && document.getElementById('link').textContent === 'live' && document.getElementById('model').textContent === 'card-fraud 2026-11-01'`)
	b.do(chromedp.Reload())
	b.await("it does not ask again", `document.getElementById('login').hidden && document.getElementById('link').textContent === 'live'`)
	b.calm("401")
}

// TestMarkupIsTextInBrowser sends events whose fields are markup, to a service that shows them: the page has them as text,
// of a decision as of a refused event, and nothing of them has become an element or has run.
func TestMarkupIsTextInBrowser(t *testing.T) {
	url, stop := startDoor(t, "127.0.0.1:0", "", "country", "channel")
	defer stop()
	b := openTab(t, url)
	b.await("it says what is shown", `document.querySelector('footer').innerText.includes('only those of country, channel are shown, masked')`)
	b.await("none are refused yet", `document.getElementById('refused-empty').innerText.includes('with the fields that may be shown')`)
	const image, script = `<img src=x onerror=window.ran=1>`, `<script>window.ran=1</script>`
	decided, refused := event(t, map[string]any{"country": image, "channel": script}), event(t, map[string]any{"country": image, "channel": script, "amount": "twelve"})
	post(t, url, refused)
	told := fmt.Sprintf("channel %s · country %s", script, image)
	for _, list := range []string{"decisions", "letters"} {
		inside := fmt.Sprintf(`[...document.querySelectorAll('#%s .fields')].some((e) => e.textContent === %q)`, list, told)
		for end := time.Now().Add(20 * time.Second); !value[bool](b, inside) && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			post(t, url, decided) // one that comes while the console wants one is shown
		}
		b.await("the fields are text in "+list, inside)
	}
	if got := value[int](b, `document.querySelectorAll('main img, main script').length + (window.ran ?? 0)`); got != 0 {
		t.Errorf("markup of an event has become %d elements, or has run", got)
	}
	b.readable("with fields")
	b.picture("fields")
	b.do(chromedp.EmulateViewport(390, 844))
	b.readable("with fields on a telephone")
	b.picture("fields-telephone")
	b.calm("")
}

// event is one of the cards' events with some fields changed.
func event(t *testing.T, changed map[string]any) []byte {
	t.Helper()
	line, _, _ := strings.Cut(string(drifting(1, 1)), "\n")
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatal(err)
	}
	maps.Copy(fields, changed)
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRunInBrowser opens the console of run itself, over a stream whose events hold card numbers: it has lag, positions,
// dead letters and masked decisions of its own, without the demo's page between.
func TestRunInBrowser(t *testing.T) {
	if os.Getenv("FRAUDSTREAM_CHROMIUM") == "" {
		t.Skip("skipped: FRAUDSTREAM_CHROMIUM names no Chromium")
	}
	s := openCards(t, "dlq: {breaker: {share: 1}}\n")
	b := openTab(t, s.url)
	b.await("the partition is read", `document.getElementById('partitions').innerText.includes('read')`)
	events := append(slices.Clone(s.good), s.bad...)
	s.send(events)
	b.await("all are counted", fmt.Sprintf(`document.getElementById('rate-note').textContent === '%d in all'`, len(events)))
	b.await("the refused ones are", fmt.Sprintf(`document.getElementById('refused').textContent === '%d' && document.querySelectorAll('#letters tr').length > 0`, len(s.bad)))
	b.await("the position is committed to the end", fmt.Sprintf(`[...document.querySelectorAll('#partitions td.number')].map((c) => c.textContent).join() === '%d,%d,0'`, len(events), len(events)))
	b.latencies("event to decision")
	b.facts(s.url+"/", "at-least-once", "transactions → decisions, transactions.dlq")
	const shown = `document.getElementById('decisions').innerText.includes('country 411111******1111')`
	for end := time.Now().Add(20 * time.Second); !value[bool](b, shown) && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		s.client.Produce(t.Context(), &kgo.Record{Value: []byte(s.good[1])}, nil)
	}
	b.await("a decision is shown with its fields, masked", shown)
	if found := leaks(value[string](b, `document.documentElement.outerHTML`)); len(found) > 0 {
		t.Errorf("card numbers have reached the page: %v", found)
	}
	b.picture("run")
	b.do(chromedp.EmulateViewport(390, 844))
	const wide = `(() => { // as of a topic of some years whose partition stands still; nothing is drawn in between
	  const [row] = document.querySelectorAll('#partitions tr');
	  row.className = 'paused';
	  row.cells[1].textContent = '19,999,999,999';
	  row.cells[row.cells.length - 1].textContent = 'standing still: letter_too_large';
	  return document.documentElement.scrollWidth - innerWidth;
	})()`
	if over := value[int](b, wide); over > 0 {
		t.Errorf("a paused partition makes the page %d pixels wider than a telephone", over)
	}
	b.calm("")
	s.end()
	b.await("it says that the service has gone", `!document.getElementById('banner').hidden`)
}

// TestDemoInBrowser watches the demo: the address comes first, and drift, poison and kill are seen as they happen.
func TestDemoInBrowser(t *testing.T) {
	if os.Getenv("FRAUDSTREAM_CHROMIUM") == "" {
		t.Skip("skipped: FRAUDSTREAM_CHROMIUM names no Chromium")
	}
	out, err := os.CreateTemp(t.TempDir(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	demo := exec.Command("fraudstream", "demo", "--plain", "--for", "45s", "--listen", "127.0.0.1:0")
	demo.Stdout, demo.Stderr = out, out
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = demo.Process.Signal(syscall.SIGTERM)
		_ = demo.Wait() // it may have ended, and well, by itself
	})
	said := func(pattern string) string {
		for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			text, _ := os.ReadFile(out.Name())
			if m := regexp.MustCompile(pattern).FindSubmatch(text); m != nil {
				return string(m[1])
			}
		}
		text, _ := os.ReadFile(out.Name())
		t.Fatalf("the demo does not say %s; it says\n%s", pattern, text)
		return ""
	}
	url := said(`\A   console  (http://127\.0\.0\.1:\d+/)\n`)
	b := openTab(t, url)
	b.await("both workers read", `[...document.querySelectorAll('#workers tbody tr')].filter((r) => r.innerText.includes('running')).length === 2`)
	if answer, err := exec.Command("sh", "-c", said(`(curl -s \S+predict \S+ \S+)`)).CombinedOutput(); err != nil || !strings.Contains(string(answer), `"status":"success"`) {
		t.Errorf("the line to try answers %s (%v)", answer, err)
	}
	b.await("the lag is a number", `/^[\d,]+$/.test(document.getElementById('lag').textContent)`)
	b.latencies("event to decision")
	b.facts(url, "exactly-once", "fraudstream-demo", "transactions → decisions, transactions.dlq")
	b.await("the drift is told", `document.getElementById('log').innerText.includes('drift: A gateway')`)
	b.await("its alarm is open", `document.getElementById('open-alarms').innerText.includes('amount')`)
	b.picture("drift")
	b.await("dead letters by code", `document.getElementById('refused').textContent === '5' && document.querySelectorAll('#codes code').length >= 4 && document.getElementById('codes').innerText.includes('bad_json')`)
	b.await("the kill", `document.getElementById('workers').innerText.includes('killed') && document.getElementById('log').innerText.includes('standing still, no reader')`)
	b.picture("kill")
	b.await("all partitions are read again", `[...document.querySelectorAll('#partitions tr')].filter((r) => r.innerText.includes('worker')).length === 4`)
	const number = `((cell) => Number(cell.textContent.replaceAll(',', '')))`
	b.await("each partition has a committed position that is no further than its end", `[...document.querySelectorAll('#partitions tr')].every((r) => `+
		number+`(r.cells[2]) > 0 && `+number+`(r.cells[2]) <= `+number+`(r.cells[3]))`)
	b.calm("")
}
