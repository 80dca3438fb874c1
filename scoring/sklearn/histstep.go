package sklearn

import (
	"math"

	"fraudstream/scoring/forest"
	"fraudstream/scoring/program"
)

// bitset is a set of categories 0 to 255.
type bitset [4]uint64

// Word c/64 holds category c, lowest bit first, which is how the eight 32-bit words of the file lie when joined
// in pairs.
func (s *bitset) add(c uint8)      { s[c>>6] |= 1 << (c & 63) }
func (s *bitset) has(c uint8) bool { return s[c>>6]>>(c&63)&1 == 1 }

// A categorySplit is a question about the category of a row: does it go left? Many nodes ask the same one, and the
// kernels of a forest only compare, so that each is answered once per row, before the trees are walked.
type categorySplit struct {
	feature     int
	left, known bitset
	missingLeft bool
	wraps       bool // 1.1 and older: a negative number is cast to a category as well
}

// right answers 0 for left and 1 for right. A category that training did not know goes where a missing value goes.
// The set of those that go left is asked first and the known ones second, as scikit-learn does it.
func (s *categorySplit) right(v float64) float64 {
	goesLeft := s.missingLeft
	if v == v && (v >= 0 || s.wraps) {
		switch c := category(v); {
		case s.left.has(c):
			goesLeft = true
		case s.known.has(c):
			goesLeft = false
		}
	}
	if goesLeft {
		return 0
	}
	return 1
}

// category is the cast of C on the processors that scikit-learn runs on: to 32 bits, of which the lowest eight stay.
// What does not fit 32 bits becomes their least number, whose lowest bits are 0.
func category(v float64) uint8 {
	if !(v > math.MinInt32-1.0 && v < math.MaxInt32+1.0) {
		return 0
	}
	return uint8(int32(v))
}

// A categoryTable answers all questions about the category of one feature at once: a row of bits for each
// category, and at the end one for what is none. Bit k of a row answers question k of splits: 0 for left, 1 for
// right.
type categoryTable struct {
	feature int
	wraps   bool
	splits  []int32 // the questions, as indices of the splits of the model
	words   int     // of a row
	rows    []uint64
}

// tabulate asks every question about every category beforehand. A model has few features with categories, but may
// have hundreds of questions, each of which would otherwise be asked of every row. Each feature with categories
// costs 257 rows, which is two kilobytes for every 64 questions.
func tabulate(splits []categorySplit) []categoryTable {
	var tables []categoryTable
	place := make(map[int]int)
	for k := range splits {
		s := &splits[k]
		at, met := place[s.feature]
		if !met {
			at = len(tables)
			place[s.feature] = at
			tables = append(tables, categoryTable{feature: s.feature, wraps: s.wraps})
		}
		tables[at].splits = append(tables[at].splits, int32(k))
	}
	for i := range tables {
		t := &tables[i]
		t.words = (len(t.splits) + 63) / 64
		t.rows = make([]uint64, (none+1)*t.words)
		for c := range none + 1 {
			v := float64(c)
			if c == none {
				v = math.NaN()
			}
			for k, split := range t.splits {
				t.rows[c*t.words+k/64] |= uint64(splits[split].right(v)) << (k % 64)
			}
		}
	}
	return tables
}

// none is the row of a categoryTable for what is no category.
const none = 256

// put writes the answers of a row into x, the one to question k at k*step. x is a slot of the forest, in which
// neighbouring features of one row lie step values apart.
func (t *categoryTable) put(x []float64, step int, v float64) {
	c := none
	if v == v && (v >= 0 || t.wraps) {
		c = int(category(v))
	}
	row := t.rows[c*t.words:][:t.words]
	for k, split := range t.splits {
		x[int(split)*step] = float64(row[uint(k)/64] >> (uint(k) % 64) & 1)
	}
}

// histStep runs a histogram boosting over a frame: rows stay float64, NaN and infinities are taken. It is the
// counterpart of [forest.Step], which casts to float32. block is how many rows the forest takes at once; start
// has one number per output.
type histStep struct {
	forest  *forest.Forest[float64]
	tables  []categoryTable
	in, out matrix
	start   []float64
	block   int
}

// newHistStep asks for the scratch that a block of rows needs: their values, then their sums.
//
// Compute refuses coded columns: a native category reaches this step as the number that its encoder gave it.
func newHistStep(b *program.Builder, h *histogram, in matrix, start []float64) *histStep {
	b.Compute(in)
	s := &histStep{forest: h.forest, tables: tabulate(h.splits), in: in, out: b.Block(len(start)), start: start}
	s.block = h.forest.Block()
	b.Lane64(s.block * (h.forest.Stride() + len(start)))
	return s
}

// Run takes the rows of the frame through the forest, a block at a time. Each sum begins with its start, and
// trees add to it in the order of the file; a sum that began with 0 and got the start last would round
// differently.
func (s *histStep) Run(f *program.Frame) {
	stride, outputs := s.forest.Stride(), len(s.out)
	for first := 0; first < f.Rows; first += s.block {
		rows := min(s.block, f.Rows-first)
		x, sums := f.Lane64[:rows*stride], f.Lane64[rows*stride:rows*(stride+outputs)]
		for r := range rows {
			slot, step := s.forest.Slot(r, rows)
			s.put(x[slot:], step, f.Registers(first+r))
			copy(sums[r*outputs:], s.start)
		}
		s.forest.Rows(x, rows, sums)
		for r := range rows {
			row := f.Registers(first + r)
			for k, reg := range s.out {
				row[reg] = sums[r*outputs+k]
			}
		}
	}
}

// put writes the values of a row into its slot, and behind them the answers to the questions about categories.
func (s *histStep) put(x []float64, step int, row []float64) {
	for j, r := range s.in {
		s.forest.Put(x, step, j, row[r])
	}
	for j := range s.tables {
		t := &s.tables[j]
		// No node asks for a missing answer, so that the second copy of the row needs none.
		t.put(x[len(s.in)*step:], step, row[s.in[t.feature]])
	}
}
