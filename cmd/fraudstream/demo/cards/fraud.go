package cards

import (
	"container/heap"
	"math"
	"slices"
)

// Pattern says what a payment was: the truth that only the training data and the tests see.
type Pattern uint8

// Honest payments, and the ways of fraud.
const (
	Honest              Pattern = iota
	StolenCard                  // a card is emptied in shops within hours
	ForeignPurchase             // one or two large purchases at web shops abroad
	CompromisedTerminal         // payments with copied cards at one terminal for some days
	CardTesting                 // tiny payments at a web shop, then one large one
)

// episodesPerDay is how many episodes of fraud begin in a day, of all patterns.
const episodesPerDay = 120

// The patterns differ in what gives them away, so that no single feature does: a stolen card by its frequency and its
// distance, a foreign purchase by amount and border, a terminal by its disputes, card testing by tiny amounts in quick
// succession. All of them overlap with what honest customers do, and some payments of an episode look quite ordinary.

// planEpisode plans the payments of one episode that begins at a time. The shares are of episodes and not of
// payments: a terminal that was tampered with is rare and brings many.
func (g *Generator) planEpisode(at int64) {
	switch u := g.rng.Float64(); {
	case u < .24:
		g.planStolenCard(at)
	case u < .78:
		g.planForeignPurchase(at)
	case u < .80:
		g.planCompromisedTerminal(at)
	default:
		g.planCardTesting(at)
	}
}

// planStolenCard empties a card in the shops of its country, far from where its owner lives, and at cash
// machines. There are three to nine payments, three to forty minutes apart.
func (g *Generator) planStolenCard(at int64) {
	who := g.anyCustomer()
	c := &g.bank.customers[who]
	for range 3 + g.rng.IntN(7) {
		at += g.minutes(3, 40)
		p := payment{at: at, customer: who, pattern: StolenCard, channel: "pos", terminal: g.oneOf(g.bank.shopsIn[c.home])}
		switch u := g.rng.Float64(); {
		case u < .25:
			p.channel, p.terminal = "atm", g.oneOf(g.bank.cashIn[c.home])
		case u < .6:
			p.terminal = g.shopOf(c.home, electronics, jewellery)
		}
		p.cents = g.scaled(c, p.terminal, 1.2, 3)
		if p.channel == "pos" && p.cents < 50_00 {
			p.channel = "contactless"
		}
		heap.Push(&g.planned, p)
	}
}

// planForeignPurchase buys what can be sold again, from a shop in another country.
func (g *Generator) planForeignPurchase(at int64) {
	who := g.anyCustomer()
	c := &g.bank.customers[who]
	for range 1 + g.rng.IntN(2) {
		at += g.minutes(1, 30)
		shop := g.webShopOf(electronics, jewellery, travel)
		for tries := 0; g.bank.terminals[shop].in == c.home && tries < 20; tries++ {
			shop = g.webShopOf(electronics, jewellery, travel)
		}
		heap.Push(&g.planned, payment{
			at: at, customer: who, terminal: shop, channel: "ecommerce",
			cents: g.scaled(c, shop, 1.2, 4), pattern: ForeignPurchase,
		})
	}
}

// planCompromisedTerminal uses copied cards of any customers at one terminal until it is found out, some days later.
// Its first payments look honest; disputes arrive a day after.
func (g *Generator) planCompromisedTerminal(at int64) {
	in := homeCountry(g.rng)
	terminal := g.oneOf(g.bank.shopsIn[in])
	if g.rng.Float64() < .5 {
		terminal = g.oneOf(g.bank.cashIn[in])
	}
	end := at + int64(float64(day)*(2+3*g.rng.Float64()))
	for at += g.minutes(10, 200); at < end; at += g.minutes(10, 200) {
		who := g.anyCustomer()
		p := payment{
			at: at, customer: who, terminal: terminal, channel: "pos",
			cents: g.scaled(&g.bank.customers[who], terminal, 1, 2.5), pattern: CompromisedTerminal,
		}
		if categories[g.bank.terminals[terminal].category].mcc == cashMCC {
			p.channel = "atm"
		}
		heap.Push(&g.planned, p)
	}
}

// planCardTesting tries a card with amounts that nobody notices, then buys. The tests are three to seven,
// of 0.50 to 2.49 euros each.
func (g *Generator) planCardTesting(at int64) {
	who := g.anyCustomer()
	shop := g.webShopOf(digitalGoods)
	for range 3 + g.rng.IntN(5) {
		at += g.minutes(.2, 4)
		heap.Push(&g.planned, payment{
			at: at, customer: who, terminal: shop, channel: "ecommerce",
			cents: 50 + g.rng.Int64N(2_00), pattern: CardTesting,
		})
	}
	shop = g.webShopOf(electronics, jewellery)
	heap.Push(&g.planned, payment{
		at: at + g.minutes(2, 60), customer: who, terminal: shop, channel: "ecommerce",
		cents: g.scaled(&g.bank.customers[who], shop, 1.5, 4), pattern: CardTesting,
	})
}

// scaled is the amount that a thief takes: more than the customer would, so that it is worth it, but not so much more
// that it could not be the customer. It is the customer's usual amount at a terminal times a factor between lo and hi.
func (g *Generator) scaled(c *customer, terminal int, lo, hi float64) int64 {
	factor := math.Log(lo + (hi-lo)*g.rng.Float64())
	mean := c.mu + categories[g.bank.terminals[terminal].category].factor
	euros := math.Exp(mean + factor + .3*g.rng.NormFloat64())
	return max(int64(math.Round(euros*100)), 50)
}

// minutes is a uniform time between lo and hi minutes, in milliseconds.
func (g *Generator) minutes(lo, hi float64) int64 {
	return int64((lo + (hi-lo)*g.rng.Float64()) * 60_000)
}

// shopOf is a shop in a country, of one of some categories where a few tries find one.
func (g *Generator) shopOf(in country, wanted ...category) int {
	return g.ofCategory(g.bank.shopsIn[in], wanted)
}

// webShopOf is a web shop of one of some categories, wherever it sits.
func (g *Generator) webShopOf(wanted ...category) int { return g.ofCategory(g.bank.web, wanted) }

// ofCategory draws until the category fits, 200 times at most; what was drawn last will do where none does.
func (g *Generator) ofCategory(ids []int, wanted []category) int {
	var id int
	for range 200 {
		id = g.oneOf(ids)
		if slices.Contains(wanted, g.bank.terminals[id].category) {
			return id
		}
	}
	return id
}

// plan is a heap of payments to come, the earliest on top.
type plan []payment

// next is the time of the earliest payment; far away where there is none.
func (p plan) next() int64 {
	if len(p) == 0 {
		return math.MaxInt64
	}
	return p[0].at
}

func (p plan) Len() int           { return len(p) }
func (p plan) Less(i, j int) bool { return p[i].at < p[j].at }
func (p plan) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *plan) Push(x any)        { *p = append(*p, x.(payment)) }

func (p *plan) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
