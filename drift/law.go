package drift

import (
	"math"
	"time"
)

// delta is the probability with which a baseline may lie farther from the truth than its radius.
const delta = 0.01

// hourRows is what an hour of the week needs to stand for itself.
const hourRows = 1000

// hoursOfWeek is the length of a seasonal baseline.
const hoursOfWeek = 168

// law is what the baseline expects of a tick: the cells' shares, and how far from them traffic may be.
type law struct {
	base    Histogram // the counts
	p       []float64 // smoothed shares, all positive
	radius  float64   // how far the true law may lie from p, because the counts are a sample
	epsilon float64   // the larger of the tolerance and the radius
}

// laws are those of the hours of a week, nil for hours that have none of their own.
type laws struct {
	whole law
	hours []*law // nil: the mix does not follow the clock
}

// at is the law of the tick whose first event has this time, in Unix milliseconds; 0 is an unknown one.
func (l *laws) at(first int64) *law {
	if l.hours == nil || first == 0 {
		return &l.whole
	}
	if hour := l.hours[hourOfWeek(first)]; hour != nil {
		return hour
	}
	return &l.whole
}

// widest is the law with the largest epsilon.
func (l *laws) widest() *law {
	most := &l.whole
	for _, hour := range l.hours {
		if hour != nil && hour.epsilon > most.epsilon {
			most = hour
		}
	}
	return most
}

// hourOfWeek is the hour since Monday, 00:00 UTC.
func hourOfWeek(unixMilli int64) int {
	const thursday = 3 * 24 // 1 January 1970
	hours := math.Floor(float64(unixMilli) / float64(time.Hour/time.Millisecond))
	return int(math.Mod(math.Mod(hours, hoursOfWeek)+hoursOfWeek+thursday, hoursOfWeek))
}

// newLaw smooths counts by half a row per cell.
func newLaw(base Histogram, tolerance, radius float64) law {
	return law{base: base, p: base.shares(0.5), radius: radius, epsilon: max(tolerance, radius)}
}

// valueRadius is, for the shares of cells cells counted on rows rows, how far in total variation they may lie from the
// truth: ½√((B-1)/m) is about the mean distance, and √(ln(1/δ)/2m) the room that McDiarmid's inequality asks for.
func valueRadius(cells int, rows float64) float64 {
	return valueRoom(cells) / math.Sqrt(rows)
}

// valueRoom is the radius of a single row; it shrinks with the root of the rows.
func valueRoom(cells int) float64 {
	return math.Sqrt(float64(cells-1))/2 + math.Sqrt(math.Log(1/delta)/2)
}

// qualityRadius is the like for quality cells, in which nearly all rows are ok: Bernstein's inequality, which profits
// from the small variance of that share, √(2v·L/m) + L/(3m) with L = ln(14/δ).
func qualityRadius(ok, rows float64) float64 {
	share := ok / rows
	return math.Sqrt(2*share*(1-share)*qualityLog/rows) + qualityLog/(3*rows)
}

var qualityLog = math.Log(14 / delta)

// valueRows is the number of rows at which valueRadius falls to epsilon.
func valueRows(cells int, epsilon float64) float64 {
	room := valueRoom(cells) / epsilon
	return math.Ceil(room * room)
}

// qualityRows is the number of rows at which qualityRadius falls to epsilon, at the same share of ok: a quadratic
// equation in 1/√m.
func qualityRows(share, epsilon float64) float64 {
	half := math.Sqrt(2*share*(1-share)*qualityLog) / 2
	third := qualityLog / 3
	root := (math.Sqrt(half*half+third*epsilon) - half) / third
	return math.Ceil(1 / (root * root))
}

// lawsOf are those of the cells of a kind; false where the baseline does not tell them.
func (f *Feature) lawsOf(kind string) (laws, bool) {
	if kind == kindQuality {
		return f.qualityLaws()
	}
	return f.valueLaws()
}

// valueLaws are those of a column's value cells; without any counts there is no law.
func (f *Feature) valueLaws() (laws, bool) {
	counts := f.baseline()
	if counts == nil {
		return laws{}, false
	}
	of := func(counts []int64) law {
		base := Histogram{Counts: floats(counts), Sums: f.sumsOf(counts)}
		return newLaw(base, f.Tolerance, valueRadius(len(counts), base.total()))
	}
	l := laws{whole: of(counts)}
	if f.Seasonal != nil {
		l.hours = make([]*law, hoursOfWeek)
		for h, row := range f.Seasonal.Values {
			if f.hourRows(h) >= hourRows && sum(row) > 0 {
				hour := of(row)
				l.hours[h] = &hour
			}
		}
	}
	return l, true
}

// qualityLaws are those of a feature's quality cells; where nothing tells the number of rows there is no law.
func (f *Feature) qualityLaws() (laws, bool) {
	counts := f.qualityBaseline()
	if counts[ok] <= 0 {
		return laws{}, false
	}
	of := func(counts []int64) law {
		base := Histogram{Counts: floats(counts)}
		return newLaw(base, f.QualityTolerance, qualityRadius(float64(counts[ok]), base.total()))
	}
	l := laws{whole: of(counts[:])}
	if f.Seasonal != nil && f.Seasonal.Quality != nil {
		l.hours = make([]*law, hoursOfWeek)
		for h := range f.Seasonal.Quality {
			if f.hourRows(h) >= hourRows {
				row := f.seasonalQuality(h)
				hour := of(row[:])
				l.hours[h] = &hour
			}
		}
	}
	return l, true
}

// hourRows is the number of baseline rows of an hour of the week.
func (f *Feature) hourRows(h int) int64 {
	if f.Seasonal.Quality != nil {
		return sum(f.Seasonal.Quality[h])
	}
	return sum(f.Seasonal.Values[h])
}

// seasonalQuality is a row of quality cells in the reading of qualityBaseline: a bundle is written by someone who need
// not know which categories the model has trained, and may count the rest as ok or as unseen.
func (f *Feature) seasonalQuality(h int) (row [qualities]int64) {
	copy(row[:], f.Seasonal.Quality[h])
	switch whole := f.qualityBaseline(); {
	case whole[unseen] == 0:
		row[ok], row[unseen] = row[ok]+row[unseen], 0
	case !f.seasonalUnseen():
		other := f.Seasonal.Values[h][len(f.Values)]
		row[ok], row[unseen] = row[ok]-other, other
	}
	return row
}

// seasonalUnseen tells whether any hour counts unseen categories.
func (f *Feature) seasonalUnseen() bool {
	for _, row := range f.Seasonal.Quality {
		if row[unseen] > 0 {
			return true
		}
	}
	return false
}

// sumsOf are the sums of the values in cells of these counts, if every bin has the mean that it has in the whole
// baseline; nil without sums.
func (f *Feature) sumsOf(counts []int64) []float64 {
	if f.Sums == nil {
		return nil
	}
	sums := make([]float64, len(counts))
	for b, n := range counts {
		if n == f.Counts[b] {
			sums[b] = f.Sums[b]
		} else if f.Counts[b] > 0 {
			sums[b] = f.Sums[b] / float64(f.Counts[b]) * float64(n)
		}
	}
	return sums
}

func floats(counts []int64) []float64 {
	all := make([]float64, len(counts))
	for i, n := range counts {
		all[i] = float64(n)
	}
	return all
}
