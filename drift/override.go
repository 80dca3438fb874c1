package drift

import (
	"cmp"
	"sync/atomic"
	"time"
)

// Override is what a configuration says of a feature over its bundle; the report shows it while it holds.
type Override struct {
	Note        string `json:"note,omitempty"`
	AcceptUntil string `json:"accept_until,omitempty"` // a date, for people

	// From Lapses on, by the clock given to CloseTick, what the bundle says holds again; zero: never.
	Lapses           time.Time `json:"-"`
	Off              bool      `json:"-"` // of the bundle
	Tolerance        float64   `json:"-"` // of the bundle. 0: 0.02
	QualityTolerance float64   `json:"-"` // of the bundle. 0: 0.002

	over atomic.Bool // before its day
}

// Lapse ends an override that has a day before it comes, from the next tick on.
func (o *Override) Lapse() { o.over.Store(!o.Lapses.IsZero()) }

// lapsed tells whether the override is over.
func (o *Override) lapsed(now time.Time) bool {
	return o != nil && (o.over.Load() || !o.Lapses.IsZero() && !now.Before(o.Lapses))
}

// afterwards is the feature when its override has lapsed; the feature itself if it never does.
func (f Feature) afterwards() Feature {
	o := f.Override
	if o == nil || o.Lapses.IsZero() {
		return f
	}
	f.Override, f.Off = nil, o.Off
	f.Tolerance = cmp.Or(o.Tolerance, defaultTolerance)
	f.QualityTolerance = cmp.Or(o.QualityTolerance, defaultQualityTolerance)
	return f
}

// silent tells whether an override keeps the detector from alarms. It bets all the same, so that a drift that was
// accepted, and is still there when that lapses, is known at once.
func (d *detector) silent(now time.Time) bool { return d.muted && !d.override.lapsed(now) }

// lawsAt are those that hold now.
func (d *detector) lawsAt(now time.Time) *laws {
	if d.override.lapsed(now) {
		return &d.after
	}
	return &d.laws
}

// now is the feature as it is judged now.
func (c *column) now(now time.Time) Feature {
	if c.Override.lapsed(now) {
		return c.afterwards()
	}
	return c.Feature
}

// toleranceOf is the share that may change cell of a kind.
func (f Feature) toleranceOf(kind string) float64 {
	if kind == kindQuality {
		return f.QualityTolerance
	}
	return f.Tolerance
}
