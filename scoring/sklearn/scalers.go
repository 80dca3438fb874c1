package sklearn

import (
	"fmt"
	"math"

	"fraudstream/scoring/program"
)

// standardScaler compiles (x - mean_) / scale_. Either may be switched off.
//
// mean_ and scale_ are float64 vectors, scale_ the square root of var_, or 1 for a constant column. What is
// switched off (with_mean, with_std) is not read, though it may be there. With the mean taken off, a column is
// known to be 0 on average, which reasons build on.
func (c *compiler) standardScaler(a *attributes, in matrix) matrix {
	a.reads(in)
	s := &standardize{in: in, mean: make([]float64, len(in)), scale: ones(len(in))}
	if a.flag("with_mean", true) {
		s.mean = a.vector("mean_", len(in))
	}
	if a.flag("with_std", true) {
		s.scale = a.vector("scale_", len(in))
		a.nonZero("scale_", s.scale)
	}
	out := c.standardized(a, s)
	if a.flag("with_mean", true) {
		c.b.Centre(out)
	}
	return out
}

// robustScaler compiles (x - center_) / scale_: the median and the distance of two quantiles in the place of mean
// and standard deviation. Either may be switched off. quantile_range and unit_variance are part of scale_. A
// median is no mean, so that its columns do not count as centred.
func (c *compiler) robustScaler(a *attributes, in matrix) matrix {
	a.reads(in)
	s := &standardize{in: in, mean: make([]float64, len(in)), scale: ones(len(in))}
	if a.flag("with_centering", true) {
		s.mean = a.vector("center_", len(in))
	}
	if a.flag("with_scaling", true) {
		s.scale = a.vector("scale_", len(in))
		a.nonZero("scale_", s.scale)
	}
	return c.standardized(a, s)
}

// maxAbsScaler compiles x / scale_, the largest absolute value seen, and cuts to [-1, 1] where clip is set (since
// 1.8). max_abs_ is the same as scale_ but for columns of zeros, which have 1 there.
func (c *compiler) maxAbsScaler(a *attributes, in matrix) matrix {
	a.reads(in)
	s := &standardize{in: in, mean: make([]float64, len(in)), scale: a.vector("scale_", len(in))}
	a.nonZero("scale_", s.scale)
	cut := a.flag("clip", false)
	out := c.standardized(a, s)
	if a.err != nil || !cut {
		return out
	}
	r := &rescale{in: out, out: c.computed(out), scale: ones(len(in)), offset: make([]float64, len(in)), clip: true, low: -1, high: 1}
	c.b.Add(c.stepName(a), r)
	return r.out
}

// ones are n factors that change nothing. Division by 1 leaves every float64 as it is.
func ones(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = 1
	}
	return v
}

// standardized adds the step of a scaler that takes NaN as it comes and raises on infinities. Infinities are
// looked for by the step itself rather than by a check before it, which would read every value twice.
func (c *compiler) standardized(a *attributes, s *standardize) matrix {
	if a.err != nil {
		return nil
	}
	s.out = c.computed(s.in)
	s.from, s.to, s.columns = program.SpanOf(s.in), program.SpanOf(s.out), c.b.Origins(s.in)
	c.b.Compute(s.in)
	c.b.Add(c.stepName(a), s)
	return s.out
}

// computed returns new registers for numbers computed one by one from in. Each keeps the origin of its own input,
// so that messages and reasons can still name the column.
func (c *compiler) computed(in matrix) matrix {
	out := make(matrix, len(in))
	for i, r := range in {
		out[i] = c.b.New(r)
	}
	return out
}

// nonZero refuses a zero divisor: fit never leaves one.
func (a *attributes) nonZero(name string, values []float64) {
	for i, v := range values {
		if v == 0 {
			a.refuse("non-finite", name, fmt.Sprintf("[%d]=0", i), "the division by it has no finite result")
			return
		}
	}
}

// standardize subtracts, then divides: the order in which StandardScaler rounds. Dividing by scale is not the
// same as multiplying by its reciprocal, which rounds twice.
type standardize struct {
	in, out     matrix
	from, to    program.Span
	mean, scale []float64
	columns     []int16 // to name an infinite value; nil: it was looked for before
}

// Run lets NaN through, as the scaler does, and refuses infinities. A result is finite only where its value was, so
// that the values are looked at one by one in few rows.
func (s *standardize) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		finite := false
		if s.from.Side && s.to.Side {
			finite = s.neighbours(s.from.Of(row), s.to.Of(row))
		} else {
			for j, r := range s.in {
				row[s.out[j]] = (row[r] - s.mean[j]) / s.scale[j]
			}
		}
		if !finite && s.columns != nil {
			s.check(f, i, row)
		}
	}
}

// neighbours is Run for registers that stand side by side, and tells whether all results are finite. That costs
// nothing: the processor waits for the divisions. v - v is zero for every finite v and NaN for the rest, and a
// NaN stays in the sum.
func (s *standardize) neighbours(x, y []float64) (finite bool) {
	y, mean, scale := y[:len(x)], s.mean[:len(x)], s.scale[:len(x)]
	zero := 0.0
	for j, v := range x {
		v = (v - mean[j]) / scale[j]
		y[j] = v
		zero += v - v
	}
	return zero == 0
}

// check finds the first infinite value of a row. A result may be infinite by overflow where its value was not:
// that row is for the next estimator to refuse.
func (s *standardize) check(f *program.Frame, i int, row []float64) {
	for j, r := range s.in {
		if math.IsInf(row[r], 0) {
			f.Fail(i, program.Unscorable, s.columns[j])
			return
		}
	}
}

// minMaxScaler compiles x * scale_ + min_, cut to feature_range where clip is set.
//
// scale_ and min_ are float64 vectors, made in fit from feature_range and the extremes of each column; data_min_
// and data_max_ are not needed. A value beyond the extremes goes beyond feature_range unless clip is set. NaN
// passes, infinities raise.
func (c *compiler) minMaxScaler(a *attributes, in matrix) matrix {
	a.reads(in)
	s := &rescale{in: in, scale: a.vector("scale_", len(in)), offset: a.vector("min_", len(in))}
	if s.clip = a.flag("clip", false); s.clip {
		limits := a.list("feature_range")
		if a.err == nil && len(limits) == 2 {
			s.low, s.high = a.limit(limits[0]), a.limit(limits[1])
		} else {
			a.unknown("feature_range", a.optional("feature_range"))
		}
	}
	if a.err != nil {
		return nil
	}
	s.out = c.computed(in)
	c.b.CheckFinite(c.stepName(a), in, true)
	c.b.Add(c.stepName(a), s)
	return s.out
}

// limit reads one end of feature_range.
func (a *attributes) limit(v any) float64 {
	x, ok := float(v)
	if !ok || x-x != 0 {
		a.unknown("feature_range", v)
	}
	return x
}

// rescale multiplies, then adds: the order in which MinMaxScaler rounds. The factors of a ColumnTransformer use
// it too. low and high are read with clip alone.
type rescale struct {
	in, out       matrix
	scale, offset []float64
	clip          bool
	low, high     float64
}

// Run rounds the product before the sum, so that no processor fuses the two.
func (s *rescale) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j, r := range s.in {
			v := float64(row[r]*s.scale[j]) + s.offset[j]
			if s.clip {
				v = clip(v, s.low, s.high)
			}
			row[s.out[j]] = v
		}
	}
}

// clip is numpy.clip: NaN stays NaN. Both comparisons are false for NaN.
func clip(v, low, high float64) float64 {
	if v < low {
		return low
	}
	if v > high {
		return high
	}
	return v
}
