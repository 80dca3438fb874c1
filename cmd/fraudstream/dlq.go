package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/schollz/progressbar/v3"

	"fraudstream/consumer"
	"fraudstream/consumer/deadletter"
)

// dlqCommand looks at the dead letters, sends them back, and ends a pause of the breaker.
//
// A dead letter is an event that could not be scored: its bytes, if dlq.mode lets them, with the reason and its
// origin in headers. The way is to list them, by code and time; to mend what made them fail, which is the mapping,
// the model or the producer; and to replay them. Resume comes before that, where so many events fail that the stream
// has paused rather than write letters: it says that they are to be letters after all.
type dlqCommand struct {
	List   dlqListCommand   `cmd:"" help:"List dead letters, without what is in them."`
	Replay dlqReplayCommand `cmd:"" help:"Send dead letters back to the input topic, each once, however often this is run or killed."`
	Resume dlqResumeCommand `cmd:"" help:"Let a stream that the breaker has paused go on: failing events that are there now become dead letters."`
}

// letterFilter are the flags by which letters are picked. List and replay share them, so that what was listed is what
// will be sent back. Those that are given hold together: a letter has to pass all of them. Times are those at which
// letters were written, not those of their events.
type letterFilter struct {
	Code      []string `help:"Only these error codes." placeholder:"CODE,…"`
	Partition []int32  `help:"Only these partitions of the dead-letter topic." placeholder:"N,…"`
	Since     string   `help:"Written since then: a time such as 2026-11-01T00:00:00Z, or a duration such as 2h." placeholder:"TIME"`
	Until     string   `help:"Written before then." placeholder:"TIME"`
	Limit     int      `help:"At most so many; 0 is all." placeholder:"N"`
}

// filter reads the flags; now is what durations count back from. Its errors are about the command line. A duration
// such as 2h is counted back from the start of the command, not from each letter.
func (f *letterFilter) filter(now time.Time) (deadletter.Filter, error) {
	since, err := parseMoment("--since", f.Since, now)
	if err != nil {
		return deadletter.Filter{}, err
	}
	until, err := parseMoment("--until", f.Until, now)
	if err != nil {
		return deadletter.Filter{}, err
	}
	if f.Limit < 0 {
		return deadletter.Filter{}, errors.New("--limit must not be negative")
	}
	return deadletter.Filter{Codes: f.Code, Partitions: f.Partition, Since: since, Until: until, Limit: f.Limit}, nil
}

// parseMoment reads a time, or how long ago it was; nothing gives the zero time, which bounds nothing. The flag is
// for the error.
func parseMoment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%s %q is neither a time such as 2026-11-01T00:00:00Z nor a duration such as 2h", flag, text)
	}
	return t, nil
}

// dlqListCommand prints letters: when, why, of which event. What is in them are payments of people, and is shown only
// when it is asked for, and masked. It reads the topic from its beginning, or from --since, up to the end that it has
// at the start, without a group and without committing anything.
type dlqListCommand struct {
	clusterFlags
	letterFilter
	Last   int  `help:"Only the newest N of them, oldest first." placeholder:"N"`
	JSON   bool `help:"Print a JSON object per letter." name:"json"`
	Values bool `help:"Also print the values, masked but for the fields in dlq.keep and privacy.show; of an id its hash or last characters."`
}

// shownLetter is a letter as it is printed. Its texts have been masked, and its value is there only if it was asked
// for. The pointer is to a copy, so the letter that was read is not changed.
type shownLetter struct {
	*deadletter.Letter
	Value string `json:"value,omitempty"` // masked
}

// Run prints a table, or JSON lines: partition by partition in the order in which the letters were written or, with
// --last, all by time.
func (c *dlqListCommand) Run(ctx context.Context, s streams) error {
	filter, err := c.filter(time.Now())
	if err == nil && (c.Last < 0 || c.Last > 0 && c.Limit > 0) {
		err = errors.New("--last must not be negative, and goes without --limit")
	}
	if err != nil {
		return &exitError{exitUsage, err}
	}
	config, stream, err := c.connect(s)
	if err != nil {
		return err
	}
	mask := config.newLetterMask()
	show, finish := letterTable(s.out, c.Values)
	if c.JSON {
		show, finish = letterLines(s.out)
	}
	if c.Last > 0 {
		show, finish = newest(c.Last, show, finish)
	}
	var failed error
	err = stream.Letters(ctx, filter, func(l *deadletter.Letter) bool {
		failed = show(mask.letter(l, c.Values))
		return failed == nil
	})
	return setupFailure(errors.Join(err, failed, finish()))
}

// newest holds letters back until the list is at its end, and then shows the last n by time. It holds 2n at most,
// however many there are: when it has so many, it sorts them and drops the older half. It wraps a way of showing
// letters, and is one itself.
func newest(n int, show func(shownLetter) error, finish func() error) (func(shownLetter) error, func() error) {
	var held []shownLetter
	trim := func() {
		slices.SortStableFunc(held, func(a, b shownLetter) int { return a.Time.Compare(b.Time) })
		held = held[max(0, len(held)-n):]
	}
	keep := func(l shownLetter) error {
		letter := *l.Letter // the one that is shown is used again for the next
		if held = append(held, shownLetter{&letter, l.Value}); len(held) >= 2*n {
			trim()
		}
		return nil
	}
	return keep, func() error {
		trim()
		for _, l := range held {
			if err := show(l); err != nil {
				return err
			}
		}
		return finish()
	}
}

// letterLines prints a JSON object a line. Nothing is held back: a list of millions can be piped into something that
// reads it line by line.
func letterLines(out io.Writer) (show func(shownLetter) error, finish func() error) {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return func(l shownLetter) error { return e.Encode(l) }, func() error { return nil }
}

// letterTable prints a table, whose columns are lined up when all letters are known: finish prints it. The column
// LETTER is partition and offset on the dead-letter topic, EVENT is where the event stands on the input.
func letterTable(out io.Writer, values bool) (show func(shownLetter) error, finish func() error) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	head := "WRITTEN\tCODE\tFIELD\tEVENT\tLETTER\tMESSAGE"
	if values {
		head += "\tVALUE"
	}
	fmt.Fprintln(table, head)
	return func(l shownLetter) error {
		columns := []string{
			l.Time.Format(time.RFC3339), l.Code, l.Field, l.Source.String(), fmt.Sprintf("%d/%d", l.Partition, l.Offset), l.Message,
		}
		if values {
			columns = append(columns, l.Value)
		}
		for i := range columns {
			columns[i] = printable(columns[i])
		}
		_, err := fmt.Fprintln(table, strings.Join(columns, "\t"))
		return err
	}, table.Flush
}

// printable takes out what would move the cursor, since anybody may write to the topic.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, text)
}

// dlqReplayCommand sends letters back to the input topic, when what made them fail has been mended. It remembers in
// Kafka which it has sent, and so it may be run again, or killed and run again. The rate keeps a million old events
// from standing before the new ones. What is replayed is scored by the model and the mapping of today, and its
// decision has the id that it would have had.
type dlqReplayCommand struct {
	clusterFlags
	letterFilter
	Rate   float64 `help:"Letters per second; 0 is as fast as possible." default:"1000" placeholder:"N"`
	DryRun bool    `help:"Only count."`
	JSON   bool    `help:"Print JSON." name:"json"`
}

// Run replays, with a bar where somebody looks. Letters whose event is gone make it end with code 3.
func (c *dlqReplayCommand) Run(ctx context.Context, s streams) error {
	filter, err := c.filter(time.Now())
	if err == nil && !(c.Rate >= 0 && c.Rate <= 1e9) {
		err = errors.New("--rate must be between 0 and a billion")
	}
	if err != nil {
		return &exitError{exitUsage, err}
	}
	_, stream, err := c.connect(s)
	if err != nil {
		return err
	}
	show, finish := replayBar(s.err)
	done, err := stream.Replay(ctx, consumer.Replay{Filter: filter, Rate: c.Rate, DryRun: c.DryRun, Progress: show})
	finish()
	if printed := c.print(s.out, done); err == nil {
		err = printed
	}
	if err != nil {
		return setupFailure(err)
	}
	if done.Gone > 0 {
		return &exitError{exitFindings, fmt.Errorf("%d events are gone from the input topic and cannot be replayed", done.Gone)}
	}
	return nil
}

// print says what has become of the letters, also of those before an error. foreign are letters of another input, or
// of nobody knows which; they are counted and left alone.
func (c *dlqReplayCommand) print(out io.Writer, done consumer.Replayed) error {
	if c.JSON {
		return printJSON(out, done)
	}
	verb := "replayed"
	if c.DryRun {
		verb = "would_be_replayed"
	}
	_, err := fmt.Fprintf(out, "%s=%d replayed_before=%d gone=%d foreign=%d\n", verb, done.Replayed, done.Before, done.Gone, done.Foreign)
	return err
}

// replayBar is a bar over the letters looked at, of which those that the filter picks are replayed; silent where
// nobody looks. It is made with the first figures, which say how many there are. It is told by the goroutine that
// replays, at its own pace.
func replayBar(w io.Writer) (show func(consumer.Replayed), finish func()) {
	if !isTerminal(w) {
		return nil, func() {}
	}
	var bar *progressbar.ProgressBar
	return func(r consumer.Replayed) {
			if bar == nil {
				bar = progressbar.NewOptions64(max(r.Total, 1), progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(30),
					progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
			}
			bar.Describe(fmt.Sprintf("%d replayed", r.Replayed))
			_ = bar.Set64(r.Looked) // the bar is for the eye alone
		}, func() {
			if bar != nil {
				_ = bar.Finish()
			}
		}
}

// dlqResumeCommand is what whoever is on call says after looking: that so many events fail is right, and they are to
// become dead letters. It speaks through the offsets of a group, which every process of the service reads, and so it
// can be run anywhere.
type dlqResumeCommand struct {
	clusterFlags
	JSON bool `help:"Print JSON." name:"json"`
}

// Run prints up to where failing events are accepted. Events that fail behind those offsets are judged by the breaker
// anew: it is no switch that stays off.
func (c *dlqResumeCommand) Run(ctx context.Context, s streams) error {
	config, stream, err := c.connect(s)
	if err != nil {
		return err
	}
	accepted, err := stream.Accept(ctx)
	if err != nil {
		return setupFailure(err)
	}
	if c.JSON {
		return printJSON(s.out, accepted)
	}
	partitions := make([]int32, 0, len(accepted))
	for p := range accepted {
		partitions = append(partitions, p)
	}
	slices.Sort(partitions)
	for _, p := range partitions {
		fmt.Fprintf(s.out, "%s/%d: failing events before offset %d become dead letters\n", config.Kafka.Input, p, accepted[p])
	}
	return nil
}

// setupFailure gives what a restart cannot mend its exit code; any other error stays as it is. A missing topic or a
// right that was not granted is the former; a broker that is away the latter.
func setupFailure(err error) error {
	if _, ok := errors.AsType[*consumer.SetupError](err); ok {
		return &exitError{exitConfig, err}
	}
	return err
}
