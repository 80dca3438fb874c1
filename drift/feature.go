package drift

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Feature is the baseline of one column in the numbers that rows carry.
//
// A number is in bin (Edges[i-1], Edges[i]]; the first bin has all x ≤ Edges[0], the last all above. A category is in
// the cell of its number in Values, or in the last cell, other. NaN is missing, an infinite number is outside; neither
// has a value cell. A finite number below Min or above Max is outside too, a category in neither Values nor Known is
// unseen; both keep their value cell.
//
// A baseline without Counts gives no distances; its quality cells and moments are watched all the same.
type Feature struct {
	Name        string
	Categorical bool
	Edges       []float64 // numeric: strictly ascending
	Values      []float64 // categorical: the numbers of the listed categories, each once
	Labels      []string  // of Values, for people (nil: the numbers)
	Known       []float64 // further categories that the training data had
	KnownGiven  bool      // Known is complete, so that the baseline has no unseen category

	Counts                   []int64   // of the bins, or of Values (the cell other is Other)
	Sums                     []float64 // numeric: of the values in each bin (nil: no w1_over_std)
	Rows                     int64     // all rows (0: the sum of the counts)
	Missing, Infinite, Other int64

	Min, Max   float64 // of the finite values; infinite where only the other is given
	HasRange   bool    // Min and Max are given: a number beyond them is outside
	Mean, Std  float64 // of the finite values, Std with ddof 0
	HasMoments bool    // Mean and Std are given

	Seasonal *Seasonal // nil: the mix does not follow the clock

	Off              bool      // drift.enabled: false: counted and compared, never alarmed on
	Tolerance        float64   // share of traffic that may change value cell unpunished. 0: 0.02
	QualityTolerance float64   // share that may change quality cell unpunished. 0: 0.002
	Override         *Override // of the configuration, if one is in force (the tolerance above is then its)
}

// Seasonal splits the cells of a baseline by the hour of the week in UTC of the event time; hour 0 begins on Monday at
// 00:00. Quality is nil where only the values follow the clock.
type Seasonal struct {
	Values  [][]int64 // 168 rows of value cells, other included
	Quality [][]int64 // 168 rows of ok, missing, outside, unseen
}

// cells is the number of value cells.
func (f *Feature) cells() int {
	if f.Categorical {
		return len(f.Values) + 1
	}
	return len(f.Edges) + 1
}

// baseline returns the counts of all value cells; nil if there are none to compare with.
func (f *Feature) baseline() []int64 {
	counts := f.Counts
	if f.Categorical && counts != nil {
		counts = append(slices.Clip(counts), f.Other)
	}
	if sum(counts) == 0 {
		return nil
	}
	return counts
}

// qualityBaseline returns the baseline counts of [ok, missing, outside, unseen]. Where nothing tells which categories
// were trained beside the listed ones, whatever was not listed then is what is unseen now.
func (f *Feature) qualityBaseline() [qualities]int64 {
	other := int64(0)
	if f.Categorical {
		other = f.Other
	}
	rows := f.Rows
	if rows == 0 {
		rows = sum(f.Counts) + other + f.Missing + f.Infinite
	}
	if f.KnownGiven {
		other = 0
	}
	return [qualities]int64{rows - f.Missing - f.Infinite - other, f.Missing, f.Infinite, other}
}

func sum(counts []int64) (total int64) {
	for _, n := range counts {
		total += n
	}
	return total
}

// cellName is how a report calls a value cell.
func (f *Feature) cellName(i int) string {
	switch {
	case f.Categorical && i == len(f.Values):
		return "other"
	case f.Categorical && i < len(f.Labels):
		return f.Labels[i]
	case f.Categorical:
		return shortest(f.Values[i])
	case len(f.Edges) == 0:
		return "any"
	case i == 0:
		return "≤ " + shortest(f.Edges[0])
	case i == len(f.Edges):
		return "> " + shortest(f.Edges[i-1])
	default:
		return "(" + shortest(f.Edges[i-1]) + ", " + shortest(f.Edges[i]) + "]"
	}
}

func shortest(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// check finds what contradicts itself in a baseline, and names the feature.
func (f *Feature) check() error {
	if err := f.contradiction(); err != nil {
		return fmt.Errorf("drift: baseline of feature %s: %w", f.Name, err)
	}
	return nil
}

func (f *Feature) contradiction() error {
	want := f.cells()
	if f.Categorical {
		want-- // other is counted apart
	}
	switch {
	case f.Counts != nil && len(f.Counts) != want:
		return fmt.Errorf("%d counts for %d cells", len(f.Counts), want)
	case f.Sums != nil && len(f.Sums) != len(f.Counts):
		return fmt.Errorf("%d sums for %d counts", len(f.Sums), len(f.Counts))
	case f.Labels != nil && len(f.Labels) != len(f.Values):
		return fmt.Errorf("%d labels for %d values", len(f.Labels), len(f.Values))
	case slices.ContainsFunc(f.Counts, func(n int64) bool { return n < 0 }),
		slices.Min(f.qualityCounts()) < 0:
		return errors.New("a count is negative")
	case f.HasRange && f.Min > f.Max || f.HasMoments && f.Std < 0:
		return errors.New("min is above max or std is negative")
	case !tolerable(f.Tolerance) || !tolerable(f.QualityTolerance):
		return errors.New("a tolerance is not between 0 and 1")
	}
	for i, e := range f.Edges {
		if math.IsNaN(e) || math.IsInf(e, 0) || i > 0 && e <= f.Edges[i-1] {
			return errors.New("edges are not finite and strictly ascending")
		}
	}
	return f.checkSeasonal()
}

// tolerable tells whether a share may be tolerated; 0 is the default.
func tolerable(share float64) bool { return share >= 0 && share < 1 }

func (f *Feature) checkSeasonal() error {
	if f.Seasonal == nil {
		return nil
	}
	if f.Counts == nil {
		return errors.New("seasonal counts without counts of the whole")
	}
	err := checkHours(f.Seasonal.Values, f.cells())
	if err == nil && f.Seasonal.Quality != nil {
		err = checkHours(f.Seasonal.Quality, int(qualities))
	}
	return err
}

// checkHours wants a row of cells counts for every hour of the week.
func checkHours(hours [][]int64, cells int) error {
	if len(hours) != hoursOfWeek {
		return fmt.Errorf("%d seasonal rows for %d hours of a week", len(hours), hoursOfWeek)
	}
	for _, row := range hours {
		if len(row) != cells {
			return fmt.Errorf("a seasonal row of %d counts for %d cells", len(row), cells)
		}
		if slices.Min(row) < 0 {
			return errors.New("a seasonal count is negative")
		}
	}
	return nil
}

func (f *Feature) qualityCounts() []int64 {
	q := f.qualityBaseline()
	return append(q[:], f.Missing, f.Infinite, f.Other)
}
