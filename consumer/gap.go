package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// Reset says where a partition goes on when the broker does not have the offset that is next: retention has been faster
// than the stream, or the topic was made anew. Whatever it says, what is passed over is counted, logged and alerted.
type Reset string

// The policies; the empty one is ResetEarliest.
const (
	ResetEarliest Reset = "earliest" // at the first record that is left
	ResetLatest   Reset = "latest"   // at the end: what waited is old news
	ResetStop     Reset = "stop"     // not at all, until somebody names the offset: see [Consumer.Skip]
)

// The reasons of a gap, and of a pause before one.
const (
	outOfRange   = "out_of_range"
	corruptBatch = "corrupt_batch"
)

// gapType is the CloudEvents type of the alerts about gaps.
const gapType = "fraudstream.offset.alert.v1"

// errContradiction is a broker that says of one offset that it is out of range, and that it is not. It is waited out with
// the code of the former. What does not pass after a few attempts has the partition stand before the offset, with its
// alert, and each further attempt asks again: so nothing is decided twice or passed over for an answer that cannot be true.
var errContradiction = fmt.Errorf("the offset is in the partition and the broker refuses it: %w", kafka.OffsetOutOfRange)

// gap is a stretch of a partition that is passed over, or, where nothing is lost and next is from, an offset that the
// partition stands before. It goes down the pipeline as a run without events: so its alert is acknowledged before the
// offset moves, and it is counted when both are done.
type gap struct {
	reason     string
	from, next int64
	lost       int64 // offsets that will not be decided
}

// afterRange applies the policy to an offset that the broker says is out of range. What the monitor alone had still to
// see is not lost but unseen, and no matter for a policy. stop is true where somebody has to decide.
//
// Where the offset is in the partition after all the broker contradicts itself, as a replica may that has just become the
// leader. There is no gap then, so no policy applies: the error is errContradiction. The partition ends at its high
// watermark for that question: its last stable offset may lie before a position that was reached, while a leader does not
// yet know how far transactions have ended.
func (c *Consumer) afterRange(ctx context.Context, p *partition, offset int64) (g gap, stop bool, err error) {
	firsts, err := c.listOffsets(ctx, c.o.Input, kafka.FirstOffset, p.id)
	if err != nil {
		return g, false, err
	}
	ends, err := c.listOffsets(ctx, c.o.Input, kafka.LastOffset, p.id)
	if err != nil {
		return g, false, err
	}
	marks, err := c.listOffsetsAs(ctx, readUncommitted, c.o.Input, kafka.LastOffset, p.id)
	if err != nil {
		return g, false, err
	}
	first, end := firsts[p.id], ends[p.id]
	g = gap{outOfRange, offset, first, 0}
	undecided := max(offset, p.published)
	there := first <= undecided && undecided <= max(end, marks[p.id])
	if offset < undecided && there {
		c.sayUnseen(p.state.name(), offset, first)
		return g, false, nil
	}
	if there {
		return g, false, errContradiction
	}
	switch c.o.Reset {
	case ResetStop:
		return g, true, nil
	case ResetLatest:
		g.next = end
	}
	g.lost = max(g.next-undecided, 0)
	if end < undecided { // made anew or cut short: what is there now is not what was decided
		g.lost = g.next - first
	}
	c.o.Log.Error("offset out of range, going on by policy", slog.String("topic", c.o.Input),
		slog.Int("partition", int(p.id)), slog.Int64("offset", offset), slog.Int64("next", g.next),
		slog.String("policy", string(c.o.Reset)), slog.Int64("records_lost", g.lost))
	return g, false, nil
}

// outOfRange finds where to go on. It hands w on over a gap, or ends the pipeline, which then starts again further
// back.
func (f *fetcher) outOfRange(ctx context.Context, w *run) (handOn bool, err error) {
	g, stop, err := f.p.c.afterRange(ctx, f.p, f.next)
	switch {
	case errors.Is(err, errContradiction) && f.tries.attempts >= pausedAfter:
		if handOn, err = f.stand(ctx, w, outOfRange, err); handOn || err != nil {
			return handOn, err
		}
		err = errContradiction
	case err != nil:
	case stop:
		if handOn, err = f.stand(ctx, w, outOfRange, kafka.OffsetOutOfRange); handOn || err != nil {
			return handOn, err
		}
		err = kafka.OffsetOutOfRange
	case g.next <= f.next:
		f.p.rewound = g
		return false, errRewound
	default:
		f.pass(w, g)
		return true, nil
	}
	if errors.Is(err, errContradiction) {
		f.p.c.resetPool() // somebody else may be the leader by now
	}
	return false, f.tries.wait(ctx, err)
}

// pass makes w the run that moves the partition over a gap.
func (f *fetcher) pass(w *run, g gap) {
	w.reset(f.next)
	w.next, w.gap = g.next, &g
	f.next = g.next
	f.tries.done()
}

// stand is called before an offset that cannot be read, again and again. It hands w on where somebody has named the
// offset to go on at, and once to raise the alert. Events that an earlier owner of the partition has decided are only
// the monitor's concern, and are passed over without anybody's word.
func (f *fetcher) stand(ctx context.Context, w *run, reason string, cause error) (handOn bool, err error) {
	p, c := f.p, f.p.c
	if reason == corruptBatch && f.next < p.published {
		c.sayUnseen(p.state.name(), f.next, p.published)
		f.pass(w, gap{corruptBatch, f.next, p.published, 0})
		return true, nil
	}
	to, named, err := c.skipTo(ctx, p.id, f.next)
	switch {
	case err != nil && ctx.Err() == nil:
		c.quiet.warn("skip", "cannot ask whether somebody has named the offset to go on at",
			slog.String("group", c.skipGroup()), slog.Any("error", err), slog.String("advice", "grant Read on this group"))
	case named:
		g := gap{reason, f.next, to, max(to-f.next, 0)}
		c.o.Log.Warn("going on at the offset that was named", slog.String("partition", p.state.name()),
			slog.Int64("offset", f.next), slog.Int64("next", to), slog.Int64("records_lost", g.lost))
		if to < f.next {
			p.rewound = g
			return false, errRewound
		}
		f.pass(w, g)
		return true, nil
	case f.stoodAt == f.next, p.toldAt.Load() == f.next:
		return false, nil
	}
	f.stoodAt = f.next
	c.o.Log.Error("the partition pauses before events that cannot be read", slog.String("partition", p.state.name()),
		slog.Int64("offset", f.next), slog.Any("error", cause), slog.String("advice", fmt.Sprintf(
			"mend that, or pass over them: fraudstream offsets skip --topic %s --partition %d --to OFFSET", c.o.Input, p.id)))
	w.reset(f.next)
	w.gap = &gap{reason, f.next, f.next, 0}
	return true, nil
}

// gapAlert is what the topic of alerts is told of a gap, and of a pause before one.
type gapAlert struct {
	Kind      string `json:"kind"`
	State     string `json:"state"` // skipped, paused
	Reason    string `json:"reason"`
	Partition string `json:"partition"`
	Offset    int64  `json:"offset"` // the first that is not read
	Next      int64  `json:"next"`   // the first that is
	Records   int64  `json:"records"`
}

// noteGap addresses the alert. A gap in what only the monitor would have seen is in the log alone. Its id is the same
// each time, so that readers can drop one that was sent twice.
func (p *partition) noteGap(g *gap) {
	if p.c.o.Alerts == "" || g.next > g.from && g.lost == 0 {
		return
	}
	a := gapAlert{"offset", "skipped", g.reason, itoa(p.id), g.from, g.next, g.lost}
	if g.next == g.from {
		a.State = "paused"
	}
	value, err := json.Marshal(a)
	if err != nil {
		return // numbers and text always encode
	}
	key := p.key()
	p.notes.add(note{
		topic: p.c.o.Alerts, partition: p.routes.alerts.byKey(key), kind: gapType,
		id: fmt.Sprintf("%s/offset/%d/%d/%s", key, g.from, g.next, a.State), key: key, value: value,
	})
}

// carryGap lets a run's gap take its alert along. The alert is kept with the monitor's notes, which outlive the
// pipeline: so of one place a pause is told once, however many pipelines end there.
func (p *partition) carryGap(w *run) {
	if w.gap == nil {
		return
	}
	if p.noteGap(w.gap); w.gap.next == w.gap.from {
		p.toldAt.Store(w.gap.from)
	}
	p.notes.attach(w, p.writer.codec, time.Now().UnixMilli())
}

// afterRewind goes back, counts what is passed over, and leaves the alert to the pipeline that starts next.
func (p *partition) afterRewind() {
	g := &p.rewound
	p.rewind(g.from, g.next)
	p.c.o.Metrics.countGap(p.state, g)
	p.noteGap(g)
}

// sendOwed sends what was noted between two pipelines where there is no monitor, whose ticks would take it along.
func (p *partition) sendOwed(ctx context.Context, scored chan<- *run) error {
	if p.observer != nil || !p.notes.waiting() {
		return nil
	}
	return p.sendNotes(ctx, &run{aside: true}, time.Now(), scored)
}

// countGap adds offsets that will not be decided.
func (m *Metrics) countGap(s *state, g *gap) {
	if g != nil && g.lost > 0 {
		m.offsetsSkipped.WithLabelValues(s.topic, itoa(s.partition)).Add(float64(g.lost))
	}
}

// skipGroup is where the offsets to go on at are named, as committed offsets of a group without members: so the word
// reaches whichever process has the partition, now or later.
func (c *Consumer) skipGroup() string { return c.o.Group + ".skip" }

// skipTo is the offset that was named for a partition that stands at the given one. With it is kept what the group had
// committed by then, so that the word is for a batch between the two and lets nothing be passed over elsewhere.
func (c *Consumer) skipTo(ctx context.Context, partition int32, at int64) (to int64, named bool, err error) {
	marks, err := c.committedBy(ctx, c.skipGroup(), c.o.Input, partition)
	if err != nil {
		return 0, false, err
	}
	m := marks[partition]
	from, err := strconv.ParseInt(m.text, 10, 64)
	if err != nil {
		return 0, false, nil // nothing was ever named
	}
	return m.offset, from <= at && at < m.offset || from == at && m.offset < at, nil
}

// Skip names the offset at which a partition goes on that stands before events which cannot be read. It returns the
// offset where the group stands. A partition that does not stand there for that reason takes no notice. It waits for
// nothing: the partition looks for the word with each of its attempts, every few seconds.
func (c *Consumer) Skip(ctx context.Context, partition int32, to int64) (at int64, err error) {
	defer c.transport.CloseIdleConnections()
	count, err := c.partitions(ctx, c.o.Input)
	if err != nil {
		return 0, c.explainedTopic(c.o.Input, err)
	}
	if partition < 0 || int(partition) >= count {
		return 0, fmt.Errorf("topic %s has no partition %d, only 0 to %d", c.o.Input, partition, count-1)
	}
	first, err := c.listOffsets(ctx, c.o.Input, kafka.FirstOffset, partition)
	if err != nil {
		return 0, c.explainedTopic(c.o.Input, err)
	}
	end, err := c.listOffsets(ctx, c.o.Input, kafka.LastOffset, partition)
	if err != nil {
		return 0, c.explainedTopic(c.o.Input, err)
	}
	offsets, err := c.committedBy(ctx, c.o.Group, c.o.Input, partition)
	if err != nil {
		return 0, c.explainedGroup(c.o.Group, err)
	}
	if at = offsets[partition].offset; at < 0 {
		return 0, errors.New("group " + c.o.Group + " has no offset in " + c.o.Input + "/" + itoa(partition) + ": nothing of it was read yet")
	}
	if err := skippable(at, to, first[partition], end[partition]); err != nil {
		return at, err
	}
	marks := map[int32]mark{partition: {to, itoa64(at)}}
	return at, c.explainedGroup(c.skipGroup(), c.commitMarks(ctx, c.skipGroup(), nobody(), c.o.Input, marks))
}

// skippable tells whether a partition that stands at one offset can be told to go on at another. Back it may go only
// where the log has been cut or made anew under it.
func skippable(at, to, first, end int64) error {
	switch {
	case to < first || to > end:
		return fmt.Errorf("offset %d is not in the partition, which holds %d to %d", to, first, end)
	case to == at:
		return fmt.Errorf("the group stands at offset %d already", at)
	case to < at && first <= at && at <= end:
		return fmt.Errorf("the group stands at offset %d: what is before it is decided already", at)
	}
	return nil
}
