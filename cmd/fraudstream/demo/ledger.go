package demo

import (
	"hash/fnv"
	"sync"
	"time"

	"fraudstream/cmd/fraudstream/demo/cards"
)

// An entry is what the producer knows of one event that it has sent. Its time is on the clock of this process,
// where the reader's is as well, so their difference is a latency.
type entry struct {
	id    uint64            // digest of the transaction id; 0 for poison, which has none that could be decided
	value uint64            // digest of the value
	tx    cards.Transaction // for the screen
	at    time.Time         // when it was handed to the producer
}

// A slot is one offset of the input: what was sent there and what was read back about it. Decisions and dead
// letters settle it alike; which of the two it was shows by which digest is set.
type slot struct {
	entry   entry
	sent    bool
	settled int
	id      uint64 // what the first decision claimed; 0: there was none
	value   uint64 // what the first dead letter claimed; 0: there was none
}

// An account is the ledger of one input partition. Slots before base are sent and settled, and forgotten. It is
// a window over the partition that moves forwards: offsets are dense, since nobody else writes to the topic and
// no producer here is transactional.
type account struct {
	base  int64
	slots []slot
}

// A ledger finds out what became of every event, by its place in the input. Both sides of it are facts read from
// Kafka: the offset that the broker gave an event when it was produced, and the origin that a decision or a dead
// letter names. Neither the workers' counters nor the ids that they print have a say.
//
// The two sides arrive in any order, since a decision may be read before the broker's answer to the producer is.
// What is settled is forgotten, so that a long show needs no more memory than its lag.
type ledger struct {
	mu       sync.Mutex
	accounts []account
	counts   counts
}

// counts is what a ledger has found. Decided + DeadLetter = Sent + Duplicated − Lost, unless something is Strange.
type counts struct {
	Sent       int64
	Decided    int64 // records in the decisions topic
	DeadLetter int64 // records in the dead-letter topic
	Lost       int64 // sent, and neither decided nor dead-lettered: so far, while the show runs
	Duplicated int64 // decisions and dead letters beyond the first of an event
	Strange    int64 // records of an event that was never sent, or of another one than was sent there
}

// reach bounds how far ahead of the producer's knowledge a claimed offset may lie. Without it, one decision
// that claims an offset of 2^60 would make the ledger fill the memory with slots.
const reach = 1 << 22

func newLedger(partitions int) *ledger { return &ledger{accounts: make([]account, partitions)} }

// Sent books an event that the broker has acknowledged.
func (l *ledger) Sent(partition int32, offset int64, e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &l.accounts[partition]
	s := a.at(offset)
	s.sent, s.entry = true, e
	l.counts.Sent++
	if s.settled == 0 {
		l.counts.Lost++
	} else if s.contradicts() {
		l.counts.Strange++
	}
	a.forget()
}

// Decided books a decision. It returns the event, and true if this is its first answer; an event without a number is
// one that the ledger has not heard of yet.
func (l *ledger) Decided(partition int32, offset int64, transactionID string) (entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Decided++
	return l.settle(partition, offset, digest([]byte(transactionID)), 0)
}

// DeadLettered books a dead letter with the value it carries. It returns what Decided does.
func (l *ledger) DeadLettered(partition int32, offset int64, value []byte) (entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.DeadLetter++
	return l.settle(partition, offset, 0, digest(value))
}

// Stranger books a record that names no event of the show.
func (l *ledger) Stranger() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Strange++
}

// settle books an answer to the event at an offset, by the digest of what it claims to be about; the other
// digest is 0. It is called under the lock.
func (l *ledger) settle(partition int32, offset int64, id, value uint64) (entry, bool) {
	if partition < 0 || int(partition) >= len(l.accounts) || offset < 0 ||
		offset > l.accounts[partition].end()+reach {
		l.counts.Strange++
		return entry{}, false
	}
	a := &l.accounts[partition]
	if offset < a.base { // settled before, and forgotten
		l.counts.Duplicated++
		return entry{}, false
	}
	s := a.at(offset)
	s.settled++
	if s.settled > 1 {
		l.counts.Duplicated++
		return entry{}, false
	}
	s.id, s.value = id, value
	if !s.sent {
		return entry{}, true
	}
	l.counts.Lost--
	if s.contradicts() {
		l.counts.Strange++
	}
	e := s.entry
	a.forget()
	return e, true
}

// Counts returns what has been found so far. At the end, what is claimed of offsets where nothing was sent is strange.
func (l *ledger) Counts(end bool) counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	if !end {
		return c
	}
	for i := range l.accounts {
		for _, s := range l.accounts[i].slots {
			if !s.sent && s.settled > 0 {
				c.Strange++
			}
		}
	}
	return c
}

// contradicts tells whether what was read back cannot be about what was sent. An answer that names poison by an
// id contradicts, because poison has the id 0.
func (s *slot) contradicts() bool {
	if s.id != 0 {
		return s.id != s.entry.id
	}
	return s.value != s.entry.value
}

// end is the offset after the last one that the account has a slot for.
func (a *account) end() int64 { return a.base + int64(len(a.slots)) }

// at returns the slot of an offset that is not forgotten.
func (a *account) at(offset int64) *slot {
	for a.end() <= offset {
		a.slots = append(a.slots, slot{})
	}
	return &a.slots[offset-a.base]
}

// forget drops the slots at the front that are sent and settled. The front of the slice is given up when it
// next grows.
func (a *account) forget() {
	n := 0
	for n < len(a.slots) && a.slots[n].sent && a.slots[n].settled > 0 {
		n++
	}
	a.slots = a.slots[n:]
	a.base += int64(n)
}

// digest is never 0, which stands for nothing. It is FNV-1a with 64 bits: not made against an adversary, and
// the only ones to cheat here are mistakes.
func digest(text []byte) uint64 {
	h := fnv.New64a()
	h.Write(text)
	return h.Sum64() | 1
}
