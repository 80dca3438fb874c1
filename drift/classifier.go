package drift

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// quality is the index of a quality cell.
type quality int

const (
	ok quality = iota
	missing
	outside
	unseen
	qualities
)

// String is the name of the cell in reports.
func (q quality) String() string {
	return [qualities]string{"ok", "missing", "outside", "unseen"}[q]
}

// noCell is the value cell of what is missing or infinite.
const noCell = -1

// classifier is the plain definition of the cells, from which the tables of Observe are filled.
type classifier struct {
	*Feature
	listed map[float64]place // categories
}

func newClassifier(f *Feature) (*classifier, error) {
	c := &classifier{Feature: f, listed: make(map[float64]place)}
	for _, x := range f.Known {
		c.listed[x] = place{len(f.Values), ok}
	}
	for i, x := range f.Values {
		if p, twice := c.listed[x]; math.IsNaN(x) || math.IsInf(x, 0) || twice && p.cell < len(f.Values) {
			return nil, fmt.Errorf("drift: baseline of feature %s: category %v is not finite or stands twice", f.Name, x)
		}
		c.listed[x] = place{i, ok}
	}
	return c, nil
}

func (c *classifier) classify(x float64) place {
	if p, listed := c.listed[x]; listed {
		return p
	}
	switch {
	case math.IsNaN(x):
		return place{noCell, missing}
	case math.IsInf(x, 0):
		return place{noCell, outside}
	case c.Categorical && len(c.listed) == 0:
		return place{0, ok} // nothing tells which categories there were
	case c.Categorical:
		return place{len(c.Values), unseen}
	case c.HasRange && (x < c.Min || x > c.Max):
		return place{sort.SearchFloat64s(c.Edges, x), outside}
	default:
		return place{sort.SearchFloat64s(c.Edges, x), ok}
	}
}

// cuts returns, ascending and each once, the last keys of the segments in which classify is constant.
func (c *classifier) cuts() []uint64 {
	negative, positive := math.Inf(-1), math.Inf(1)
	all := []uint64{cutBelow(negative), cut(negative), cutBelow(positive), cut(positive)}
	for _, e := range c.Edges {
		all = append(all, cut(e))
	}
	if c.HasRange && !math.IsNaN(c.Min) {
		all = append(all, cutBelow(c.Min))
	}
	if c.HasRange && !math.IsNaN(c.Max) {
		all = append(all, cut(c.Max))
	}
	for x := range c.listed {
		all = append(all, cutBelow(x), cut(x))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// stranger is a category that the baseline does not know.
func (c *classifier) stranger() float64 {
	x := -1.0
	for {
		if _, listed := c.listed[x]; !listed {
			return x
		}
		x--
	}
}
