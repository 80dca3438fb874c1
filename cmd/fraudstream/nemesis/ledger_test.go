package nemesis

import (
	"reflect"
	"testing"
)

// desk is a ledger with four events acknowledged in partition 0: three good ones, and poison at offset 2.
func desk() (*Ledger, *Book) {
	b := newBook()
	for offset, e := range []event{{id: 10, value: 110}, {id: 11, value: 111}, {poison: true, id: 12, value: 112}, {id: 13, value: 113}} {
		b.try(e)
		b.ack(0, int64(offset), e)
	}
	return newLedger(b), b
}

// answerTo is the right answer to an event of the desk.
func answerTo(offset int64) reply {
	r := reply{from: place{0, offset}, key: uint64(10 + offset), content: uint64(offset), lane: lane{"decisions", 0, 0}}
	if offset == 2 {
		r.letter, r.key, r.lane.topic = true, 112, "letters"
	}
	return r
}

// Each thing that may go wrong with an answer is counted, under its own name and nothing else.
func TestLedgerCounts(t *testing.T) {
	with := func(change func(*reply), offset int64) reply {
		r := answerTo(offset)
		change(&r)
		return r
	}
	for _, c := range []struct {
		name    string
		replies []reply
		want    Tally
	}{
		{"all is well", []reply{answerTo(0), answerTo(1), answerTo(2), answerTo(3)}, Tally{}},
		{"letters and decisions are two lanes", []reply{answerTo(2), answerTo(0), answerTo(1), answerTo(3)}, Tally{}},
		{"twice", []reply{answerTo(0), answerTo(1), answerTo(0), answerTo(2), answerTo(3)}, Tally{Duplicated: 1}},
		{"a replay", []reply{answerTo(0), answerTo(1), answerTo(0), answerTo(1), answerTo(3), answerTo(2)}, Tally{Duplicated: 2}},
		{"out of order", []reply{answerTo(1), answerTo(0), answerTo(2), answerTo(3)}, Tally{Disordered: 1}},
		{
			"twice and differently",
			[]reply{answerTo(0), with(func(r *reply) { r.content = 99 }, 0), answerTo(1), answerTo(2), answerTo(3)},
			Tally{Duplicated: 1, Different: 1},
		},
		{
			"never sent",
			[]reply{answerTo(0), answerTo(1), answerTo(2), answerTo(3), with(func(r *reply) { r.from.offset, r.key = 4, 999 }, 3)},
			Tally{Phantoms: 1},
		},
		{"another event than was there", []reply{with(func(r *reply) { r.key = 11 }, 0), answerTo(1), answerTo(2), answerTo(3)}, Tally{Phantoms: 1}},
		{
			"a good event among the dead letters too",
			[]reply{answerTo(0), answerTo(1), answerTo(2), answerTo(3), with(func(r *reply) { r.letter, r.lane.topic = true, "letters" }, 3)},
			Tally{Phantoms: 1, Duplicated: 1, Both: 1},
		},
		{"none", []reply{answerTo(0), answerTo(2), answerTo(3)}, Tally{Lost: 1, Ahead: 1}},
	} {
		l, _ := desk()
		for _, r := range c.replies {
			l.answered(r)
		}
		l.writeOff(l.Missing(map[int32]int64{0: 4}), true)
		if got, _ := l.of(0); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// An event is missing only below the offset that is asked about, where an event stands, and until it has an answer.
func TestLedgerMissing(t *testing.T) {
	l, b := desk()
	b.ack(0, 6, event{id: 16, value: 116}) // offsets 4 and 5 hold a marker and an aborted record
	l.answered(answerTo(0))
	if got := l.Missing(map[int32]int64{0: 2}); !reflect.DeepEqual(got, []place{{0, 1}}) {
		t.Errorf("below 2 are missing %v", got)
	}
	l.answered(answerTo(3))
	want := []place{{0, 1}, {0, 2}, {0, 6}}
	if got := l.Missing(map[int32]int64{0: 7}); !reflect.DeepEqual(got, want) {
		t.Errorf("below 7 are missing %v", got)
	}
	for _, r := range []reply{answerTo(1), answerTo(2), {from: place{0, 6}, key: 16, lane: lane{"decisions", 0, 0}}} {
		l.answered(r)
	}
	if got := l.Missing(map[int32]int64{0: 7}); got != nil {
		t.Errorf("all is answered, and %v are missing", got)
	}
}

// What a fault has deleted is not lost; what is missing beside it is.
func TestLedgerExcuses(t *testing.T) {
	l, _ := desk()
	l.Excuse(0, 1, 3)
	l.answered(answerTo(0))
	l.writeOff(l.Missing(map[int32]int64{0: 4}), true)
	if got, _ := l.of(0); got.Deleted != 2 || got.Lost != 1 || l.unanswered() != 0 {
		t.Errorf("%+v, want two deleted and one lost, and no answer that was deleted", got)
	}
}

// An answer may be read before the acknowledgement of its event.
func TestAnswerBeforeAcknowledgement(t *testing.T) {
	b := newBook()
	e := event{id: 10, value: 110}
	b.try(e)
	l := newLedger(b)
	l.answered(answerTo(0))
	b.ack(0, 0, e)
	if missing, got := l.Missing(map[int32]int64{0: 1}), tallyOf(l); got != (Tally{}) || missing != nil {
		t.Errorf("%+v, and missing is %v", got, missing)
	}
}

func tallyOf(l *Ledger) Tally {
	t, _ := l.of(0)
	return t
}

// Such an answer is held against the event when that is known: it may name one that was sent and stands elsewhere.
func TestAnswerBeforeAcknowledgementIsChecked(t *testing.T) {
	b := newBook()
	for _, e := range []event{{id: 10, value: 110}, {id: 11, value: 111}} {
		b.try(e)
	}
	l := newLedger(b)
	wrong := answerTo(0)
	wrong.key = 11
	l.answered(wrong)
	b.ack(0, 0, event{id: 10, value: 110})
	for range 2 { // once is enough
		l.Missing(b.Ends())
	}
	if got := tallyOf(l); got != (Tally{Phantoms: 1}) {
		t.Errorf("%+v, want one phantom", got)
	}
}

// Both modes of the service answer an event with the same bytes; what the plain loop answers is not held against theirs.
func TestModesAgree(t *testing.T) {
	first, b := desk()
	second, plain := newLedger(b), newLedger(b)
	first.shared, second.shared = true, true
	other := answerTo(1)
	other.content = 99
	for _, r := range []reply{answerTo(0), answerTo(1)} {
		first.answered(r)
	}
	for _, l := range []*Ledger{second, plain} {
		l.answered(answerTo(0))
		l.answered(other)
	}
	if tallyOf(first) != (Tally{}) || tallyOf(second) != (Tally{Different: 1}) || tallyOf(plain) != (Tally{}) {
		t.Errorf("%+v, %+v, %+v; want one different answer in the second", tallyOf(first), tallyOf(second), tallyOf(plain))
	}
}

// An answer that comes after its event was given up takes the loss back, and a second one is a duplicate as ever.
func TestLateAnswer(t *testing.T) {
	l, _ := desk()
	for _, offset := range []int64{0, 1, 2} {
		l.answered(answerTo(offset))
	}
	l.writeOff(l.Missing(map[int32]int64{0: 4}), false)
	if got, _ := l.of(0); got != (Tally{Lost: 1}) {
		t.Fatalf("%+v before the answer, want one lost", got)
	}
	l.answered(answerTo(3))
	if got, _ := l.of(0); got != (Tally{}) {
		t.Errorf("%+v after it, want nothing", got)
	}
	l.answered(answerTo(3))
	if got, _ := l.of(0); got != (Tally{Duplicated: 1}) {
		t.Errorf("%+v after another, want one duplicate", got)
	}
}

// An event without an answer stays missing, however many that came after it have theirs.
func TestMissingIsNotForgotten(t *testing.T) {
	b := newBook()
	l := newLedger(b)
	const many = 3000
	for offset := range int64(many) {
		e := event{id: uint64(offset), value: uint64(offset)}
		b.try(e)
		b.ack(0, offset, e)
		if offset != 7 {
			l.answered(reply{from: place{0, offset}, key: uint64(offset), lane: lane{"decisions", 0, 0}})
		}
	}
	for range 2 {
		if got := l.Missing(map[int32]int64{0: many}); !reflect.DeepEqual(got, []place{{0, 7}}) {
			t.Fatalf("missing are %v, want the event at offset 7", got)
		}
	}
}

// A dead letter may leave out the whole of an event that is too large for it, and of no other.
func TestBareLetters(t *testing.T) {
	for _, bare := range []bool{true, false} {
		for _, early := range []bool{true, false} { // the answer, before the acknowledgement
			b := newBook()
			e := event{poison: true, bare: bare, value: 110}
			b.try(e)
			l := newLedger(b)
			if !early {
				b.ack(0, 0, e)
			}
			l.answered(reply{from: place{0, 0}, letter: true, key: nothing(), lane: lane{"letters", 0, 0}})
			if early {
				b.ack(0, 0, e)
			}
			l.Missing(b.Ends())
			if got := tallyOf(l).Phantoms == 0; got != bare {
				t.Errorf("bare %v, answered early %v: %+v", bare, early, tallyOf(l))
			}
		}
	}
}
