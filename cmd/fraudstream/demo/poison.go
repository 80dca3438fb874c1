package demo

import (
	"bytes"
	"strconv"

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

// replaceAmount puts other JSON in the place of the amount.
func replaceAmount(with string) func([]byte) []byte {
	return func(event []byte) []byte {
		name := []byte(`"amount":`)
		start := bytes.Index(event, name) + len(name)
		end := start + bytes.IndexByte(event[start:], ',')
		spoilt := append([]byte(nil), event[:start]...)
		return append(append(spoilt, with...), event[end:]...)
	}
}

// drifted is the fault of the drift scene: a gateway upstream starts to send cents for euros, and the systems behind
// it compare those with the euros of the week before.
func drifted(tx *cards.Transaction) {
	if tx.Channel == "ecommerce" {
		tx.Amount *= 100
		tx.AmountToMean7d *= 100
	}
}

// thousands writes n with separators: 21,430.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
