package nemesis

import (
	"fmt"
	"sync"
	"time"
)

// An answer is what the witness has read about one event: how many decisions and dead letters, and of the first of them
// what it says. The zero value is an event without an answer.
type answer struct {
	decisions, letters uint16
	key                uint64 // what the first answer names the event by
	content            uint64 // digest of the first answer
	checked            bool   // its key was held against the event that stands there
	writtenOff         bool   // counted as lost, or as deleted by the fault
	deleted            bool   // it was given, and has gone with its topic
}

// given tells whether there is an answer, whatever it says.
func (a *answer) given() bool { return a.decisions > 0 || a.letters > 0 }

// Tally is what a subject did to the events during one fault. It belongs to the fault during which the witness has
// read or missed it, and since the next fault waits until everything is answered and the groups are at rest, that is
// the fault which has done it, save for what comes later than anybody waits for.
type Tally struct {
	Lost       int `json:"lost"`       // acknowledged and never answered
	Deleted    int `json:"deleted"`    // missing because the fault itself deleted them
	Duplicated int `json:"duplicated"` // answers beyond the first of an event
	Phantoms   int `json:"phantoms"`   // answers to what was never sent, or that name another event than was sent there
	Both       int `json:"both"`       // events that were decided and dead-lettered
	Different  int `json:"different"`  // answers with other bytes than the first one to the same event, or than the other mode's
	Disordered int `json:"disordered"` // first answers that come after the first answer to a later event of the partition
	Misplaced  int `json:"misplaced"`  // answers in another partition than their event's
	Ahead      int `json:"ahead"`      // of the lost ones, those that the committed offset has passed
}

// broken names what a tally holds that delivery does not promise, each with its number; it is empty if nothing is
// broken. Copies are what at-least-once delivery does promise, and deletions are the fault's own doing.
func (t *Tally) broken(exactlyOnce bool) string {
	var text string
	add := func(n int, what string) {
		if n > 0 {
			text += fmt.Sprintf(" %s=%d", what, n)
		}
	}
	add(t.Lost, "lost")
	add(t.Phantoms, "phantoms")
	add(t.Both, "both")
	add(t.Different, "different")
	add(t.Disordered, "disordered")
	add(t.Misplaced, "misplaced")
	add(t.Ahead, "ahead")
	if exactlyOnce {
		add(t.Duplicated, "duplicated")
	}
	return text
}

// place is where an event stands in the input.
type place struct {
	partition int32
	offset    int64
}

// lane is one partition of an output topic as far as it carries answers to one partition of the input: there the
// order of answers means something. Answers to two partitions of the input may come in any order, and so may a
// decision and a dead letter, which are in two topics.
type lane struct {
	topic      string
	out, input int32
}

// Ledger is what the witness has read of one subject's answers, event by event, beside the book of what was sent.
// Answers may be read before the broker's acknowledgement of the event has come back to the generator.
type Ledger struct {
	mu       sync.Mutex
	book     *Book
	shared   bool // what it reads is held against what the other modes of the service have answered
	answers  map[int32][]answer
	floor    map[int32]int64  // every acknowledged event below it has an answer or is written off
	lanes    map[lane]int64   // the largest offset that was answered there
	excused  map[int32][]span // what a fault deletes
	strike   int
	tallies  map[int]*Tally
	waits    map[int]time.Duration // the longest that an event sent during a fault waited for its answer
	examples []string              // of what went wrong, the first of each kind and fault
	seen     map[string]bool
	decided  int // records
	letters  int
	unread   int // events that count as deleted with an answer, if there was one, that nobody has read
}

// newLedger returns a ledger in which nothing is answered yet.
func newLedger(book *Book) *Ledger {
	return &Ledger{
		book: book, excused: map[int32][]span{}, answers: map[int32][]answer{}, floor: map[int32]int64{}, lanes: map[lane]int64{},
		tallies: map[int]*Tally{}, waits: map[int]time.Duration{}, seen: map[string]bool{},
	}
}

// tally is that of the present fault; it is called under the lock.
func (l *Ledger) tally() *Tally {
	t := l.tallies[l.strike]
	if t == nil {
		t = &Tally{}
		l.tallies[l.strike] = t
	}
	return t
}

// example keeps the first of each kind of thing that goes wrong in a fault, so that whoever reads the log knows where
// to look; it is called under the lock.
func (l *Ledger) example(kind, format string, args ...any) {
	if key := fmt.Sprintf("%d %s", l.strike, kind); !l.seen[key] {
		l.seen[key] = true
		l.examples = append(l.examples, fmt.Sprintf("fault %d: %s: ", l.strike, kind)+fmt.Sprintf(format, args...))
	}
}

// reply is an answer as the witness has read it.
type reply struct {
	from    place
	letter  bool
	key     uint64 // digest of what it names the event by
	content uint64 // digest of all of it
	lane    lane
	offset  int64 // in the output topic
	astray  bool  // it stands in a partition where it does not belong
}

// answered books a reply. A phantom is one that names another event than stands where it says, or that nobody has
// tried to send. Only a first answer can come too late or out of order: a repeated one comes after what it repeats.
func (l *Ledger) answered(r reply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.letter {
		l.letters++
	} else {
		l.decided++
	}
	if r.astray {
		l.tally().Misplaced++
		l.example("misplaced", "%s/%d/%d answers %v", r.lane.topic, r.lane.out, r.offset, r.from)
	}
	sent := l.book.at(r.from.partition, r.from.offset)
	if sent.known && (sent.poison != r.letter || !sent.isNamed(r.key)) || !sent.known && !l.book.wasTried(r.key) {
		l.tally().Phantoms++
		l.example("phantom", "%s/%d/%d claims to answer %v", r.lane.topic, r.lane.out, r.offset, r.from)
		if !sent.known {
			return
		}
	}
	a := l.at(r.from)
	first := !a.given()
	if r.letter {
		a.letters++
	} else {
		a.decisions++
	}
	if !first {
		l.again(a, r)
		return
	}
	a.key, a.content, a.checked = r.key, r.content, sent.known
	if l.shared && !l.book.agree(r.from, r.content) {
		l.tally().Different++
		l.example("different", "%s/%d/%d answers %v otherwise than the other mode does", r.lane.topic, r.lane.out, r.offset, r.from)
	}
	if a.writtenOff {
		l.late(a, r.from)
	}
	if sent.known {
		l.waits[int(sent.strike)] = max(l.waits[int(sent.strike)], time.Since(sent.at))
	}
	if last, ok := l.lanes[r.lane]; ok && r.from.offset < last {
		l.tally().Disordered++
		l.example("disordered", "%s/%d/%d answers %v after offset %d", r.lane.topic, r.lane.out, r.offset, r.from, last)
		return
	}
	l.lanes[r.lane] = r.from.offset
}

// late takes back that an event was given up.
func (l *Ledger) late(a *answer, p place) {
	a.writtenOff = false
	if why := l.excuse(p); why == nil {
		l.tally().Lost--
	} else {
		l.tally().Deleted--
		if why.answers {
			l.unread--
		}
	}
	l.example("late", "%v is answered after it was given up", p)
}

// again books a repeated answer. Other bytes than those of the first are counted beside the repetition, and so is an
// event that has now been decided and refused.
func (l *Ledger) again(a *answer, r reply) {
	l.tally().Duplicated++
	l.example("duplicated", "%s/%d/%d answers %v again", r.lane.topic, r.lane.out, r.offset, r.from)
	if a.decisions > 0 && a.letters > 0 {
		l.tally().Both++
	}
	if a.content != r.content {
		l.tally().Different++
		l.example("different", "%s/%d/%d answers %v otherwise than before", r.lane.topic, r.lane.out, r.offset, r.from)
	}
}

// stranger books a record that names no event at all.
func (l *Ledger) stranger(topic string, partition int32, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally().Phantoms++
	l.example("phantom", "%s/%d/%d names no event", topic, partition, offset)
}

// at returns the answer to what stands at a place. The pointer is good until the next call, and the caller holds the
// lock.
func (l *Ledger) at(p place) *answer {
	all := l.answers[p.partition]
	for int64(len(all)) <= p.offset {
		all = append(all, answer{})
	}
	l.answers[p.partition] = all
	return &all[p.offset]
}

// Missing lists the acknowledged events below the given offsets that have no answer and are not written off.
func (l *Ledger) Missing(below map[int32]int64) []place {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.missing(below)
}

// missing does it under the lock. It looks at each event until it and all before it are answered or written off, and at
// nothing below that floor again; the floor stays where an acknowledgement may still come.
func (l *Ledger) missing(below map[int32]int64) []place {
	var open []place
	for p, end := range below {
		contiguous := true
		for o := l.floor[p]; o < end; o++ {
			a, sent := l.at(place{p, o}), l.book.at(p, o)
			switch {
			case !sent.known:
			case a.given():
				l.check(a, &sent, place{p, o})
			case !a.writtenOff:
				open, contiguous = append(open, place{p, o}), false
			}
			if contiguous && l.book.settled(p, o) {
				l.floor[p] = o + 1
			}
		}
	}
	return open
}

// check holds an answer that was read before its event was acknowledged against what stands there.
func (l *Ledger) check(a *answer, sent *event, p place) {
	if !a.checked && !sent.isNamed(a.key) {
		l.tally().Phantoms++
		l.example("phantom", "the answer to %v names another event than stands there", p)
	}
	a.checked = true
}

// A span is a range of offsets, from the first to the one after the last.
type span struct {
	from, to int64
	answers  bool // these are deleted, and not the events: they may have been counted, though nobody has read them
}

// Excuse says that a fault deletes the events of a partition from one offset up to another, before anybody could read
// them: those of them that are missing count as deleted and not as lost. It has to be called before anybody can miss
// them.
func (l *Ledger) Excuse(partition int32, from, to int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.excused[partition] = append(l.excused[partition], span{from: from, to: to})
}

// topicDeleted books that a topic of decisions is gone with what it held: the origins of all its records, committed
// or not. Decisions that were read of it count as deleted, and the same events must not be decided again. Of events
// whose decisions were not committed nobody knows what becomes of their transactions; they may be missing or decided
// again. elsewhere are decisions that were read and that the topic did not hold.
func (l *Ledger) topicDeleted(held map[place]bool) (deleted, elsewhere int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for partition := range l.answers {
		for offset := range l.answers[partition] {
			a, p := &l.answers[partition][offset], place{partition, int64(offset)}
			switch {
			case a.decisions > 0 && !a.deleted && held[p]:
				a.deleted = true
				deleted++
			case a.decisions > 0 && !a.deleted:
				elsewhere++
			case held[p]:
				l.excuseAnswer(p)
			}
		}
	}
	for p := range held {
		if p.offset >= int64(len(l.answers[p.partition])) {
			l.excuseAnswer(p)
		}
	}
	l.tally().Deleted += deleted
	return deleted, elsewhere
}

// excuseAnswer says that the answer to an event is deleted, if there is one.
func (l *Ledger) excuseAnswer(p place) {
	l.excused[p.partition] = append(l.excused[p.partition], span{p.offset, p.offset + 1, true})
}

// excuse is the deletion that an event may be missing for; nil if there was none.
func (l *Ledger) excuse(p place) *span {
	for i := range l.excused[p.partition] {
		if s := &l.excused[p.partition][i]; p.offset >= s.from && p.offset < s.to {
			return s
		}
	}
	return nil
}

// writeOff counts events that nobody will answer any more, as deleted or lost, each once. Should an answer come after
// all, it is taken back. passed says that the committed offset tells so.
func (l *Ledger) writeOff(events []place, passed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range events {
		a := l.at(p)
		if a.given() || a.writtenOff {
			continue
		}
		a.writtenOff = true
		if why := l.excuse(p); why != nil {
			l.tally().Deleted++
			if why.answers {
				l.unread++
			}
			continue
		}
		l.tally().Lost++
		l.example("lost", "%v, of %d", p, len(events))
		if passed {
			l.tally().Ahead++
		}
	}
}

// setStrike says to which fault what is read or given up from now on belongs; 0 is none.
func (l *Ledger) setStrike(number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strike = number
}

// of returns what one fault did, and how long an event that was acknowledged during it waited at most, from the
// moment in which it was handed to the client until the witness had read its answer. An answer that is read before
// the acknowledgement is left out.
func (l *Ledger) of(strike int) (Tally, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tallies[strike]; t != nil {
		return *t, l.waits[strike]
	}
	return Tally{}, l.waits[strike]
}

// unanswered is how many events count as deleted of which an answer may have been written, and counted, that nobody has
// read.
func (l *Ledger) unanswered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unread
}

// records is how many decisions and dead letters were read, repeated ones too.
func (l *Ledger) records() (decided, letters int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.decided, l.letters
}
