package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fraudstream/cmd/fraudstream/web"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// update writes the golden page anew, for whoever has changed the template on purpose and has looked at it in a browser.
var update = flag.Bool("update", false, "write the page that is kept in testdata again")

// testBacktest is a backtest whose rows the test makes up: every feature but the last is a number between 0 and 1 in 24
// equal bins, the last is a category, and so is nothing else.
type testBacktest struct {
	*backtest
	row []float64
	n   int64
}

// newTestBacktest makes one of so many features, of ticks of 20 events. The names of the category are what somebody would
// choose who wants a page to run them.
func newTestBacktest(t *testing.T, features int) *testBacktest {
	t.Helper()
	options := drift.Options{TickEvents: 20}
	for i := range features - 1 {
		f := drift.Feature{
			Name: fmt.Sprintf("number_%02d", i+1), HasRange: true, Max: 1, HasMoments: true, Mean: 0.5, Std: 0.2887,
			Tolerance: 0.05,
		}
		for bin := range 24 {
			if bin > 0 {
				f.Edges = append(f.Edges, float64(bin)/24)
			}
			f.Counts = append(f.Counts, 100_000)
			f.Sums = append(f.Sums, 100_000*(float64(bin)+0.5)/24)
		}
		options.Features = append(options.Features, f)
	}
	options.Features = append(options.Features, drift.Feature{
		Name: `<script>alert("1")</script>`, Categorical: true, Tolerance: 0.3,
		Values: []float64{0, 1}, Labels: []string{"</title><b>GB", `" onload="x`}, Counts: []int64{600_000, 400_000}, KnownGiven: true,
	})
	monitor, err := drift.NewMonitor(options)
	if err != nil {
		t.Fatal(err)
	}
	return &testBacktest{backtest: newBacktest(monitor, options), row: make([]float64, features)}
}

// feed observes a row whose numbers follow each other through the bins; of share of the rows the first is 0.99.
func (b *testBacktest) feed(t *testing.T, share float64) {
	t.Helper()
	b.n++
	for i := range b.row {
		_, b.row[i] = math.Modf(float64(b.n) * 0.6180339887498949 * float64(i+1))
	}
	if _, x := math.Modf(float64(b.n) * 0.7548776662466927); x < share {
		b.row[0] = 0.99
	}
	b.row[len(b.row)-1] = float64(b.n % 2)
	r := scoring.Result{X: b.row, Time: b.n * 1e9}
	r.Decision.HasTime = true
	if err := b.observe(b.n, &r); err != nil {
		t.Fatal(err)
	}
}

// pageOf writes the page of a backtest and returns it.
func pageOf(t *testing.T, b *testBacktest) string {
	t.Helper()
	f := findings{
		DriftReport: web.NewDriftReport(b.finish(), &scoring.Bundle{Name: "card & fraud", Version: "2026-11-01", SHA256: "9f2c"}),
		backtest:    b.backtest, input: "rows<1>.csv",
	}
	path := filepath.Join(t.TempDir(), "page.html")
	if err := f.writePage(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// driftedPage is the page of a file in which the first feature drifts from its third quarter on.
func driftedPage(t *testing.T, features, rows int) string {
	t.Helper()
	b := newTestBacktest(t, features)
	for i := range rows {
		share := 0.0
		if i > rows/2 && i < 3*rows/4 {
			share = 0.5
		}
		b.feed(t, share)
	}
	return pageOf(t, b)
}

// TestPageHasEveryFeatureAndIsSmall counts what stands on a page of 30 features: a card, a curve and a bar for each bin, the
// drifting one first, in less than a megabyte.
func TestPageHasEveryFeatureAndIsSmall(t *testing.T) {
	page := driftedPage(t, 30, 20_000)
	if len(page) > 1_000_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
	t.Logf("30 features, 1,000 intervals: %d bytes", len(page))
	if n := strings.Count(page, `<section class="card block"`); n != 30 {
		t.Errorf("%d cards", n)
	}
	for i := range 29 {
		name := fmt.Sprintf("number_%02d", i+1)
		if strings.Count(page, ">"+name+"<") < 2 {
			t.Errorf("%s is not in the table and on a card", name)
		}
	}
	if first := regexp.MustCompile(`<h3>([^<]*)</h3>`).FindStringSubmatch(page); first[1] != "number_01" {
		t.Errorf("the first card is %s", first[1])
	}
	if n := strings.Count(page, `class="curve values"`); n != 30 {
		t.Errorf("%d curves of evidence", n)
	}
	if n := strings.Count(page, `<rect class="live"`); n != 29*24 {
		t.Errorf("%d bars", n)
	}
}

// TestPageNeedsNothingElse looks for whatever would make a browser fetch something, and for what would run.
func TestPageNeedsNothingElse(t *testing.T) {
	page := driftedPage(t, 3, 4000)
	for _, forbidden := range []string{"http:", "https:", "//", "src=", "url(", "@import", "<link", "<script", "<iframe", "javascript:", "onload=\"x"} {
		if at := strings.Index(page, forbidden); at >= 0 {
			t.Errorf("the page has %q: …%s…", forbidden, page[max(0, at-40):min(len(page), at+40)])
		}
	}
	if !strings.Contains(page, "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;") {
		t.Error("the name of the feature is not there as text")
	}
}

// TestPageIsWellFormed reads the page as XML that closes its void elements, and follows its links.
func TestPageIsWellFormed(t *testing.T) {
	page := driftedPage(t, 4, 4000)
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var open, ids, links []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token.Name.Local)
			for _, a := range token.Attr {
				if a.Name.Local == "id" {
					ids = append(ids, a.Value)
				}
				if a.Name.Local == "href" {
					links = append(links, strings.TrimPrefix(a.Value, "#"))
				}
			}
		case xml.EndElement:
			if open[len(open)-1] != token.Name.Local {
				t.Fatalf("</%s> closes <%s>", token.Name.Local, open[len(open)-1])
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 || len(ids) != 4 || len(links) < 5 {
		t.Errorf("left open %v, ids %v, links %v", open, ids, links)
	}
	for _, link := range links {
		if !slices.Contains(ids, link) {
			t.Errorf("a link leads to %s, which is not there", link)
		}
	}
}

// TestPageLooksAsItDid compares what stands in the page's body with the kept one; -update keeps the new one.
func TestPageLooksAsItDid(t *testing.T) {
	page := driftedPage(t, 2, 2000)
	_, body, _ := strings.Cut(page, "<main>")
	const path = "testdata/drift_page.golden.html"
	if *update {
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(body)) {
		t.Errorf("the page has changed; look at it, and run the test with -update if it is right:\n%s", body)
	}
}

// TestPageOfManyAlarms has more drifts than fit a list.
func TestPageOfManyAlarms(t *testing.T) {
	b := newTestBacktest(t, 2)
	for i := range 60 {
		b.episodes = append(b.episodes, episode{closedTick: int64(i + 2), Episode: drift.Episode{
			State: drift.EpisodeClosed, Alarm: drift.Alarm{Feature: "number_01", Kind: kindValues, Tick: int64(i + 1), Event: int64(20 * (i + 1))},
		}})
	}
	for range 100 {
		b.feed(t, 0)
	}
	page := pageOf(t, b)
	for _, want := range []string{"60 drift alarms, 0 still open at the end", "… and 10 later alarms", "event 1,000"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(page, "event 1,020") {
		t.Error("the list is not cut")
	}
	// 100 events are 5 ticks, of which the first alarm lasted one.
	if strings.Count(page, `<rect class="open"`) != 60 || !strings.Contains(page, `<rect class="open" x="0" y="0" width="1" height="100">`) {
		t.Error("an alarm is not marked from its beginning to its end")
	}
}

// TestPageOfNothing has no complete interval and no figure.
func TestPageOfNothing(t *testing.T) {
	b := newTestBacktest(t, 2)
	b.feed(t, 0)
	page := pageOf(t, b)
	for _, want := range []string{"<h1>No drift alarm</h1>", "1 event in 0 intervals", "not watched"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(page, "NaN") || strings.Contains(page, "ZgotmplZ") {
		t.Error("the page has figures that are none")
	}
}

// TestEdgeLabelsFit holds the labels of an axis against the width of a telephone, on which some 45 of their characters have
// room: short labels stand at most of the edges, long ones at few, and none is written into the next.
func TestEdgeLabelsFit(t *testing.T) {
	for name, edges := range map[string][]float64{
		"short":  {1, 2, 3, 4, 5, 6, 7},
		"long":   {0.00117, 0.00137, 0.00157, 0.0019, 0.00272, 0.00426, 0.0102},
		"longer": {-1.23e-10, -1.22e-10, -1.21e-10, -1.2e-10},
		"many":   slices.Repeat([]float64{123}, 60),
		"one":    {1e-7},
		"none":   {},
	} {
		const characters = 45
		labels := edgeLabels(edges, len(edges)+1)
		if len(edges) > 0 && len(labels) == 0 {
			t.Errorf("%s: no label", name)
		}
		for i, l := range labels[min(len(labels), 1):] {
			before := labels[i]
			if between, need := (l.At-before.At)*characters/100, float64(len(l.Text)+len(before.Text))/2; between < need+0.5 {
				t.Errorf("%s: %s and %s are %.1f characters from middle to middle, and need %.1f", name, before.Text, l.Text, between, need)
			}
		}
	}
}
