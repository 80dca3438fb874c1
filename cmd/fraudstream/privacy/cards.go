package privacy

import "strings"

// The digits of a card number (ISO/IEC 7812-1: up to 19; the shortest in use have 13).
const (
	minDigits = 13
	maxDigits = 19
)

// A digit is one of a chain: its place in the text, and whether a group begins (zeros before it aside) or ends with it.
type digit struct {
	at           int
	begins, ends bool
}

// maskCards returns text with every card number in it cut short; text itself where there is none.
func maskCards(text string) string {
	if !manyDigits(text) {
		return text
	}
	var masked []byte
	for chain, next := nextChain(text, 0); chain != nil; chain, next = nextChain(text, next) {
		for len(chain) >= minDigits {
			n := cardAt(text, chain)
			if n == 0 {
				chain = chain[1:]
				continue
			}
			if masked == nil {
				masked = []byte(text)
			}
			hide(masked, chain[:n])
			chain = chain[n:]
		}
	}
	if masked == nil {
		return text
	}
	return string(masked)
}

// manyDigits spares nearly all texts the rest.
func manyDigits(text string) bool {
	n := 0
	for i := range len(text) {
		if isDigit(text[i]) {
			n++
		}
	}
	return n >= minDigits
}

// nextChain returns the next digits from a place on that nothing but separators divides, and where it ends; nil at the
// end of the text.
func nextChain(text string, from int) (chain []digit, next int) {
	p := from
	for p < len(text) && !isDigit(text[p]) {
		p++
	}
	for p < len(text) {
		begin := p
		for p < len(text) && isDigit(text[p]) {
			begins := p == begin || text[p-1] == '0' && chain[len(chain)-1].begins
			chain = append(chain, digit{at: p, begins: begins})
			p++
		}
		chain[len(chain)-1].ends = true
		gap := separator(text[p:], p-begin)
		if gap == 0 || p+gap == len(text) || !isDigit(text[p+gap]) {
			return chain, p
		}
		p += gap
	}
	return chain, p
}

// maxGap is how many separators may stand between two groups: " - " is three.
const maxGap = 3

// separators are what people put between the groups of a card number, typographers' blanks and dashes included.
var separators = [...]string{" ", "-", "_", "\t", "\u00a0", "\u2007", "\u2009", "\u202f", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212"}

// separator returns the length of what divides the group before, of so many digits, from the next; 0 where it does not.
// A dot does so only after four digits: elsewhere it is a decimal point.
func separator(text string, group int) (length int) {
	if group == 4 && strings.HasPrefix(text, ".") {
		return 1
	}
	for range maxGap {
		before := length
		for _, s := range separators {
			if strings.HasPrefix(text[length:], s) {
				length += len(s)
				break
			}
		}
		if length == before {
			break
		}
	}
	return length
}

// cardAt returns how many digits the card number has that the chain begins with; 0: none. Numbers begin and end with a
// group, and no card number begins with zero, which the check would not see. The groups between the first and the last
// have three digits at least: 1 2 3 4 is a list.
func cardAt(text string, chain []digit) int {
	if !chain[0].begins || text[chain[0].at] == '0' {
		return 0
	}
	best, group, groups := 0, 0, 0
	for n := 1; n <= min(len(chain), maxDigits); n++ {
		group++
		if !chain[n-1].ends {
			continue
		}
		if n >= minDigits && luhn(text, chain[:n]) {
			best = n
		}
		if groups++; groups > 1 && group < 3 {
			break
		}
		group = 0
	}
	return best
}

// luhn is the check of ISO/IEC 7812-1, annex B: from the right, every second digit counts twice, with its own digits
// added up, and the sum ends with zero.
func luhn(text string, digits []digit) bool {
	sum := 0
	for i := range digits {
		d := int(text[digits[len(digits)-1-i].at] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// hide puts stars in the place of the digits that nobody may see; the package comment says how many.
func hide(text []byte, digits []digit) {
	first, last := 6, 4
	if len(digits) < 15 {
		first = 0
	}
	for _, d := range digits[first : len(digits)-last] {
		text[d.at] = '*'
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
