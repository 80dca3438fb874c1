package scoring

import (
	"cmp"
	"slices"

	"fraudstream/scoring/program"
)

// A dictionary gives the codes of a coded column, keyed by JSON type and text. It is immutable, and a look-up
// allocates nothing: texts go through a hash table, numbers through a binary search, and the two truth values
// are indexed.
type dictionary struct {
	names   keyTable  // of texts; the index in codes
	codes   []float64 // codes[0] is Unseen
	values  []float64 // the numbers among the constants, ascending
	numbers []float64 // their codes
	bools   [2]float64
	flags   types
}

// newDictionary takes the codes from the domain, once, so that no event asks a Go map.
func newDictionary(d *program.Domain) *dictionary {
	dict := &dictionary{codes: []float64{program.Unseen}, bools: [2]float64{program.Unseen, program.Unseen}}
	constants := slices.Clone(d.Constants())
	slices.SortStableFunc(constants, func(a, b program.Constant) int { return cmp.Compare(a.Num, b.Num) })
	for _, c := range constants {
		code, _ := d.Value(c)
		switch c.Type {
		case program.String:
			dict.names.insert(c.Text, int32(len(dict.codes)))
			dict.codes = append(dict.codes, code)
			dict.flags |= texts
		case program.Number:
			dict.values, dict.numbers = append(dict.values, c.Num), append(dict.numbers, code)
			dict.flags |= numbers
		case program.Bool:
			dict.bools[int(c.Num)] = code
			dict.flags |= booleans
		}
	}
	return dict
}

// types are those of the constants: what the column takes.
func (d *dictionary) types() types { return d.flags }

// text, number and boolean return the code of a value, Unseen where it is no constant of the domain. The text "1",
// the number 1 and true are three categories.
func (d *dictionary) text(s []byte) float64 { return d.codes[d.names.lookup(s, hashKey(s))] }

// number finds equal values only: 5411 and 5411.0 are one float64, and nothing is rounded to be found.
func (d *dictionary) number(f float64) float64 {
	if i, found := slices.BinarySearch(d.values, f); found {
		return d.numbers[i]
	}
	return program.Unseen
}

// boolean gives the code that true or false has, if the domain knows it.
func (d *dictionary) boolean(b bool) float64 {
	if b {
		return d.bools[1]
	}
	return d.bools[0]
}
