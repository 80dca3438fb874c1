package scoring

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"fraudstream/scoring/program"
)

// code resolves the categories of a baseline against the constants of a column. The metadata writes every
// category as text, whatever its type was in the frame. A text that a trained constant is written as stands for
// that constant; any other becomes a constant of the column's type, which no step of the model compares.
func (c *counts) code(b *Baseline, at string, domain *program.Domain, dtype string) error {
	trained := slices.Clone(domain.Constants())
	r := resolver{domain: domain, trained: make(map[string]program.Constant, len(trained)), plain: typeOf(dtype)}
	for _, constant := range trained {
		if text, ok := label(constant); ok && r.trained[text] == (program.Constant{}) {
			r.trained[text] = constant
		}
	}
	var err error
	if b.Values, err = r.values(at+".values", c.Values); err != nil {
		return err
	}
	if b.Known, err = r.values(at+".known", c.Known); err != nil {
		return err
	}
	b.KnownGiven = c.Known != nil || len(trained) > 0
	if c.Known == nil {
		b.Known = r.others(b.Values)
	}
	return nil
}

// A resolver finds the numbers by which a column holds categories that are written as text. taken grows over
// both lists of one baseline, so that a category in the second that equals one in the first is found.
type resolver struct {
	domain  *program.Domain
	trained map[string]program.Constant // by label: what the model compares the column with
	plain   program.Type                // of a column that the model never compares
	taken   map[float64]string
}

// values resolves a list; at is its JSON path. Two texts of one value (5411 and 5411.0) are refused.
func (r *resolver) values(at string, texts []string) ([]float64, error) {
	values := make([]float64, len(texts))
	if r.taken == nil {
		r.taken = make(map[float64]string, len(texts))
	}
	for i, text := range texts {
		c, ok := r.constant(text)
		if !ok {
			return nil, refuse(baselineMismatch, fmt.Sprintf("%s[%d]", at, i),
				"%q is no category of this column, whose trained categories are of another type", text)
		}
		values[i] = r.domain.Extend(c)
		if other, taken := r.taken[values[i]]; taken {
			return nil, refuse(baselineMismatch, fmt.Sprintf("%s[%d]", at, i), "%q is the same category as %q", text, other)
		}
		r.taken[values[i]] = text
	}
	return values, nil
}

// constant is what a text stands for: the trained constant that is written so, else one of the column's type.
func (r *resolver) constant(text string) (program.Constant, bool) {
	if c, ok := r.trained[text]; ok {
		return c, true
	}
	typ := r.domain.Type()
	if len(r.trained) == 0 && r.plain != 0 {
		typ = r.plain
	}
	truth := text == "true"
	switch typ {
	case program.Number:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil && len(r.trained) == 0 {
			return program.StringConstant(text), true
		}
		return program.NumberConstant(v), err == nil && !math.IsInf(v, 0) && !math.IsNaN(v)
	case program.Bool:
		if len(r.trained) == 0 {
			// The pipeline computes with the column, or drops it: what x holds is a plain number.
			return program.NumberConstant(program.BoolConstant(truth).Num), truth || text == "false"
		}
		return program.BoolConstant(truth), truth || text == "false"
	default:
		return program.StringConstant(text), true
	}
}

// others are the values of the trained constants that a baseline does not list. They make the difference
// between a category that is rare and one that is new: the monitor counts the first as other and the second as
// unseen.
func (r *resolver) others(listed []float64) []float64 {
	var known []float64
	for _, c := range r.domain.Constants() {
		text, ok := label(c)
		if v, found := r.domain.Value(c); ok && found && r.trained[text] == c && !slices.Contains(listed, v) {
			known = append(known, v)
		}
	}
	return known
}

// label writes a category as baselines do: true, 5411 for 5411.0, the bare text. None and NaN are no
// categories. Numbers are written without an exponent and without trailing zeros, so 5411 and 5411.0 are one
// label.
func label(c program.Constant) (string, bool) {
	switch c.Type {
	case program.Number:
		return strconv.FormatFloat(c.Num, 'f', -1, 64), true
	case program.Bool:
		return strconv.FormatBool(c.Num != 0), true
	case program.String:
		return c.Text, true
	default:
		return "", false
	}
}

// typeOf is the type of the values of a pandas dtype; zero where the dtype does not tell. object and category
// tell nothing: a column of either may hold anything.
func typeOf(dtype string) program.Type {
	name := strings.ToLower(dtype)
	switch {
	case name == "bool" || name == "boolean":
		return program.Bool
	case strings.HasPrefix(name, "int"), strings.HasPrefix(name, "uint"), strings.HasPrefix(name, "float"):
		return program.Number
	case name == "str" || strings.HasPrefix(name, "string"):
		return program.String
	default:
		return 0
	}
}
