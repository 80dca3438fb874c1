package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"fraudstream/cmd/fraudstream/demo/cards"
	"fraudstream/cmd/fraudstream/web/console"
)

// Colours of the terminal. They are SGR sequences of ECMA-48, which all common terminals know.
const (
	reset  = "\x1b[0m"
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[1;31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
)

// A person can follow some eight lines in a second; a blocked payment may come between.
const (
	pace      = 125 * time.Millisecond
	blockPace = 600 * time.Millisecond
)

// A screen writes the show. Lines scroll; on a terminal the last line is a status that stays. All methods with
// a capital letter may be called by any goroutine. Without colour it writes lines and nothing else, so its
// output can be piped into a file or a test.
type screen struct {
	mu     sync.Mutex
	out    io.Writer
	plain  bool
	status string
	tell   func(kind, text string) // that the console shows as well; nil: nobody

	lastDecision time.Time
	lastBlock    time.Time
}

// Line writes one line.
func (s *screen) Line(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(fmt.Sprintf(format, args...))
}

// write puts a line above the status. The caller holds the lock.
func (s *screen) write(line string) {
	if s.status == "" {
		fmt.Fprintln(s.out, line)
		return
	}
	fmt.Fprintf(s.out, "\r\x1b[2K%s\n%s", line, s.status)
}

// Scene writes a heading and what is about to happen. The rule fills the line, so that all headings end at one
// column.
func (s *screen) Scene(sign, title, text string) {
	s.told(console.Scene, title+": "+text)
	s.heading(sign, title, text)
}

// heading writes one that is no part of the script.
func (s *screen) heading(sign, title, text string) {
	if !s.plain {
		title = sign + " " + title
	}
	rule := strings.Repeat(s.either("─", "-"), max(0, 84-len([]rune(title))))
	s.Line("\n%s", s.paint(bold+cyan, s.either("── ", "-- ")+title+" "+rule))
	s.Line("   %s", s.paint(cyan, text))
}

// Note writes a line that matters.
func (s *screen) Note(format string, args ...any) {
	s.told(console.Note, fmt.Sprintf(format, args...))
	s.Line("   %s %s", s.paint(cyan, s.either("▸", ">")), fmt.Sprintf(format, args...))
}

// told passes on what matters.
func (s *screen) told(kind, text string) {
	if s.tell != nil {
		s.tell(kind, text)
	}
}

// Status shows a line that stays below the others: every other line wipes it, takes its place and writes it again
// underneath. It must fit into 80 columns, for a line that wraps could not be wiped. Without a terminal it is just
// another line.
func (s *screen) Status(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plain {
		s.write("   " + line)
		return
	}
	s.status = s.paint(dim, "   "+line)
	fmt.Fprintf(s.out, "\r\x1b[2K%s", s.status)
}

// Settle takes the status away.
func (s *screen) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status != "" {
		fmt.Fprint(s.out, "\r\x1b[2K")
	}
	s.status = ""
}

// Decision writes one decision, unless the last one was written too short a time ago: what scrolls by is a sample,
// with more blocked payments in it than there are.
func (s *screen) Decision(tx *cards.Transaction, d *decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	block := d.Verdict == "block"
	if now.Sub(s.lastDecision) < pace && (!block || now.Sub(s.lastBlock) < blockPace) {
		return
	}
	s.lastDecision = now
	if block {
		s.lastBlock = now
	}
	colour := map[string]string{"block": red, "review": yellow}[d.Verdict]
	if colour == "" {
		colour = green
	}
	s.write(fmt.Sprintf("   %s  %-11s  %-13s  %s %11.2f EUR  %s %s",
		tx.AppendID(nil), tx.Channel, tx.MerchantCategory(), tx.Country, tx.Amount,
		s.paint(colour, s.bar(d)), s.paint(colour, fmt.Sprintf("%.3f  %s", d.Score, strings.ToUpper(d.Verdict)))))
}

// bar draws a score in ten cells. Fraud is rare, so the thresholds lie low; each part of the range gets its share of
// the bar: four cells up to review, three up to block, three above. The half that is added rounds to the
// nearest cell.
func (s *screen) bar(d *decision) string {
	review, block := d.Thresholds.Review, d.Thresholds.Block
	var cells float64
	switch {
	case d.Score < review:
		cells = 4 * d.Score / review
	case d.Score < block:
		cells = 4 + 3*(d.Score-review)/(block-review)
	default:
		cells = 7 + 3*(d.Score-block)/(1-block)
	}
	full := min(max(int(cells+.5), 0), 10)
	return strings.Repeat(s.either("█", "#"), full) + strings.Repeat(s.either("░", "."), 10-full)
}

// Alarm writes what has drifted, in the monitor's own words. Evidence and threshold are natural logarithms, as
// the monitor's report has them.
func (s *screen) Alarm(a *alarm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	most, _, _ := strings.Cut(a.Text, "; ")
	s.write(fmt.Sprintf("   %s %s", s.paint(cyan, s.either("▸", ">")), s.paint(red, "drift alarm: "+shortened(most, 80))))
	s.write("     " + s.paint(dim, fmt.Sprintf("%s; evidence %.1f, threshold %.1f; tick %d of the pool",
		map[string]string{"page": "pages somebody", "warning": "a ticket"}[a.Severity], a.LogM, a.Threshold, a.Tick)))
}

// paint puts a text into a colour, where colours are wanted.
func (s *screen) paint(colour, text string) string {
	if s.plain {
		return text
	}
	return colour + text + reset
}

// either chooses between a sign that needs Unicode and a plain one.
func (s *screen) either(rich, plain string) string {
	if s.plain {
		return plain
	}
	return rich
}
