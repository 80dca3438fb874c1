package sklearn

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// kBinsDiscretizer compiles the number of the bin that a value falls into, or one register per bin of which one is 1.
//
// bin_edges_ holds the edges of every column, both ends included; values beyond the ends belong to the first and the
// last bin, so only inner edges matter. How edges were found (strategy) does not. Before 1.1 a value was moved up by
// 1e-8 + 1e-5·|x| first, so that one which meant to be an edge lies above it.
//
// bin_edges_ is an object array of one float64 array per column, n_bins_ an integer per column. subsample,
// random_state and quantile_method have done their work in fit. NaN and infinities raise in scikit-learn and make
// a row unscorable. The one-hot columns of a feature stand together, in the order of its bins.
func (c *compiler) kBinsDiscretizer(a *attributes, in matrix) matrix {
	a.reads(in)
	a.doubles("dtype")
	s := &bins{in: in, edges: a.innerEdges(len(in)), nudge: a.version() < parseVersion("1.1")}
	encode := a.text("encode", "onehot")
	switch encode {
	case "ordinal", "onehot", "onehot-dense":
	default:
		a.unknown("encode", encode)
	}
	if a.err != nil {
		return nil
	}
	// Both one-hot encodings give the same numbers; they differ in whether scipy stores the zeros.
	if encode == "ordinal" {
		s.out = c.computed(in)
	} else {
		for j, r := range in {
			block := make(matrix, len(s.edges[j])+1)
			for k := range block {
				block[k] = c.b.New(r)
			}
			// A bin comes from one column alone, so that its registers keep that column as their origin.
			s.blocks = append(s.blocks, block)
			s.out = c.join(a, s.out, block)
		}
	}
	c.b.CheckFinite(c.stepName(a), in, false)
	c.b.Add(c.stepName(a), s)
	return s.out
}

// doubles refuses a type to which scikit-learn would round on the way in. None stands for whatever float type
// comes in, which is float64 for a frame.
func (a *attributes) doubles(name string) {
	v := a.optional(name)
	if g, ok := v.(pickle.Global); v != nil && (!ok || g.Name != "float64" && g.Name != "float") {
		a.unknown(name, v)
	}
}

// innerEdges reads the edges between the bins of n columns. A column that was constant in training has one bin,
// whose edges are infinite; n_bins_ counts what is left after bins that were too narrow have been merged. A list
// of n edges has n-2 inner ones; they must ascend, for bisection takes that for granted.
func (a *attributes) innerEdges(n int) [][]float64 {
	items := a.list("bin_edges_")
	counts := integers(a.required("n_bins_"))
	if a.err == nil && (len(items) != n || len(counts) != n) {
		a.mismatch("bin_edges_", fmt.Sprintf("%d lists", len(items)), fmt.Sprintf("the estimator is given %d columns", n))
	}
	if a.err != nil {
		return nil
	}
	out := make([][]float64, n)
	total := 0
	for j, item := range items {
		array, ok := item.(*pickle.Array)
		if !ok {
			a.mismatch("bin_edges_", show(item), "a list of numbers is expected")
			return nil
		}
		values, ok := floats(array)
		if !ok || len(values) < 2 || len(values) != counts[j]+1 || !slices.IsSorted(values) {
			a.mismatch("bin_edges_", describe(array), fmt.Sprintf("%d ascending edges are expected", counts[j]+1))
			return nil
		}
		out[j] = values[1 : len(values)-1]
		a.finite("bin_edges_", out[j])
		if total += len(values); total > maxConstants {
			a.refuse("budget", "bin_edges_", "", fmt.Sprintf("a discretizer may have at most %d edges", maxConstants))
			return nil
		}
	}
	return out
}

// bins finds the bin of every value.
type bins struct {
	in, out matrix
	edges   [][]float64 // per column, ascending
	blocks  []matrix    // per column and bin; nil where the number itself is the result
	nudge   bool
}

// Run counts the edges that are not above a value: the bin of an edge is the one that begins with it. That is
// searchsorted with side="right". For one-hot columns all are zeroed before the ones are written, since registers
// keep what the row before left.
func (s *bins) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		if s.blocks != nil {
			for _, r := range s.out {
				row[r] = 0
			}
		}
		for j, r := range s.in {
			x := row[r]
			// The tolerances are those of numpy.isclose.
			if s.nudge {
				x += 1e-8 + float64(1e-5*math.Abs(x))
			}
			edges := s.edges[j]
			bin := sort.Search(len(edges), func(k int) bool { return edges[k] > x })
			if s.blocks != nil {
				row[s.blocks[j][bin]] = 1
			} else {
				row[s.out[j]] = float64(bin)
			}
		}
	}
}
