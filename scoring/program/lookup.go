package program

import (
	"math"
	"slices"
)

// A Lookup finds which of a list of constants a register holds. It is bound when the builder is finished.
type Lookup struct {
	table  []int32   // by code, or by value where the constants are small non-negative integers
	sorted []float64 // else the numbers in ascending order
	place  []int32   // of each number of sorted
	nan    int32     // place of NaN; -1
	none   int32     // place of None; -1
}

// Of returns the place in the list of the constant that v stands for, or -1 where v is none of them.
func (l *Lookup) Of(v float64) int {
	if v >= 0 && v < float64(len(l.table)) {
		if i := int(v); float64(i) == v {
			return int(l.table[i])
		}
		return -1
	}
	if v != v {
		return int(l.nan)
	}
	if l.sorted == nil {
		if v == None {
			return int(l.none)
		}
		return -1
	}
	if i, found := slices.BinarySearch(l.sorted, v); found {
		return int(l.place[i])
	}
	return -1
}

// maxTable is the largest number that is looked up in a table rather than by bisection.
const maxTable = 4096

// bind fills the lookup for constants of a register with domain d. Where a constant stands twice, its first place
// holds.
func (l *Lookup) bind(d *Domain, constants []Constant) {
	l.nan, l.none = -1, -1
	coded := d.Type() == String
	values := make([]float64, 0, len(constants))
	places := make([]int32, 0, len(constants))
	for i, c := range constants {
		v, known := d.Value(c)
		switch {
		case !known: // a text in the list of a computed number, which never holds one
		case c.Type == NaN:
			if l.nan < 0 {
				l.nan = int32(i)
			}
		case c.Type == NoneType:
			if l.none < 0 {
				l.none = int32(i)
			}
		default:
			values = append(values, v)
			places = append(places, int32(i))
		}
	}
	if coded || allSmall(values) {
		l.table = tabulate(values, places)
		return
	}
	l.sorted, l.place = sortTogether(values, places)
}

// allSmall reports whether every value can index a table.
func allSmall(values []float64) bool {
	for _, v := range values {
		if v < 0 || v >= maxTable || v != math.Trunc(v) {
			return false
		}
	}
	return true
}

// tabulate returns a table from value to place, -1 where there is none.
func tabulate(values []float64, places []int32) []int32 {
	size := 0
	for _, v := range values {
		size = max(size, int(v)+1)
	}
	table := make([]int32, size)
	for i := range table {
		table[i] = -1
	}
	for i, v := range slices.Backward(values) {
		table[int(v)] = places[i]
	}
	return table
}

// sortTogether sorts values and moves places with them.
func sortTogether(values []float64, places []int32) (sorted []float64, moved []int32) {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	sorted, moved = make([]float64, len(values)), make([]int32, len(values))
	for i, from := range order {
		sorted[i], moved[i] = values[from], places[from]
	}
	return sorted, moved
}

// A Cell is one constant as a register holds it. It is bound when the builder is finished.
type Cell struct{ Value float64 }
