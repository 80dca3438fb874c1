package demo

import (
	"fmt"
	"strconv"
	"time"
)

// thousands writes n with separators: 21,430.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// shortened is text of at most n characters. Characters are counted and not bytes, for it is the width on a
// terminal that matters.
func shortened(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}

// figure is a number for people, where there is one.
func figure(x float64, known bool) string {
	if !known {
		return "not yet"
	}
	return fmt.Sprintf("%.3f", x)
}

// shareSince is the share of one verdict among the decisions between two counts. before may be nil, which
// counts from the beginning. It is a percentage with one decimal, 0.0 where nothing was decided.
func shareSince(before, after map[string]int64, verdict string) string {
	var all int64
	for v, n := range after {
		all += n - before[v]
	}
	if all == 0 {
		return "0.0 %"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(after[verdict]-before[verdict])/float64(all))
}

// milliseconds writes a latency with one decimal: 3.4 ms.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
