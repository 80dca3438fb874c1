package batch

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is a bar with the rows per second and the time that is left; silent where nobody looks. How many rows a
// text has nobody knows before its end, and so its bar counts the bytes that come off the disk, as a writer that they
// are copied to. A table lists its rows, and its bar counts those. It is written to by the reader and told rows by
// the one that delivers; the bar has a lock of its own.
type progress struct {
	bar    *progressbar.ProgressBar
	began  time.Time
	byRows bool // the bar is over rows, else over bytes
}

// newProgress is a bar over size bytes on w; one that shows nothing where the size is unknown or w is nil.
func newProgress(w io.Writer, size int64) *progress {
	if size <= 0 || w == nil {
		return &progress{}
	}
	return &progress{began: time.Now(), bar: progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(),
	)}
}

// Write counts bytes that were read.
func (p *progress) Write(b []byte) (int, error) {
	if p.bar == nil || p.byRows {
		return len(b), nil
	}
	return len(b), p.bar.Add(len(b))
}

// rows writes the number of rows so far, and how many that were in a second, beside the bar.
func (p *progress) rows(n int64) {
	if p.bar == nil {
		return
	}
	p.bar.Describe(fmt.Sprintf("%d rows, %.0f rows/s", n, float64(n)/time.Since(p.began).Seconds()))
	if p.byRows {
		_ = p.bar.Set64(n) // the bar is for the eye alone
	}
}

// finish takes the bar away, so that what is printed next does not stand in its line.
func (p *progress) finish() {
	if p != nil && p.bar != nil {
		_ = p.bar.Finish() // the bar is for the eye alone
	}
}
