package demo

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// A step is one fact that reaches the ledger.
type step func(*ledger)

func sent(partition int32, offset int64, id string) step {
	return func(l *ledger) {
		l.Sent(partition, offset, entry{id: digest([]byte(id)), value: digest([]byte("value of " + id))})
	}
}

func sentPoison(partition int32, offset int64, id string) step {
	return func(l *ledger) { l.Sent(partition, offset, entry{value: digest([]byte("value of " + id))}) }
}

func decided(partition int32, offset int64, id string) step {
	return func(l *ledger) { l.Decided(partition, offset, id) }
}

func lettered(partition int32, offset int64, id string) step {
	return func(l *ledger) { l.DeadLettered(partition, offset, []byte("value of "+id)) }
}

func TestLedger(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps []step
		want  counts
	}{
		{"nothing", nil, counts{}},
		{"decided", []step{sent(0, 0, "a"), decided(0, 0, "a")}, counts{Sent: 1, Decided: 1}},
		{"decided before the producer knows", []step{decided(0, 0, "a"), sent(0, 0, "a")}, counts{Sent: 1, Decided: 1}},
		{"poison", []step{sentPoison(0, 0, "a"), lettered(0, 0, "a")}, counts{Sent: 1, DeadLetter: 1}},
		{"lost", []step{sent(0, 0, "a"), sent(0, 1, "b"), decided(0, 1, "b")}, counts{Sent: 2, Decided: 1, Lost: 1}},
		{"lost in the middle", []step{
			sent(1, 0, "a"), sent(1, 1, "b"), sent(1, 2, "c"), decided(1, 0, "a"), decided(1, 2, "c"),
		}, counts{Sent: 3, Decided: 2, Lost: 1}},
		{
			"same offset of another partition",
			[]step{sent(0, 0, "a"), decided(1, 0, "a")},
			counts{Sent: 1, Decided: 1, Lost: 1, Strange: 1},
		},
		{
			"twice",
			[]step{sent(0, 0, "a"), decided(0, 0, "a"), decided(0, 0, "a")},
			counts{Sent: 1, Decided: 2, Duplicated: 1},
		},
		{
			"twice before the producer knows",
			[]step{decided(0, 0, "a"), decided(0, 0, "a"), sent(0, 0, "a")},
			counts{Sent: 1, Decided: 2, Duplicated: 1},
		},
		{"thrice while an earlier one waits", []step{
			sent(0, 0, "a"), sent(0, 1, "b"), decided(0, 1, "b"), decided(0, 1, "b"), decided(0, 1, "b"),
		}, counts{Sent: 2, Decided: 3, Lost: 1, Duplicated: 2}},
		{
			"poison twice",
			[]step{sentPoison(0, 0, "a"), lettered(0, 0, "a"), lettered(0, 0, "a")},
			counts{Sent: 1, DeadLetter: 2, Duplicated: 1},
		},
		{
			"decided and dead-lettered",
			[]step{sent(0, 0, "a"), decided(0, 0, "a"), lettered(0, 0, "a")},
			counts{Sent: 1, Decided: 1, DeadLetter: 1, Duplicated: 1},
		},
		{"another transaction's id", []step{sent(0, 0, "a"), decided(0, 0, "b")}, counts{Sent: 1, Decided: 1, Strange: 1}},
		{
			"another transaction's id, too early",
			[]step{decided(0, 0, "b"), sent(0, 0, "a")},
			counts{Sent: 1, Decided: 1, Strange: 1},
		},
		{"poison decided", []step{sentPoison(0, 0, "a"), decided(0, 0, "a")}, counts{Sent: 1, Decided: 1, Strange: 1}},
		{
			"dead letter with other bytes",
			[]step{sent(0, 0, "a"), lettered(0, 0, "b")},
			counts{Sent: 1, DeadLetter: 1, Strange: 1},
		},
		{
			"never sent",
			[]step{sent(0, 0, "a"), decided(0, 0, "a"), decided(0, 7, "h")},
			counts{Sent: 1, Decided: 2, Strange: 1},
		},
		{"no such partition", []step{decided(9, 0, "a")}, counts{Decided: 1, Strange: 1}},
		{"absurd offset", []step{decided(0, 1<<60, "a")}, counts{Decided: 1, Strange: 1}},
		{"negative offset", []step{lettered(0, -1, "a")}, counts{DeadLetter: 1, Strange: 1}},
		{"names no event", []step{(*ledger).Stranger}, counts{Strange: 1}},
	} {
		l := newLedger(2)
		for _, s := range test.steps {
			s(l)
		}
		if got := l.Counts(true); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

// TestLedgerTellsFirstAnswers checks what the screen lives on: the first answer of an event is told from later ones,
// whether or not the ledger knows the event already.
func TestLedgerTellsFirstAnswers(t *testing.T) {
	l := newLedger(1)
	value := []byte("value")
	if e, first := l.DeadLettered(0, 0, value); !first || e.value != 0 {
		t.Errorf("early answer: event %+v, first %v", e, first)
	}
	sent := entry{value: digest(value)}
	l.Sent(0, 0, sent)
	l.Sent(0, 1, sent)
	if e, first := l.DeadLettered(0, 1, value); !first || e != sent {
		t.Errorf("answer: event %+v, first %v", e, first)
	}
	for offset := range int64(2) {
		if _, first := l.DeadLettered(0, offset, value); first {
			t.Errorf("the second answer of offset %d is told as the first", offset)
		}
	}
}

// TestLedgerInAnyOrder sends events, answers each some number of times, and tells the ledger all of it in any order:
// it must find exactly the events without an answer and the answers beyond the first, and forget what is settled.
func TestLedgerInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answers := rapid.SliceOf(rapid.IntRange(0, 3)).Draw(t, "answers")
		var steps []step
		want := counts{Sent: int64(len(answers))}
		firstLost := len(answers)
		for i, n := range answers {
			id := fmt.Sprint("t-", i)
			steps = append(steps, sent(0, int64(i), id))
			for range n {
				steps = append(steps, decided(0, int64(i), id))
			}
			want.Decided += int64(n)
			want.Duplicated += int64(max(n-1, 0))
			if n == 0 {
				want.Lost++
				firstLost = min(firstLost, i)
			}
		}
		l := newLedger(1)
		for _, s := range rapid.Permutation(steps).Draw(t, "order") {
			s(l)
		}
		got := l.Counts(true)
		if got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
		if got.Decided+got.DeadLetter != got.Sent+got.Duplicated-got.Lost {
			t.Fatalf("%+v does not add up", got)
		}
		if held := len(l.accounts[0].slots); held != len(answers)-firstLost {
			t.Fatalf("holds %d slots, want those from the first lost event on: %d", held, len(answers)-firstLost)
		}
	})
}
