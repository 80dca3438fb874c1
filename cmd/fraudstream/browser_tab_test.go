//go:build browser

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a page in a browser, and what the browser has complained of.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// openTab starts Chromium and opens the page.
func openTab(t *testing.T, url string) *tab {
	t.Helper()
	path := os.Getenv("FRAUDSTREAM_CHROMIUM")
	if path == "" {
		t.Skip("skipped: FRAUDSTREAM_CHROMIUM names no Chromium")
	}
	allocated, end := chromedp.NewExecAllocator(t.Context(), append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)...)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	b.do(chromedp.EmulateViewport(1280, 900))
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Func(func(ctx context.Context, at *chromedp.Target) error {
		_, err := cdp.Call(ctx, at, log.Enable, cdp.Empty{})
		return err
	}), chromedp.Navigate(url))
	return b
}

// hear keeps errors and warnings of scripts, of the policy and of the network.
func (b *tab) hear(event any) {
	said := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		said = "exception: " + e.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			said = fmt.Sprintf("console: %s", e.Args[0].Value)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			said = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	}
	if said != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.complaints = append(b.complaints, said)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// await waits until an expression of the page is true.
func (b *tab) await(what, expression string) {
	b.t.Helper()
	for end := time.Now().Add(60 * time.Second); !value[bool](b, expression); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			b.picture("failed")
			b.t.Fatalf("%s: %s is not true after a minute; the page says\n%s", what, expression, value[string](b, "document.body.innerText"))
		}
	}
}

// value is what an expression of the page is worth.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// picture keeps the whole page as a PNG, where go test is told to keep what tests make (-artifacts).
func (b *tab) picture(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// scheme makes the page light or dark.
func (b *tab) scheme(name string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, at *chromedp.Target) error {
		_, err := cdp.Call(ctx, at, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	}))
}

// calm demands that the browser had nothing to complain of, but for what is expected.
func (b *tab) calm(expected string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		if expected == "" || !strings.Contains(c, expected) {
			b.t.Errorf("the browser says: %s", c)
		}
	}
}

// readable demands that texts stand out from their ground as WCAG 2.2 asks for (level AA, 4.5 to 1), and that nothing is
// wider than the window.
func (b *tab) readable(what string) {
	b.t.Helper()
	if wide := value[int](b, "document.documentElement.scrollWidth - innerWidth"); wide > 0 {
		b.t.Errorf("%s: the page is %d pixels wider than the window", what, wide)
	}
	const contrasts = `(() => {
	  const probe = document.createElement('canvas').getContext('2d');
	  const light = (name) => {
	    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
	    const n = parseInt(probe.fillStyle.slice(1), 16);
	    const [r, g, b] = [n >> 16, n >> 8 & 255, n & 255].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
	    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	  };
	  const poor = [];
	  for (const ground of ['card', 'paper']) for (const ink of ['ink', 'soft', 'alarm', 'warn', 'calm']) {
	    const [a, b] = [light(ground), light(ink)].sort((x, y) => y - x);
	    const ratio = (a + 0.05) / (b + 0.05);
	    if (!(ratio >= 4.5)) poor.push(ink + ' on ' + ground + ': ' + ratio.toFixed(2));
	  }
	  return poor.join(', ');
	})()`
	if poor := value[string](b, contrasts); poor != "" {
		b.t.Errorf("%s: too little contrast: %s", what, poor)
	}
}
