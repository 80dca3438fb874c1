package drift

import (
	"math"
	"strconv"
	"strings"
)

// sentence says how the share of a cell has changed: "amount over 1,000: 0.4 % → 3.1 %".
func sentence(cell string, baseline, live float64) string {
	from, to := percents(baseline, live)
	return cell + ": " + from + " → " + to
}

// valueWords names value cell i for people.
func (f *Feature) valueWords(i int) string { return f.Name + " " + f.CellWords(i) }

// CellWords names value cell i for people, without the feature's name: "over 5 to 10".
func (f *Feature) CellWords(i int) string {
	switch {
	case f.Categorical && i == len(f.Values):
		return "any other"
	case f.Categorical:
		return f.cellName(i)
	case len(f.Edges) == 0:
		return "any number"
	case i == 0:
		return "up to " + f.edgeWords(0)
	case i == len(f.Edges):
		return "over " + f.edgeWords(i-1)
	default:
		return "over " + f.edgeWords(i-1) + " to " + f.edgeWords(i)
	}
}

// qualityWords names a quality cell for people.
func (f *Feature) qualityWords(q quality) string {
	switch {
	case q == missing:
		return f.Name + " missing"
	case q == unseen:
		return f.Name + " never seen in training"
	case q == outside:
		return f.Name + " unreadable" + f.rangeWords()
	default:
		return f.Name + " in order"
	}
}

// rangeWords says which numbers are outside; nothing where the baseline tells no range.
func (f *Feature) rangeWords() string {
	low, high := !math.IsInf(f.Min, 0), !math.IsInf(f.Max, 0)
	switch {
	case f.Categorical || !f.HasRange || !low && !high:
		return ""
	case low && high:
		return " or outside " + grouped(f.Min, 4) + " to " + grouped(f.Max, 4)
	case low:
		return " or under " + grouped(f.Min, 4)
	default:
		return " or over " + grouped(f.Max, 4)
	}
}

// edgeWords is an edge to four digits, or to as many as tell it from its neighbours.
func (f *Feature) edgeWords(i int) string {
	for digits := 4; digits < 17; digits++ {
		text := grouped(f.Edges[i], digits)
		if (i == 0 || text != grouped(f.Edges[i-1], digits)) && (i == len(f.Edges)-1 || text != grouped(f.Edges[i+1], digits)) {
			return text
		}
	}
	return grouped(f.Edges[i], -1)
}

// grouped writes a number to so many significant digits (-1: all), whole thousands parted by commas. What is too
// large or too small for people to read like that has an exponent.
func grouped(x float64, digits int) string {
	if digits > 0 {
		x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', max(digits, wholeDigits(x)), 64), 64)
	}
	if a := math.Abs(x); a != 0 && (a < 1e-4 || a >= 1e15) {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	text := strconv.FormatFloat(x, 'f', -1, 64)
	whole, fraction, dotted := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dotted {
		whole += "." + fraction
	}
	if x < 0 {
		whole = "-" + whole
	}
	return whole
}

// wholeDigits is the number of digits before the point, at most 15: rounding must not turn 12,345 into 12,350.
func wholeDigits(x float64) int {
	if math.Abs(x) < 1 {
		return 0
	}
	return min(15, 1+int(math.Log10(math.Abs(x))))
}

// percents writes two shares so that a difference shows: whole percents from 10 % on, else two digits, more where the
// two would look alike.
func percents(a, b float64) (string, string) {
	for digits := 2; ; digits++ {
		from, to := percent(a, digits), percent(b, digits)
		if from != to || a == b || digits == 15 {
			return from, to
		}
	}
}

func percent(share float64, digits int) string {
	p, _ := strconv.ParseFloat(strconv.FormatFloat(100*share, 'g', digits, 64), 64)
	return strconv.FormatFloat(p, 'f', -1, 64) + " %"
}
