package cards

import (
	"math"
	"math/rand/v2"
	"sort"
)

// country indexes countries.
type country int

// countries in which customers live (weight > 0) and shops are. Places are kilometres on a flat map: only distances
// matter. The clocks know no summer time.
var countries = [...]struct {
	code      string
	weight    float64 // share of the customers
	x, y      float64 // centre
	utcOffset int64   // hours
}{
	{"GB", .29, 0, 0, 0},
	{"DE", .18, 800, -150, 1},
	{"FR", .14, 250, -600, 1},
	{"ES", .08, -150, -1300, 1},
	{"IT", .08, 1050, -1050, 1},
	{"NL", .07, 400, -30, 1},
	{"PL", .05, 1450, -60, 1},
	{"US", .11, -6200, -900, -5},
	{"IE", 0, -450, 60, 0},
	{"LU", 0, 470, -350, 1},
	{"TR", 0, 2500, -1300, 3},
	{"BR", 0, -5500, -8000, -3},
	{"SG", 0, 10900, -5200, 8},
}

const homes = 8 // countries[:homes] have customers

// category indexes categories.
type category int

// categories of merchants: shop is the share of physical shops, web of web shops; factor is the typical amount,
// as the logarithm of a multiple of the customer's own.
var categories = [...]struct {
	mcc, name string
	shop, web float64
	factor    float64
}{
	{"5411", "groceries", .30, .06, -.1},
	{"5812", "restaurant", .20, .08, 0},
	{"5541", "fuel", .10, 0, .5},
	{"5912", "pharmacy", .08, .06, -.4},
	{"4111", "transport", .10, .08, -.9},
	{"5999", "retail", .10, .26, .1},
	{"5732", "electronics", .03, .13, 1.4},
	{"5944", "jewellery", .02, .04, 1.7},
	{"5816", "digital goods", 0, .19, -1.2},
	{"4722", "travel", .01, .07, 1.8},
	{"7995", "gambling", 0, .03, .4},
	{cashMCC, "cash", .06, 0, 1.0},
}

// cashMCC is the category of cash machines.
const cashMCC = "6011"

// Categories that thieves like, as indexes of categories.
const (
	electronics  category = 6
	jewellery    category = 7
	digitalGoods category = 8
	travel       category = 9
)

// A customer has a home, habits and one card. It is drawn once and never changes; what happens to it is in its
// history.
type customer struct {
	home     country
	x, y     float64
	age      float64 // years; NaN where the bank does not know
	cardType string
	perDay   float64 // payments a day
	mu       float64 // logarithm of the typical amount in euros
	online   float64 // share of payments made on the web
	shops    []int   // terminals nearby, visited again and again
	webShops []int
}

// A terminal takes payments for a merchant: a machine in a shop, a cash machine, or the checkout of a web shop.
type terminal struct {
	merchant int
	in       country
	x, y     float64
	category category
	online   bool
	located  bool // its place is known
}

// A bank is the population: the same for every seed. Customers and terminals are named by their index; the
// other lists are of indexes of terminals, by country and kind.
type bank struct {
	customers []customer
	terminals []terminal
	shopsIn   [len(countries)][]int
	cashIn    [len(countries)][]int
	web       []int
}

// The bank is large enough for no card to dominate a show, and for an hour to have many payments even by night: the mix
// of an interval of some hundred is that of one hour. It is small enough to live through the warm-up in half a second.
const (
	customerCount = 16000
	shopCount     = 1600
	webShopCount  = 260
)

// newBank draws shops first, since customers choose among them. It has a source of randomness of its own with a
// fixed seed, so that the days cannot shift the population.
func newBank() *bank {
	rng := rand.New(rand.NewPCG(20261102, 7))
	b := &bank{}
	for range shopCount {
		b.addShop(rng)
	}
	for range webShopCount {
		b.web = append(b.web, len(b.terminals))
		b.terminals = append(b.terminals, terminal{
			merchant: len(b.terminals) + 1, in: webCountry(rng), online: true,
			category: pick[category](rng, func(i int) float64 { return categories[i].web }, len(categories)),
		})
	}
	for range customerCount {
		b.addCustomer(rng)
	}
	return b
}

// addShop puts a shop or a cash machine somewhere around the centre of a country. Two terminals share a merchant.
func (b *bank) addShop(rng *rand.Rand) {
	in := homeCountry(rng)
	if rng.Float64() < .12 { // where customers travel to
		in = country(homes + rng.IntN(len(countries)-homes))
	}
	id := len(b.terminals)
	t := terminal{
		merchant: 1 + id/2, in: in, located: rng.Float64() >= .03,
		x: countries[in].x + 150*rng.NormFloat64(), y: countries[in].y + 150*rng.NormFloat64(),
		category: pick[category](rng, func(i int) float64 { return categories[i].shop }, len(categories)),
	}
	b.terminals = append(b.terminals, t)
	if categories[t.category].mcc == cashMCC {
		b.cashIn[in] = append(b.cashIn[in], id)
	} else {
		b.shopsIn[in] = append(b.shopsIn[in], id)
	}
}

// addCustomer draws everything that makes one customer differ from another: a model that knows only the average will
// not do.
func (b *bank) addCustomer(rng *rand.Rand) {
	home := homeCountry(rng)
	c := customer{
		home: home,
		x:    countries[home].x + 150*rng.NormFloat64(), y: countries[home].y + 150*rng.NormFloat64(),
		age:      math.Round(min(max(44+17*rng.NormFloat64(), 18), 95)),
		cardType: [...]string{"debit", "debit", "debit", "credit", "credit", "prepaid"}[rng.IntN(6)],
		perDay:   2.2 * math.Exp(.5*rng.NormFloat64()-.125),
		mu:       3.1 + .45*rng.NormFloat64(),
		online:   min(max(.28+.15*rng.NormFloat64(), .02), .9),
	}
	if rng.Float64() < .06 {
		c.age = math.NaN()
	}
	c.shops = b.nearest(rng, c, 10)
	for range 6 {
		c.webShops = append(c.webShops, b.web[rng.IntN(len(b.web))])
	}
	b.customers = append(b.customers, c)
}

// nearest gives the n closest of some forty shops in the customer's country.
func (b *bank) nearest(rng *rand.Rand, c customer, n int) []int {
	all := b.shopsIn[c.home]
	some := make([]int, 40)
	for i := range some {
		some[i] = all[rng.IntN(len(all))]
	}
	away := func(id int) float64 { return math.Hypot(b.terminals[id].x-c.x, b.terminals[id].y-c.y) }
	sort.Slice(some, func(i, j int) bool { return away(some[i]) < away(some[j]) })
	return some[:n:n]
}

// homeCountry draws a country by its share of the customers.
func homeCountry(rng *rand.Rand) country {
	return pick[country](rng, func(i int) float64 { return countries[i].weight }, homes)
}

// webCountry is where a web shop sits: mostly where customers live, else where such companies like to be.
func webCountry(rng *rand.Rand) country {
	if rng.Float64() < .7 {
		return homeCountry(rng)
	}
	return country(homes + rng.IntN(len(countries)-homes))
}

// pick draws an index below n by weight; the weights sum to 1.
func pick[T ~int](rng *rand.Rand, weight func(int) float64, n int) T {
	u := rng.Float64()
	for i := range n - 1 {
		if u -= weight(i); u < 0 {
			return T(i)
		}
	}
	return T(n - 1)
}
