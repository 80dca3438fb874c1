package sklearn

import (
	"math"

	"fraudstream/scoring/program"
)

// normalizer compiles the division of every row by its own length: the sum of absolute values (l1), the Euclidean
// length (l2) or the largest absolute value (max).
//
// A row without length is left alone. Since 1.0 that is one shorter than ten machine epsilons, before only a zero one.
//
// It has no fitted state at all: norm is a parameter, and two rows never know of each other. Every output depends
// on every column, so that nothing behind it can be explained column by column.
func (c *compiler) normalizer(a *attributes, in matrix) matrix {
	a.reads(in)
	s := &normalize{in: in, norm: a.text("norm", "l2")}
	switch s.norm {
	case "l1", "l2", "max":
	default:
		a.unknown("norm", s.norm)
	}
	if a.err != nil {
		return nil
	}
	if a.version() >= parseVersion("1.0") {
		s.least = 10 * epsilon
	}
	s.out = c.b.Block(len(in))
	c.b.CheckFinite(c.stepName(a), in, false)
	c.b.Add(c.stepName(a), s)
	return s.out
}

// epsilon is numpy.finfo(float64).eps, the distance from 1 to the next number.
const epsilon = 0x1p-52

// normalize divides a row by its norm. Its outputs are a block of new registers, for the columns are still needed
// by others.
type normalize struct {
	in, out matrix
	norm    string
	least   float64 // a norm below this counts as 1, as does zero
}

// Run computes the norm of a row, then divides. A product of squares may overflow to infinity, as numpy's does.
func (s *normalize) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		length := s.length(row)
		if length < s.least || length == 0 {
			length = 1
		}
		for j, r := range s.in {
			row[s.out[j]] = row[r] / length
		}
	}
}

// length is the norm of the columns of one row. The square of l2 is rounded before it is added, and numpy's
// square root is correctly rounded as Go's is.
func (s *normalize) length(row []float64) float64 {
	// Sums go from left to right; numpy's pairs differ in the last digits alone.
	sum, top := 0.0, 0.0
	for _, r := range s.in {
		v := math.Abs(row[r])
		if s.norm == "l2" {
			v = float64(v * v)
		}
		sum += v
		top = max(top, v)
	}
	switch s.norm {
	case "l2":
		return math.Sqrt(sum)
	case "max":
		return top
	}
	return sum
}

// binarizer compiles 1 where x is above the threshold, else 0.
//
// threshold is a parameter and defaults to 0. NaN and infinities raise.
func (c *compiler) binarizer(a *attributes, in matrix) matrix {
	a.reads(in)
	s := &binarize{in: in, threshold: a.number("threshold")}
	if a.err != nil {
		return nil
	}
	s.out = c.computed(in)
	c.b.CheckFinite(c.stepName(a), in, false)
	c.b.Add(c.stepName(a), s)
	return s.out
}

// binarize compares every value with one threshold.
type binarize struct {
	in, out   matrix
	threshold float64
}

// Run writes 0 or 1; the threshold itself is not above it.
func (s *binarize) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j, r := range s.in {
			v := 0.0
			if row[r] > s.threshold {
				v = 1
			}
			row[s.out[j]] = v
		}
	}
}
