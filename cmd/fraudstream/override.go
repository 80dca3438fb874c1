package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"fraudstream/drift"
)

// DriftConfig says how drift is judged, over what the bundle says. Features are named as in the bundle; score stands
// for the score.
type DriftConfig struct {
	FalseAlarmEvery time.Duration            `yaml:"false_alarm_every"` // 0: 8760h
	Pool            bool                     `yaml:"pool"`
	Features        map[string]DriftOverride `yaml:"features"`
}

// DriftOverride is what somebody has accepted of a feature, or of the score. It touches nothing that is signed.
//
// What was accepted for now must not hold for ever: AcceptUntil is its last day (UTC), and it lapses with the next
// model, whose baseline may know better. Model names the model that it was accepted for; without it, the snapshots of
// the drift state remember (see acceptances), and where there are none, the day alone counts.
//
// A value that is not given leaves what the bundle says. Enabled also decides how many detectors bet, and these share
// the mean time between false alarms: to switch some off makes the others a little more sensitive, and never more
// often wrong together.
type DriftOverride struct {
	Tolerance        *float64 `yaml:"tolerance"`         // share of traffic that may change value cell
	QualityTolerance *float64 `yaml:"quality_tolerance"` // share that may go missing, out of range or unseen
	Enabled          *bool    `yaml:"enabled"`           // false: no alarm
	AcceptUntil      string   `yaml:"accept_until"`      // 2027-01-31
	Model            string   `yaml:"model"`             // name@version
	Note             string   `yaml:"note"`
}

// validate checks what can be checked without a model; whether a feature exists is seen when one is loaded.
func (c *DriftConfig) validate() error {
	if c.FalseAlarmEvery < 0 || c.FalseAlarmEvery > 0 && c.FalseAlarmEvery < time.Minute {
		return fmt.Errorf("drift.false_alarm_every: %s is under a minute; it is the mean time between false alarms, such as 8760h", c.FalseAlarmEvery)
	}
	for name, o := range c.Features {
		if err := o.validate(); err != nil {
			return fmt.Errorf("drift.features: %s: %w", name, err)
		}
	}
	return nil
}

// validate wants an override that overrides something, with shares, a day and a model that can be read as such.
// Errors begin with the key, where one is at fault, so that the line of the file can be found by them.
func (o *DriftOverride) validate() error {
	for key, share := range map[string]*float64{"tolerance": o.Tolerance, "quality_tolerance": o.QualityTolerance} {
		if share != nil && !(*share > 0 && *share < 1) {
			return fmt.Errorf("%s: %v is no share between 0 and 1", key, *share)
		}
	}
	if o.Tolerance == nil && o.QualityTolerance == nil && o.Enabled == nil {
		return errors.New("it overrides nothing: give tolerance, quality_tolerance or enabled")
	}
	if _, err := o.lapses(); err != nil {
		return err
	}
	if name, version, ok := strings.Cut(o.Model, "@"); o.Model != "" && (!ok || name == "" || version == "") {
		return fmt.Errorf("model: %q is not of the form name@version", o.Model)
	}
	return nil
}

// lapses is the moment after the last day: midnight UTC, so that every process of a group lets it lapse at the same
// time, wherever it runs. It is zero where there is no day.
func (o *DriftOverride) lapses() (time.Time, error) {
	if o.AcceptUntil == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, o.AcceptUntil)
	if err != nil {
		return day, fmt.Errorf("accept_until: %q is no date such as 2027-01-31", o.AcceptUntil)
	}
	return day.AddDate(0, 0, 1), nil
}

// apply puts the override into the feature, unless it has lapsed by now or was accepted for another model. The
// feature remembers what the bundle says, which holds again on the day after; a line about either goes to say. That a
// detector is switched on which has nothing to compare with is an error and not a line, since whoever wrote it counts
// on an alarm.
func (o DriftOverride) apply(f *drift.Feature, model string, now time.Time, say func(string)) error {
	end, err := o.lapses()
	switch {
	case err != nil:
		return err
	case !end.IsZero() && !now.Before(end):
		say(fmt.Sprintf("drift override of %s lapsed after %s, the bundle holds: remove it from the configuration", f.Name, o.AcceptUntil))
		return nil
	case o.Model != "" && o.Model != model:
		say(fmt.Sprintf("drift override of %s was accepted for %s and lapsed with the model in force, %s: the bundle holds", f.Name, o.Model, model))
		return nil
	case o.Enabled != nil && *o.Enabled && f.Counts == nil && !f.HasMoments && f.Rows == 0:
		return errors.New("enabled: the bundle has no baseline to compare with")
	}
	say(o.describe(f, model))
	f.Override = &drift.Override{
		Note: o.Note, AcceptUntil: o.AcceptUntil,
		Lapses: end, Off: f.Off, Tolerance: f.Tolerance, QualityTolerance: f.QualityTolerance,
	}
	if o.Tolerance != nil {
		f.Tolerance = *o.Tolerance
	}
	if o.QualityTolerance != nil {
		f.QualityTolerance = *o.QualityTolerance
	}
	if o.Enabled != nil {
		f.Off = !*o.Enabled
	}
	return nil
}

// describe is what the log says of an override in force: each value beside that of the bundle, until when, and why.
// It is written before the override is applied, while the feature still has what the bundle says.
func (o DriftOverride) describe(f *drift.Feature, model string) string {
	text := "drift override of " + f.Name + " is in force:"
	if o.Enabled != nil {
		text += fmt.Sprintf(" enabled %v (bundle: %v)", *o.Enabled, !f.Off)
	}
	if o.Tolerance != nil {
		text += fmt.Sprintf(" tolerance %v (bundle: %s)", *o.Tolerance, orDefault(f.Tolerance))
	}
	if o.QualityTolerance != nil {
		text += fmt.Sprintf(" quality tolerance %v (bundle: %s)", *o.QualityTolerance, orDefault(f.QualityTolerance))
	}
	switch {
	case o.AcceptUntil != "" && o.Model == "":
		text += fmt.Sprintf(", until %s or the next model that the drift state knows of (`model: %s` says it without)", o.AcceptUntil, model)
	case o.AcceptUntil != "":
		text += fmt.Sprintf(", until %s or the next model", o.AcceptUntil)
	case o.Model != "":
		text += ", until the next model"
	}
	if o.Note != "" {
		text += ": " + o.Note
	}
	return text
}

// orDefault writes a tolerance of the bundle, a share of traffic; a bundle that states none leaves it to drift.
func orDefault(share float64) string {
	if share == 0 {
		return "the default"
	}
	return fmt.Sprint(share)
}
