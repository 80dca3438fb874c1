package scoring

import (
	"fmt"
	"math"
	"slices"
)

// maxRows bounds every count of a baseline, so that no sum of them overflows and each is exact as a float64.
const maxRows = 1 << 50

// slack is how far a mean may lie off the numbers that it must agree with, as a share of their scale: room for
// sums in another order and for figures that were rounded in between.
const slack = 1e-6

// counts is a baseline as metadata.json has it: of a numeric feature, of a categorical one, or of the score.
// Whatever is nil was left out, which is not the same as zero: a baseline without Missing says nothing of
// missing values, and one with a zero says that there were none.
//
// A numeric baseline with k edges has k+1 bins, (e[i-1], e[i]], the first open downwards and the last upwards;
// Sums are of the values in each bin. A categorical one has a count for each of Values, the rest in Other, and
// in Known the trained categories that are too rare to be listed. Mean and Std (with N below, not N-1) are of
// the finite values. The cells and Missing, Infinite and Other together are Rows.
type counts struct {
	Rows     *int64         `json:"rows"`
	Edges    []float64      `json:"edges"`
	Counts   []int64        `json:"counts"`
	Sums     []float64      `json:"sums"`
	Min      *float64       `json:"min"`
	Max      *float64       `json:"max"`
	Mean     *float64       `json:"mean"`
	Std      *float64       `json:"std"`
	Missing  *int64         `json:"missing"`
	Infinite *int64         `json:"infinite"`
	Values   []string       `json:"values"`
	Other    *int64         `json:"other"`
	Known    []string       `json:"known"`
	Seasonal *seasonalEntry `json:"seasonal"`
}

// A seasonalEntry shares a baseline out over the hours of the week. Each of the 168 rows of Values has the
// cells of the baseline, and each of Quality has four: rows that were fine, missing, infinite, and of an unseen
// category.
type seasonalEntry struct {
	By      string    `json:"by"`
	Values  [][]int64 `json:"values"`
	Quality [][]int64 `json:"quality"`
}

// hoursOfWeek is how many rows a seasonal baseline has. They are 24 times 7, in UTC, so that no clock is put
// back in between.
const hoursOfWeek = 168

// counted tells whether the baseline has cells, and not only moments.
func (c *counts) counted() bool { return c.Counts != nil || c.Edges != nil || c.Values != nil }

// check refuses a baseline whose numbers contradict each other, the kind of the feature, or the number of rows.
// at is the JSON path of the baseline; an empty kind goes by what the baseline holds. The order matters only to
// the message: what is checked first is what the later checks compute with.
func (c *counts) check(at, kind string, rows *int64) error {
	if c.Rows != nil {
		rows = c.Rows
	}
	if kind == "" {
		kind = "numeric"
		if c.Values != nil {
			kind = "categorical"
		}
	}
	if err := c.checkMoments(at); err != nil {
		return err
	}
	if err := c.checkCounts(at); err != nil {
		return err
	}
	if !c.counted() {
		if c.Seasonal != nil {
			return refuse(baselineMismatch, at+".seasonal", "there are no counts that the hours of the week could share out")
		}
		return nil
	}
	if kind == "categorical" {
		if err := c.checkCategories(at); err != nil {
			return err
		}
	} else if err := c.checkEdges(at); err != nil {
		return err
	}
	if total := c.total(); rows != nil && total != *rows {
		return refuse(baselineMismatch, at+".counts", "all cells together hold %d rows, the baseline has %d", total, *rows)
	}
	if err := c.checkSums(at); err != nil {
		return err
	}
	return c.checkSeasonal(at)
}

// checkMoments holds for every kind of baseline. The mean may lie outside of min and max by rounding alone,
// which the slack allows for.
func (c *counts) checkMoments(at string) error {
	switch {
	case c.Std != nil && *c.Std < 0:
		return refuse(baselineMismatch, at+".std", "%g is negative", *c.Std)
	case c.Min != nil && c.Max != nil && *c.Min > *c.Max:
		return refuse(baselineMismatch, at+".min", "%g is above max %g", *c.Min, *c.Max)
	case c.Mean == nil:
		return nil
	}
	room := slack * scaleOf(*c.Mean, orZero(c.Min), orZero(c.Max))
	if c.Min != nil && *c.Mean < *c.Min-room || c.Max != nil && *c.Mean > *c.Max+room {
		return refuse(baselineMismatch, at+".mean", "%g lies outside min and max", *c.Mean)
	}
	return nil
}

// checkCounts holds for every number of rows: none is negative, none absurd. The running sum is compared before
// each addition, so that counts which are sound one by one cannot overflow together.
func (c *counts) checkCounts(at string) error {
	fields := []string{".rows", ".missing", ".infinite", ".other"}
	for i, n := range []*int64{c.Rows, c.Missing, c.Infinite, c.Other} {
		if n != nil && (*n < 0 || *n > maxRows) {
			return refuse(baselineMismatch, at+fields[i], "%d is no number of rows", *n)
		}
	}
	sum := int64(0)
	for i, n := range c.Counts {
		if n < 0 || n > maxRows || sum > maxRows {
			return refuse(baselineMismatch, fmt.Sprintf("%s.counts[%d]", at, i), "%d is no number of rows", n)
		}
		sum += n
	}
	return nil
}

// checkEdges holds for a numeric baseline: bins (e[i-1], e[i]], one count and one sum for each. Strictly
// ascending edges are what the monitor's binary search needs; equal ones would make a bin that nothing can fall
// into.
func (c *counts) checkEdges(at string) error {
	switch {
	case c.Values != nil:
		return refuse(baselineMismatch, at+".values", "a numeric feature has edges and counts, no values")
	case len(c.Counts) != len(c.Edges)+1:
		return refuse(baselineMismatch, at+".counts", "%d counts for %d edges; there is one more count than edges",
			len(c.Counts), len(c.Edges))
	case c.Sums != nil && len(c.Sums) != len(c.Counts):
		return refuse(baselineMismatch, at+".sums", "%d sums for %d counts", len(c.Sums), len(c.Counts))
	}
	for i := 1; i < len(c.Edges); i++ {
		if c.Edges[i] <= c.Edges[i-1] {
			return refuse(baselineMismatch, fmt.Sprintf("%s.edges[%d]", at, i), "edges do not ascend")
		}
	}
	return nil
}

// checkSums compares the sums of a numeric baseline with its edges, counts and mean.
func (c *counts) checkSums(at string) error {
	for b := range c.Sums {
		if err := c.checkSum(at, b); err != nil {
			return err
		}
	}
	return c.checkMean(at)
}

// checkSum refuses a bin whose mean lies outside its edges. The outer bins end at min and max. Sums say where
// in its bin the values lie; one that no values of the bin could have would bend every distance that the
// monitor computes with it.
func (c *counts) checkSum(at string, b int) error {
	low, high := math.Inf(-1), math.Inf(1)
	if b > 0 {
		low = c.Edges[b-1]
	} else if c.Min != nil {
		low = *c.Min
	}
	if b < len(c.Edges) {
		high = c.Edges[b]
	} else if c.Max != nil {
		high = *c.Max
	}
	field := fmt.Sprintf("%s.sums[%d]", at, b)
	room := slack * scaleOf(low, high)
	if c.Counts[b] == 0 {
		if math.Abs(c.Sums[b]) > room {
			return refuse(baselineMismatch, field, "%g is the sum of an empty bin", c.Sums[b])
		}
		return nil
	}
	if mean := c.Sums[b] / float64(c.Counts[b]); mean < low-room || mean > high+room {
		return refuse(baselineMismatch, field, "the mean of the bin, %g, lies outside its edges %g and %g", mean, low, high)
	}
	return nil
}

// checkMean compares the mean with that of all sums and counts. Each sum is divided before the addition: sums
// of large values may add up to an infinity where their mean does not.
func (c *counts) checkMean(at string) error {
	n := totalOf(c.Counts)
	if c.Mean == nil || c.Sums == nil || n == 0 {
		return nil
	}
	mean := 0.0
	for _, s := range c.Sums {
		mean += s / float64(n)
	}
	if off := math.Abs(mean - *c.Mean); off > slack*scaleOf(mean, *c.Mean, orZero(c.Std)) {
		return refuse(baselineMismatch, at+".mean", "%g is not the mean of sums and counts, %g", *c.Mean, mean)
	}
	return nil
}

// checkCategories holds for a categorical baseline: one count for each value, no category twice. A category
// that stands in both lists is refused as well, since it would be counted as known and as listed.
func (c *counts) checkCategories(at string) error {
	switch {
	case c.Edges != nil || c.Sums != nil:
		return refuse(baselineMismatch, at, "a categorical feature has values and counts, no edges and no sums")
	case len(c.Counts) != len(c.Values):
		return refuse(baselineMismatch, at+".values", "%d values for %d counts", len(c.Values), len(c.Counts))
	}
	listed := make(map[string]bool, len(c.Values)+len(c.Known))
	once := func(field string, texts []string) error {
		for i, text := range texts {
			if listed[text] {
				return refuse(baselineMismatch, fmt.Sprintf("%s[%d]", field, i), "%q stands there twice", text)
			}
			listed[text] = true
		}
		return nil
	}
	if err := once(at+".values", c.Values); err != nil {
		return err
	}
	return once(at+".known", c.Known)
}

// total is the number of rows in all cells.
func (c *counts) total() int64 {
	return totalOf(c.Counts) + orZero(c.Missing) + orZero(c.Infinite) + orZero(c.Other)
}

// checkSeasonal compares the sums over the hours of the week with the cells of the whole baseline.
func (c *counts) checkSeasonal(at string) error {
	if c.Seasonal == nil {
		return nil
	}
	at += ".seasonal"
	if c.Seasonal.By != "hour_of_week_utc" {
		return refuse(metadataInvalid, at+".by", "%q is not hour_of_week_utc", c.Seasonal.By)
	}
	cells := slices.Clone(c.Counts)
	if c.Values != nil {
		cells = append(cells, orZero(c.Other))
	}
	if err := checkHours(at+".values", c.Seasonal.Values, cells); err != nil {
		return err
	}
	if c.Seasonal.Quality == nil {
		return nil
	}
	// What is unseen is nothing where the trained categories are known, and all the rest where nothing tells them.
	// Only the model tells which, so either will do here.
	quality := []int64{c.total() - orZero(c.Missing) - orZero(c.Infinite), orZero(c.Missing), orZero(c.Infinite), 0}
	err := checkHours(at+".quality", c.Seasonal.Quality, quality)
	if other := orZero(c.Other); err != nil && other > 0 {
		quality[0], quality[3] = quality[0]-other, other
		err = checkHours(at+".quality", c.Seasonal.Quality, quality)
	}
	return err
}

// checkHours refuses a table that has not 168 rows of the width of cells, or other column sums. So the hours
// add up to the baseline, cell by cell.
func checkHours(at string, hours [][]int64, cells []int64) error {
	if len(hours) != hoursOfWeek {
		return refuse(baselineMismatch, at, "%d rows; a week has %d hours", len(hours), hoursOfWeek)
	}
	total := make([]int64, len(cells))
	for h, row := range hours {
		if len(row) != len(cells) {
			return refuse(baselineMismatch, fmt.Sprintf("%s[%d]", at, h), "%d counts for %d cells", len(row), len(cells))
		}
		for b, n := range row {
			if n < 0 || n > maxRows {
				return refuse(baselineMismatch, fmt.Sprintf("%s[%d][%d]", at, h, b), "%d is no number of rows", n)
			}
			total[b] += n
		}
	}
	for b := range cells {
		if total[b] != cells[b] {
			return refuse(baselineMismatch, at, "the hours of cell %d hold %d rows, the baseline %d", b, total[b], cells[b])
		}
	}
	return nil
}

// check refuses a curve that is no function of the score or leaves the range of a probability. That it rises is
// not asked for: isotonic and sigmoid curves do, and one that does not is the author's finding.
func (c *Calibration) check(at string) error {
	if len(c.X) < 2 || len(c.X) != len(c.Y) {
		return refuse(metadataInvalid, at, "%d x for %d y; two points or more, as many of each", len(c.X), len(c.Y))
	}
	for i := range c.X {
		if i > 0 && c.X[i] <= c.X[i-1] {
			return refuse(metadataInvalid, fmt.Sprintf("%s.x[%d]", at, i), "x does not ascend")
		}
		if c.Y[i] < 0 || c.Y[i] > 1 {
			return refuse(metadataInvalid, fmt.Sprintf("%s.y[%d]", at, i), "%g is no probability", c.Y[i])
		}
	}
	return nil
}

// scaleOf is the largest magnitude of the finite ones. It is what a share such as slack is taken of;
// infinities, which stand for bounds that nobody gave, do not count.
func scaleOf(values ...float64) float64 {
	largest := 0.0
	for _, v := range values {
		if !math.IsInf(v, 0) {
			largest = max(largest, math.Abs(v))
		}
	}
	return largest
}

// totalOf adds counts up; checkCounts has made sure that the sum fits.
func totalOf(counts []int64) int64 {
	total := int64(0)
	for _, n := range counts {
		total += n
	}
	return total
}

// orZero is what a pointer points to; zero where the metadata leaves it out.
func orZero[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}
