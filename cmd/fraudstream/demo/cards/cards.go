// Package cards makes card payments: the days of a small bank, drawn from a seed.
//
// Sixteen thousand customers with a home country, an age, a card and habits pay at a few hundred web shops and some
// sixteen hundred terminals. [Generator.Next] gives one payment after the other in order of time; the same seed
// gives the same payments, byte for byte.
//
// # How a day is made
//
// Honest payments are a Poisson process whose rate follows the clock on the customer's wall: a candidate is drawn at
// the busiest hour's rate and kept with the share of the hour it falls in (thinning). What a customer spends is
// lognormal around a mean of their own, moved by the kind of shop. Now and then someone travels, or buys something
// large: a model that blocks every unusual payment will be wrong, as in life.
//
// Fraud comes in episodes, each a plan of a few payments that are merged into the stream when their time has come:
// a stolen card that is emptied in town, a large purchase at a web shop abroad, a terminal that was tampered with,
// and tiny test payments before one large one. Between one and two per cent of all payments are fraud.
//
// # Why the payments carry velocities
//
// How often a card was used in a day, how an amount compares with the week before and how many payments of a terminal
// were disputed need the past of cards and terminals. Here, as in a bank, a system upstream keeps that past and
// sends what it knows along with each payment; fraudstream itself scores one event at a time. A [Generator] has lived
// through ten days before its first payment, so that no card starts without a past.
//
// # Why the customers are the same for every seed
//
// The model of the demo was trained on one seed and watches another. A second draw of customers would shift countries
// and amounts by a few per cent and look like drift, which it would be. So the seed draws the days, not the bank.
package cards

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

// Start is when the first payment of every generator may happen: a Monday morning. By night there are few honest
// payments, and as much fraud as ever.
var Start = time.Date(2026, time.November, 2, 8, 0, 0, 0, time.UTC)

// warmUp is how long a generator lives before Start.
const warmUp = 10 * 24 * time.Hour

// day in the unit of every time in this package, milliseconds. Times are Unix milliseconds throughout, which is
// also what the events say.
const day = int64(24 * time.Hour / time.Millisecond)

// rhythm is how busy each local hour is, relative to the busiest. It is that of shops: quiet at night, a peak
// at noon and one in the evening.
var rhythm = [24]float64{
	.10, .06, .04, .03, .04, .09, .22, .42, .60, .68, .75, .86,
	1.0, .92, .78, .75, .80, .92, 1.0, .90, .70, .52, .34, .18,
}

// A Generator draws payments. One goroutine may use it. It never ends: a payment of next year is drawn like one
// of next minute.
type Generator struct {
	rng       *rand.Rand
	bank      *bank
	weights   []float64    // cumulative payments a day, per customer
	cards     []history    // per customer
	terminals []reputation // per terminal
	reports   []report     // disputes on their way, by time

	issued    uint64
	candidate int64 // time of the next candidate for an honest payment, Unix milliseconds
	episode   int64 // time at which the next fraud episode is planned
	planned   plan  // what the episodes so far will still do
	lastTime  int64 // of the latest payment: no two share a time
}

// New returns a generator that has lived through the days before [Start].
func New(seed int64) *Generator {
	b := newBank()
	g := &Generator{
		rng:       rand.New(rand.NewPCG(uint64(seed), 0xf5a0d)),
		bank:      b,
		weights:   make([]float64, len(b.customers)),
		cards:     make([]history, len(b.customers)),
		terminals: make([]reputation, len(b.terminals)),
	}
	sum := 0.0
	for i, c := range b.customers {
		sum += c.perDay
		g.weights[i] = sum
	}
	start := Start.UnixMilli()
	begin := start - warmUp.Milliseconds()
	g.candidate, g.episode = begin, begin
	g.advanceCandidate()
	g.advanceEpisode()
	for g.nextTime() < start {
		g.draw()
	}
	g.issued = 0
	return g
}

// Next returns the next payment. Two in a row are a millisecond apart at least, so that the order by time is
// the only one.
func (g *Generator) Next() Transaction { return g.draw() }

// draw takes whatever comes first: a planned fraud or an honest payment.
func (g *Generator) draw() Transaction {
	for {
		switch {
		case g.episode <= g.candidate && g.episode <= g.planned.next():
			g.planEpisode(g.episode)
			g.advanceEpisode()
		case g.planned.next() <= g.candidate:
			return g.pay(heap.Pop(&g.planned).(payment))
		default:
			at := g.candidate
			customer := g.anyCustomer()
			g.advanceCandidate()
			c := &g.bank.customers[customer]
			if g.rng.Float64() < rhythm[localHour(at, c.home)] {
				return g.pay(g.honest(at, customer))
			}
		}
	}
}

// nextTime is the earliest moment at which the next payment can happen.
func (g *Generator) nextTime() int64 { return min(g.candidate, g.episode, g.planned.next()) }

// advanceCandidate moves on by an exponential waiting time, which is what makes the candidates a Poisson
// process.
func (g *Generator) advanceCandidate() {
	const meanRhythm = 0.52917 // so that perDay holds for a whole day
	perDay := g.weights[len(g.weights)-1] / meanRhythm
	g.candidate += int64(math.Ceil(g.rng.ExpFloat64() / perDay * float64(day)))
}

// advanceEpisode does the same for the episodes of fraud, which keep no hours.
func (g *Generator) advanceEpisode() {
	g.episode += int64(math.Ceil(g.rng.ExpFloat64() / episodesPerDay * float64(day)))
}

// anyCustomer draws a customer by how often they pay. A uniform number falls into a customer's stretch of the
// cumulative rates by a binary search.
func (g *Generator) anyCustomer() int {
	u := g.rng.Float64() * g.weights[len(g.weights)-1]
	return min(sort.SearchFloat64s(g.weights, u), len(g.weights)-1)
}

// localHour is the hour, 0 to 23, that clocks in the country show.
func localHour(at int64, in country) int {
	const hour = day / 24
	return int((at/hour+24+countries[in].utcOffset)%24+24) % 24
}

// pay gives a payment its id and what the systems upstream know of its card and terminal, and remembers it.
// What is known of the past is read before the payment itself is added to it: no feature may contain what it is
// to judge.
func (g *Generator) pay(p payment) Transaction {
	p.at = max(p.at, g.lastTime+1)
	g.lastTime = p.at
	g.settleReports(p.at)
	g.issued++

	c, t := &g.bank.customers[p.customer], &g.bank.terminals[p.terminal]
	past, standing := &g.cards[p.customer], &g.terminals[p.terminal]
	past.forget(p.at - 7*day)
	amount := float64(p.cents) / 100
	tx := Transaction{
		Number:           g.issued,
		Time:             p.at,
		Card:             p.customer + 1,
		Terminal:         p.terminal + 1,
		Merchant:         t.merchant,
		Amount:           amount,
		Country:          countries[t.in].code,
		Channel:          p.channel,
		MCC:              categories[t.category].mcc,
		CardType:         c.cardType,
		CustomerAge:      c.age,
		DistanceKm:       math.NaN(),
		CrossBorder:      t.in != c.home,
		Hour:             localHour(p.at, c.home),
		TxCount24h:       past.since(p.at - day),
		AmountToMean7d:   math.NaN(),
		MinutesSinceLast: math.NaN(),
		TerminalRisk:     roundTo(standing.risk(p.at), 1e3),
		Pattern:          p.pattern,
	}
	if !t.online && t.located {
		tx.DistanceKm = roundTo(math.Hypot(t.x-c.x, t.y-c.y), 10)
	}
	if n, mean := past.mean(); n > 0 {
		tx.AmountToMean7d = roundTo(amount/mean, 1e3)
		tx.MinutesSinceLast = roundTo(float64(p.at-past.last())/60_000, 10)
	}
	past.add(p.at, p.cents)
	standing.paid(p.at)
	if p.pattern != Honest {
		g.reports = append(g.reports, report{at: p.at + day, terminal: p.terminal})
	}
	return tx
}

// roundTo rounds x to a multiple of 1/per, so that what is sent and what is trained on are the same number.
func roundTo(x, per float64) float64 { return math.Round(x*per) / per }
