package sklearn

import (
	"fmt"
	"slices"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// iterativeImputer compiles the rounds in which every missing value is predicted from the other columns, as they are
// filled by then, by the linear models that fit has kept: imputation_sequence_ holds them in the order of their use.
//
// Predictions are cut to the bounds of their column. A row without any value keeps what the initial imputer gave
// it. The method is that of van Buuren and Groothuis-Oudshoorn (J. Stat. Software 45, 2011) with one draw, the
// mean. Samples from the posterior are refused, since no two calls of scikit-learn agree on them.
//
// max_iter, tol, imputation_order and n_nearest_features shaped the sequence and are not read again. A column
// without a gap in training that skip_complete passed over is not in it: a gap there keeps the initial guess.
// min_value and max_value have become one bound per column, _min_value and _max_value, which may be infinite.
func (c *compiler) iterativeImputer(a *attributes, in matrix) matrix {
	a.reads(in)
	if a.flag("sample_posterior", false) {
		a.unknown("sample_posterior", true)
	}
	absent := a.missingValues()
	if absent.Type != program.NaN && absent.Type != program.Number {
		a.unknown("missing_values", a.optional("missing_values"))
	}
	empty := a.emptyColumns(len(in))
	initial := a.required("initial_imputer_")
	if a.err != nil {
		return nil
	}
	name := c.stepName(a)
	c.b.CheckFinite(name, in, absent.Type == program.NaN)
	var filled matrix
	// The initial imputer is a SimpleImputer that knows the same mark; it gives the guesses that the rounds start
	// from.
	c.within("initial_imputer_", func() { filled, a.err = c.transform(initial, in) })
	s := &refine{nan: absent.Type == program.NaN, absent: absent.Num}
	// known are the columns beside filled, register by register; those that were empty are gone from both, or stand
	// in both and keep the constant that the initial imputer gave them.
	keep := a.flag("keep_empty_features", false)
	for j, r := range in {
		if keep || !empty[j] {
			s.known = append(s.known, r)
			s.fixed = append(s.fixed, empty[j])
		}
	}
	if a.err == nil && len(s.known) != len(filled) {
		a.mismatch("initial_imputer_", fmt.Sprintf("%d columns", len(filled)), fmt.Sprintf("%d are expected", len(s.known)))
	}
	if a.err != nil {
		return nil
	}
	s.filled, s.out = filled, c.computed(filled) // a value that others filled in still is one of its own column
	// max_iter=0 leaves the initial guess, and a sequence that is never gone through.
	if rounds, ok := integer(a.optional("n_iter_")); !ok || rounds != 0 {
		a.rounds(s)
	}
	c.b.Add(name, s)
	return c.join(a, slices.Clone(s.out), c.flags(a, in, absent))
}

// emptyColumns tells the columns that had no value in training. Older files say so by the statistics alone.
// _is_empty_feature came with keep_empty_features; where it is absent an empty column is one whose statistic is
// NaN.
func (a *attributes) emptyColumns(n int) []bool {
	if array, ok := a.optional("_is_empty_feature").(*pickle.Array); ok {
		if mask, err := array.Bools(); err == nil && len(mask) == n {
			return mask
		}
		a.mismatch("_is_empty_feature", describe(array), fmt.Sprintf("%d booleans are expected", n))
		return nil
	}
	o, ok := a.required("initial_imputer_").(*pickle.Object)
	if !ok {
		a.mismatch("initial_imputer_", show(a.optional("initial_imputer_")), "a fitted SimpleImputer is expected")
		return nil
	}
	inner := attributesOf(o)
	statistics := inner.numbers("statistics_", n)
	if a.err == nil {
		a.err = inner.err
	}
	return where(statistics, func(v float64) bool { return v != v })
}

// rounds reads the sequence of predictions. Each is a named tuple of column, neighbours and model. The tuple is
// read by place, since a named tuple keeps its arguments in order and its names in its class.
func (a *attributes) rounds(s *refine) {
	low, high := a.numbers("_min_value", len(s.out)), a.numbers("_max_value", len(s.out))
	for _, v := range a.list("imputation_sequence_") {
		o, ok := v.(*pickle.Object)
		if a.err != nil {
			return
		}
		if !ok || len(o.Args) != 3 {
			a.mismatch("imputation_sequence_", show(v), "a column, its neighbours and a model are expected")
			return
		}
		column, ok := integer(o.Args[0])
		neighbours := integers(o.Args[1])
		if !ok || column < 0 || column >= int64(len(s.out)) {
			a.refuse("feature-index", "imputation_sequence_", show(o.Args[0]), fmt.Sprintf("there are %d columns", len(s.out)))
			return
		}
		p := prediction{column: int(column), low: low[column], high: high[column]}
		// Neighbours are read where the result is written, so that a model sees what earlier ones predicted.
		for _, n := range neighbours {
			if n < 0 || n >= len(s.out) {
				a.refuse("feature-index", "imputation_sequence_", fmt.Sprint(n), fmt.Sprintf("there are %d columns", len(s.out)))
				return
			}
			p.neighbours = append(p.neighbours, s.out[n])
		}
		a.linearModel(o.Args[2], &p)
		s.each = append(s.each, p)
		if s.weights += len(neighbours) + 1; s.weights > maxConstants {
			a.refuse("budget", "imputation_sequence_", "", fmt.Sprintf("an imputer may have at most %d coefficients", maxConstants))
		}
	}
}

// linearModel reads a regression that predicts X·coef_ + intercept_. Other models could predict as well, but none
// that this package compiles is a regressor.
func (a *attributes) linearModel(v pickle.Value, p *prediction) {
	o, ok := v.(*pickle.Object)
	if !ok {
		a.mismatch("imputation_sequence_", show(v), "a fitted model is expected")
		return
	}
	inner := attributesOf(o)
	switch inner.class {
	case "sklearn.linear_model._bayes.BayesianRidge", "sklearn.linear_model._ridge.Ridge", "sklearn.linear_model._ridge.RidgeCV",
		"sklearn.linear_model._base.LinearRegression":
	default:
		a.refuse("unsupported-estimator", "estimator", inner.class, "BayesianRidge, Ridge, RidgeCV and LinearRegression are known here; fit the imputer with one of them")
		return
	}
	p.coef = inner.vector("coef_", len(p.neighbours))
	p.intercept = inner.number("intercept_")
	if a.err == nil {
		a.err = inner.err
	}
}

// flags adds the registers of the indicator, if there is one: it looks at the rows as they came in, and so does this
// step, which fills nothing.
func (c *compiler) flags(a *attributes, in matrix, absent program.Constant) matrix {
	indicated := a.indicator(len(in), absent)
	if a.err != nil {
		return nil
	}
	s := &impute{}
	for i, r := range in {
		if slices.Contains(indicated, i) {
			m := replacement{in: r, out: -1, flag: c.b.New(r), nan: absent.Type == program.NaN, column: c.b.Origin(r)}
			m.absent, m.fill = numberCell(absent), numberCell(absent)
			s.each = append(s.each, m)
		}
	}
	if len(s.each) == 0 {
		return nil
	}
	c.b.Add(c.stepName(a), s)
	return s.matrix(in, indicated)
}

// refine replaces initial guesses by predictions. The three matrices have the same length and stand side by side:
// column j is known[j] before, filled[j] with a guess, out[j] at the end.
type refine struct {
	known, filled, out matrix // before, after the initial imputer, and the result
	fixed              []bool // empty columns, whose guess stands
	each               []prediction
	weights            int
	nan                bool
	absent             float64
}

// prediction is one linear model for one column. low and high bound what it predicts, in the unit of the column.
type prediction struct {
	column     int
	neighbours matrix
	coef       []float64
	intercept  float64
	low, high  float64
}

// Run takes a row through all rounds: what a model predicts is what the next one reads. Whether a column is
// missing is asked of the row as it came in, so that a later round replaces what an earlier one has predicted.
func (s *refine) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		whole := true
		for j, r := range s.filled {
			row[s.out[j]] = row[r]
			whole = whole && s.missing(row, j)
		}
		if whole {
			continue
		}
		for k := range s.each {
			p := &s.each[k]
			if !s.missing(row, p.column) {
				continue
			}
			sum := 0.0
			for n, r := range p.neighbours {
				sum += float64(row[r] * p.coef[n])
			}
			row[s.out[p.column]] = clip(sum+p.intercept, p.low, p.high)
		}
	}
}

// missing tells whether column j of a row is to be predicted.
func (s *refine) missing(row []float64, j int) bool {
	v := row[s.known[j]]
	return !s.fixed[j] && (v == s.absent && !s.nan || v != v && s.nan)
}
