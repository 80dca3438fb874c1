// Package privacy keeps card numbers and account ids out of what operators see: logs, error messages, the console, the
// list of dead letters.
//
// What other programs need is not touched. A decision carries the transaction id of its event, and a raw dead letter its
// bytes: the first is what a decision is for, the second has a setting of its own (dlq.mode). Everything that is meant
// for people goes through a [Masker].
//
//	text := masker.Text(message)          // card numbers are cut short
//	id := masker.ID(transactionID)        // a keyed hash, or the last characters
//
// Results on standard output (decisions, a drift report, what a model holds) are figures for programs: of them the texts
// that repeat what somebody has named are masked, such as the name of a file, and no figure is.
//
// What is not masked, and why: of a decision the transaction id, the key and the trace headers, which the contract has
// carried over from the event; of a raw dead letter everything that is the event's own; the names of topics in records,
// metrics and descriptions, which are the operator's and must be true; and in an answer over HTTP the id of the request,
// the trace and the transaction id, which are given back to the caller who sent them.
//
// # Which fields are shown
//
// privacy.show names fields of events, by their dotted paths. The values of these, masked and cut to 64 characters, stand
// in the console beside the sampled decisions and the last refused events, in the log line of a refused event at the level
// debug, and in dlq list --values. Of all other fields no value is shown anywhere: see [Fields].
//
// # What a card number is
//
// 13 to 19 digits that pass Luhn's check (ISO/IEC 7812-1), in one run or in groups divided by blanks, hyphens,
// underscores or, after four digits, dots. One number in ten passes the check by chance, so that now and then an offset
// or a time in milliseconds is cut short, too. That is the price of a rule without a list of issuers, which would be out
// of date with the next one.
//
// # How much stays
//
// PCI DSS 4.0.1 requirement 3.4.1 lets people without a need see the bank's number and the last four digits at most, and
// the truncation that its requirement 3.5.1 accepts leaves the first six and the last four of fifteen digits and more. So
// much stays here: 411111******1111. Of thirteen and fourteen digits that would hide three or four, which the check digit
// lets anybody work out by trying a few hundred; there, the last four stay alone.
//
// # Where ids are hashed
//
// With privacy.hash_key, an id is shown as the first 80 bits of its HMAC-SHA-256: the same id looks the same in the
// console and in the list of dead letters (log lines hold no ids at all), and nobody without the key can go through all
// card numbers until one fits, as a plain hash would let them. Without a key, the last characters stay. Decisions keep the
// id as it came, spans hold none.
//
// # Why both a handler and a writer
//
// A [slog.Handler] sees attributes before they are encoded, so a masked number stays valid JSON. What is printed beside
// the log (a usage error that repeats a file name, the last word of a command that failed) has no handler: [Writer] masks
// it on its way to standard error.
package privacy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"
)

// Options is what somebody has configured. The zero value masks everything.
type Options struct {
	HashKey []byte // of ids; empty: they are cut to their last characters
}

// Masker masks. It is immutable: one serves the whole process. A nil Masker does what one of the zero Options does.
type Masker struct{ key []byte }

// New returns a masker.
func New(o Options) *Masker {
	return &Masker{key: slices.Clone(o.HashKey)}
}

// Text is text with its card numbers cut short.
func (m *Masker) Text(text string) string { return maskCards(text) }

// arrays writes blanks for what stands between the elements of an array in JSON without white space; every place stays.
var arrays = strings.NewReplacer(`","`, "   ", `",`, "  ", `,"`, "  ", ",", " ")

// JSON is Text for a value in JSON, whose elements of an array may be the groups of a card number.
func (m *Masker) JSON(value string) string {
	masked := []byte(m.Text(value))
	for i, c := range []byte(m.Text(arrays.Replace(value))) {
		if c == '*' {
			masked[i] = c
		}
	}
	return string(masked)
}

// hashed is how much of a hash is shown. Eighty bits: among a million ids, the chance that any two look alike is under
// one in a trillion.
const hashed = 10

// ID is how an id is shown: twenty hexadecimal digits with a key; without one a star and its last characters, four or a
// third of them, whichever is less. An empty id, which an event may have, stays empty.
func (m *Masker) ID(id string) string {
	if id == "" {
		return ""
	}
	if m != nil && len(m.key) > 0 {
		mac := hmac.New(sha256.New, m.key)
		mac.Write([]byte(id))
		return hex.EncodeToString(mac.Sum(nil)[:hashed])
	}
	characters := utf8.RuneCountInString(id)
	hidden := characters - min(4, characters/3)
	for range hidden {
		_, size := utf8.DecodeRuneInString(id)
		id = id[size:]
	}
	return "*" + id
}
