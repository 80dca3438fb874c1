package cards

import "math"

// A payment is what a customer, or a thief, does; the rest of a [Transaction] follows from it and from the past.
type payment struct {
	at       int64 // Unix milliseconds
	customer int
	terminal int
	channel  string
	cents    int64
	pattern  Pattern
}

// honest is an ordinary payment of the customer: on the web, at a cash machine or at a till. Small amounts at a till are
// mostly contactless.
func (g *Generator) honest(at int64, who int) payment {
	c := &g.bank.customers[who]
	p := payment{at: at, customer: who}
	switch u := g.rng.Float64(); {
	case u < c.online:
		p.channel, p.terminal = "ecommerce", g.webShop(c)
	case u < c.online+.05:
		p.channel, p.terminal = "atm", g.oneOf(g.bank.cashIn[g.whereabouts(at, who)])
	default:
		p.channel, p.terminal = "pos", g.shop(c, g.whereabouts(at, who))
	}
	p.cents = g.amount(c, p.terminal)
	switch {
	case p.channel == "atm": // notes come in tens
		p.cents = max(p.cents/1000, 2) * 1000
	case p.channel == "pos" && p.cents < 50_00 && g.rng.Float64() < .8:
		p.channel = "contactless"
	}
	return p
}

// amount is lognormal around the customer's mean for that kind of shop; one payment in a hundred is a large one.
func (g *Generator) amount(c *customer, terminal int) int64 {
	mean := c.mu + categories[g.bank.terminals[terminal].category].factor
	euros := math.Exp(mean + .6*g.rng.NormFloat64())
	if g.rng.Float64() < .01 {
		euros *= 3 + 5*g.rng.Float64()
	}
	return max(int64(math.Round(euros*100)), 50)
}

// whereabouts is the country a customer is in: home, or for some days abroad. Travellers are what makes distance and
// border weak evidence.
func (g *Generator) whereabouts(at int64, who int) country {
	past, home := &g.cards[who], g.bank.customers[who].home
	if at < past.awayUntil {
		return past.away
	}
	if g.rng.Float64() < .005 {
		past.away = country(g.rng.IntN(len(countries)))
		past.awayUntil = at + int64(float64(day)*(1+3*g.rng.Float64()))
		return past.away
	}
	return home
}

// shop is a terminal at which the customer pays while in a country.
func (g *Generator) shop(c *customer, in country) int {
	if in == c.home && g.rng.Float64() < .88 {
		return g.oneOf(c.shops)
	}
	return g.oneOf(g.bank.shopsIn[in])
}

// webShop is a web shop that the customer knows, or any.
func (g *Generator) webShop(c *customer) int {
	if g.rng.Float64() < .8 {
		return g.oneOf(c.webShops)
	}
	return g.oneOf(g.bank.web)
}

// oneOf draws one of some terminals, each as likely as the other.
func (g *Generator) oneOf(ids []int) int { return ids[g.rng.IntN(len(ids))] }
