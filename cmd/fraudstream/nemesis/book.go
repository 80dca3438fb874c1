package nemesis

import (
	"encoding/binary"
	"hash/fnv"
	"sync"
	"time"
)

// An event is what the generator knows of one that the broker has acknowledged: digests, since a long run has some
// hundred thousand of them, and nobody needs to know more than whether two are the same.
type event struct {
	known  bool // false where no event of ours stands: a marker, an aborted record
	poison bool
	bare   bool      // it is so large that its dead letter may leave out all of it
	id     uint64    // digest of the transaction id
	value  uint64    // digest of the value
	strike int32     // the number of the fault during which it was acknowledged
	at     time.Time // when it was handed to the client, before any broker knew of it
}

// Book is what was sent to the input, by partition and offset. Acknowledged events are there with their places; those
// that were handed to the client and may or may not have arrived are known by their ids.
type Book struct {
	mu     sync.Mutex
	tried  map[uint64]bool // the keys of everything that was ever handed to the client
	events map[int32][]event
	agreed map[int32][]uint64 // digests of the answers, as the first of the service's modes has given them; 0: none has
	acked  int                // how many events are in it
	strike int32              // the present fault's number; 0: between the faults
}

// newBook returns a book in which nothing stands.
func newBook() *Book {
	return &Book{tried: map[uint64]bool{}, events: map[int32][]event{}, agreed: map[int32][]uint64{}}
}

// try books what is about to be sent. It comes before the client has the event, so that whoever answers it, however
// fast, answers something that is known.
func (b *Book) try(e event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tried[e.key()] = true
	if e.bare {
		b.tried[nothing()] = true
	}
}

// key is what an answer names the event by: decisions carry the id, dead letters the value. An event that was decided
// though it is poison, or refused though it is good, therefore has an answer with another key.
func (e *event) key() uint64 {
	if e.poison {
		return e.value
	}
	return e.id
}

// nothing is what a dead letter names its event by that had no room for it. Where the event was, its headers say.
func nothing() uint64 { return digest(nil) }

// isNamed tells whether an answer names this event.
func (e *event) isNamed(by uint64) bool { return by == e.key() || e.bare && by == nothing() }

// ack books an event that the broker has acknowledged at a place, and that it belongs to the present fault.
// Acknowledgements may come out of order; the offsets between stay unknown until theirs come.
func (b *Book) ack(partition int32, offset int64, e event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.known, e.strike = true, b.strike
	all := b.events[partition]
	for int64(len(all)) <= offset {
		all = append(all, event{})
	}
	all[offset] = e
	b.events[partition] = all
	b.acked++
}

// setStrike says to which fault what is acknowledged from now on belongs.
func (b *Book) setStrike(number int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.strike = int32(number)
}

// Acked is how many events the broker has acknowledged.
func (b *Book) Acked() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acked
}

// Ends is, for each partition, the offset after the last acknowledged event. Below it everything that was
// acknowledged so far stands, beside markers and aborted records. Partitions without an event are left out.
func (b *Book) Ends() map[int32]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	ends := map[int32]int64{}
	for p, all := range b.events {
		ends[p] = int64(len(all))
	}
	return ends
}

// at returns the event at a place; it is unknown where none was acknowledged.
func (b *Book) at(partition int32, offset int64) event {
	b.mu.Lock()
	defer b.mu.Unlock()
	if all := b.events[partition]; offset >= 0 && offset < int64(len(all)) {
		return all[offset]
	}
	return event{}
}

// agree tells whether an answer is that which the other mode has given to the same event, if it has given one. The same
// event through the same model gives the same bytes, whatever the delivery and however often it is done again.
func (b *Book) agree(p place, content uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.agreed[p.partition]
	for int64(len(all)) <= p.offset {
		all = append(all, 0)
	}
	b.agreed[p.partition] = all
	if all[p.offset] == 0 {
		all[p.offset] = content
	}
	return all[p.offset] == content
}

// settled tells whether it is known what stands at a place. Acknowledgements of one client come in the order of the
// partition, and those of two in nearly that, so a gap far below a later one is a marker or an aborted record, and no
// event of ours.
func (b *Book) settled(partition int32, offset int64) bool {
	const far = 1000
	b.mu.Lock()
	defer b.mu.Unlock()
	return offset+far < int64(len(b.events[partition]))
}

// wasTried tells whether something with this digest was ever handed to the client.
func (b *Book) wasTried(key uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tried[key]
}

// digestOf is the digest of several texts, each with its length, so that none can pass for the beginning of the next.
func digestOf(texts ...[]byte) uint64 {
	var all []byte
	for _, text := range texts {
		all = append(binary.AppendUvarint(all, uint64(len(text))), text...)
	}
	return digest(all)
}

// digest is FNV-1a with 64 bits: not made against an adversary, and the only ones to cheat here are mistakes.
func digest(text []byte) uint64 {
	h := fnv.New64a()
	h.Write(text)
	return h.Sum64()
}
