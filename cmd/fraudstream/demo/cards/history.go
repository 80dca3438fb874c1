package cards

import "math"

// A history is what the bank remembers of a card: its payments of the last seven days, and where its owner is.
// The window slides by payments and not by a clock: what is too old goes when the card is used again.
type history struct {
	payments  []past // by time
	cents     int64  // sum of payments
	away      country
	awayUntil int64
}

// A past payment is its time in Unix milliseconds and its amount.
type past struct{ at, cents int64 }

// forget drops payments before a time.
func (h *history) forget(before int64) {
	n := 0
	for n < len(h.payments) && h.payments[n].at < before {
		h.cents -= h.payments[n].cents
		n++
	}
	h.payments = append(h.payments[:0], h.payments[n:]...)
}

// add remembers a payment, which is the latest.
func (h *history) add(at, cents int64) {
	h.payments = append(h.payments, past{at, cents})
	h.cents += cents
}

// since counts the payments after a time. It looks backwards from the latest, since a day is the end of seven.
func (h *history) since(t int64) int {
	n := 0
	for n < len(h.payments) && h.payments[len(h.payments)-1-n].at > t {
		n++
	}
	return n
}

// mean is the mean amount in euros over n payments.
func (h *history) mean() (n int, euros float64) {
	n = len(h.payments)
	if n == 0 {
		return 0, 0
	}
	return n, float64(h.cents) / 100 / float64(n)
}

// last is the time of the latest payment; there must be one.
func (h *history) last() int64 { return h.payments[len(h.payments)-1].at }

// A reputation counts the payments and disputes of a terminal, halved every day: a week after a dispute nothing that
// can be seen is left of it, so that after the ten days of the warm-up reputations are spread as they will stay.
type reputation struct {
	payments, disputes float64
	at                 int64
}

// A report tells a day after a fraud that the payment was disputed.
type report struct {
	at       int64
	terminal int
}

// risk is the share of disputed payments, pulled towards nothing while a terminal is little known. The ten that
// are added below are payments without a dispute, by which every terminal begins with a good name.
func (r *reputation) risk(at int64) float64 {
	r.fade(at)
	return r.disputes / (r.payments + 10)
}

// paid counts one more payment.
func (r *reputation) paid(at int64) {
	r.fade(at)
	r.payments++
}

// fade takes both counts to the time at: halved for every half-life that has gone by, 2^(-t/T).
func (r *reputation) fade(at int64) {
	const halfLife = float64(day)
	keep := math.Exp2(-float64(at-r.at) / halfLife)
	r.payments *= keep
	r.disputes *= keep
	r.at = at
}

// settleReports books the disputes that have come in by a time.
func (g *Generator) settleReports(now int64) {
	n := 0
	for n < len(g.reports) && g.reports[n].at <= now {
		t := &g.terminals[g.reports[n].terminal]
		t.fade(g.reports[n].at)
		t.disputes++
		n++
	}
	g.reports = append(g.reports[:0], g.reports[n:]...)
}
