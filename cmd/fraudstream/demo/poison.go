package demo

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"fraudstream/cmd/fraudstream/demo/cards"
)

// A poison is a way to break an event: what is wrong with it, for people, and the code its dead letter must carry.
type poison struct {
	fault string
	code  string
	spoil func(event []byte) []byte
}

// poisons are five events as bad upstreams send them. Each must be refused alone: the events around it are scored,
// and its partition goes on.
var poisons = [...]poison{
	{"a sender that died: half an event", "bad_json", func(e []byte) []byte { return e[:len(e)/2] }},
	{"two amounts in one event", "duplicate_key", func(e []byte) []byte {
		return append([]byte(`{"amount":1.00,`), e[1:]...)
	}},
	{"an amount in words", "wrong_type", replaceAmount(`"twelve euros"`)},
	{"no amount at all", "missing_field", replaceAmount(`null`)},
	{"an amount beyond all numbers", "non_finite", replaceAmount(`1e999`)},
}

// replaceAmount puts other JSON in the place of the amount. It counts on the amount not being the last field,
// so that a comma follows it.
func replaceAmount(with string) func([]byte) []byte {
	return func(event []byte) []byte {
		name := []byte(`"amount":`)
		start := bytes.Index(event, name) + len(name)
		end := start + bytes.IndexByte(event[start:], ',')
		spoilt := append([]byte(nil), event[:start]...)
		return append(append(spoilt, with...), event[end:]...)
	}
}

// playPoison sends the poisons one by one among the payments and shows what became of each. The letter it waits
// for is the reader's, by its code; five codes that are all different make that enough.
func (s *show) playPoison(ctx context.Context, t tempo) error {
	s.screen.Scene("☠", "poison", "Five events that nobody can score. Each goes to "+deadLetter+"; its neighbours are scored.")
	end := time.Now().Add(t.poison)
	for i := range poisons {
		p := &poisons[i]
		s.sendPoison(p)
		var l letter
		arrived := func() (ok bool) { l, ok = s.reader.Letter(p.code); return ok }
		if done, err := s.sendUntil(ctx, t, arrived); err != nil || ctx.Err() != nil {
			return err
		} else if done {
			code := s.screen.paint(yellow, fmt.Sprintf("%-14s", l.code))
			s.screen.Note("%-35s %s %s/%d/%d", p.fault, code, input, l.partition, l.offset)
			s.screen.Line("     %s", s.screen.paint(dim, shortened(strings.TrimPrefix(l.message, l.code+": "), 90)))
		} else {
			s.screen.Note("%-35s no dead letter with the code %s", p.fault, p.code)
		}
		// So that a person can read.
		if err := s.sendFor(ctx, t, min(time.Second, time.Until(end))); err != nil || ctx.Err() != nil {
			return err
		}
	}
	return s.sendFor(ctx, t, time.Until(end))
}

// drifted is the fault of the drift scene: a gateway upstream starts to send cents for euros, and the systems behind
// it compare those with the euros of the week before.
func drifted(tx *cards.Transaction) {
	if tx.Channel == "ecommerce" {
		tx.Amount *= 100
		tx.AmountToMean7d *= 100
	}
}
