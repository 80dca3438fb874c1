package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"fraudstream/cmd/fraudstream/web"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// demoModel is the bundle of the demo, whose baseline has counts.
func demoModel(t testing.TB) *scoring.Scorer {
	t.Helper()
	c := defaultConfig()
	c.Model.Path = "demo/bundle"
	model, err := loadModel(c, nil, slog.New(slog.DiscardHandler), web.NewModelMetrics(web.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// TestDriftConfig reads all keys of the section drift, and the topics that it needs.
func TestDriftConfig(t *testing.T) {
	c, err := loadConfig(writeConfig(t, `
kafka: {alerts: fraudstream.alerts, drift_state: fraudstream.drift-state, drift_ticks: fraudstream.drift-ticks}
drift: {false_alarm_every: 8760h, pool: false, features: {country: {tolerance: 0.05, accept_until: 2027-01-31, note: "launch in FR"}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	country := c.Drift.Features["country"]
	if c.Kafka.Alerts != "fraudstream.alerts" || c.Kafka.DriftState != "fraudstream.drift-state" || c.Kafka.DriftTicks != "fraudstream.drift-ticks" ||
		c.Drift.FalseAlarmEvery != 8760*time.Hour || *country.Tolerance != 0.05 || country.AcceptUntil != "2027-01-31" || country.Note != "launch in FR" {
		t.Errorf("read %+v %+v", c.Kafka, c.Drift)
	}
}

// TestDriftConfigErrors makes one mistake a file, and two that only a stream can make: a pool without a topic, and alerts
// among the decisions.
func TestDriftConfigErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"drift: {pol: true}\n", `:1: unknown key "pol"; did you mean "pool"?`},
		{"drift: {features: {amount: {tolerence: 0.1}}}\n", `:1: unknown key "tolerence"; did you mean "tolerance"?`},
		{"drift: {false_alarm_every: 5s}\n", "drift.false_alarm_every: 5s is under a minute"},
		{"drift: {false_alarm_every: 8760}\n", ":1: drift.false_alarm_every: 8760 is no length of time such as"},
		{"drift: {features: {amount: {tolerance: 1.5}}}\n", "drift.features: amount: tolerance: 1.5 is no share between 0 and 1"},
		{"drift: {features: {amount: {quality_tolerance: 0}}}\n", "amount: quality_tolerance: 0 is no share"},
		{"drift: {features: {amount: {note: why}}}\n", "amount: it overrides nothing"},
		{"drift: {features: {amount: {enabled: false, accept_until: soon}}}\n", `amount: accept_until: "soon" is no date such as 2027-01-31`},
		{"drift: {features: {amount: {enabled: false, model: card-fraud}}}\n", `amount: model: "card-fraud" is not of the form name@version`},
	} {
		if _, err := loadConfig(writeConfig(t, c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives %v\nwant %s", c.text, err, c.want)
		}
	}
	run := runCommand{Model: "x", Config: writeConfig(t, "drift: {pool: true}\n")}
	if _, err := run.config(); err == nil || !strings.Contains(err.Error(), "kafka.drift_ticks names no topic") {
		t.Errorf("a pool without a topic: %v", err)
	}
	run = runCommand{Model: "x", Config: writeConfig(t, "kafka: {alerts: decisions}\n")}
	if _, err := run.config(); err == nil || !strings.Contains(err.Error(), "kafka.output and kafka.alerts are both decisions") {
		t.Errorf("alerts among the decisions: %v", err)
	}
}

// An override holds to the end of its last day and for the model that it was accepted for; then the bundle holds again.
func TestOverridesLapse(t *testing.T) {
	model := demoModel(t)
	share := 0.25
	off := false
	lastHour := time.Date(2027, 1, 31, 23, 59, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		override  DriftOverride
		now       time.Time
		tolerance float64
		off       bool
		said      string
	}{
		"tolerance":      {DriftOverride{Tolerance: &share}, lastHour, share, false, "tolerance 0.25 (bundle: "},
		"off":            {DriftOverride{Enabled: &off}, lastHour, 0, true, "enabled false (bundle: true)"},
		"its last day":   {DriftOverride{Tolerance: &share, AcceptUntil: "2027-01-31"}, lastHour, share, false, "until 2027-01-31 or the next model that the drift state knows of (`model: " + modelName(model) + "`"},
		"the day after":  {DriftOverride{Tolerance: &share, AcceptUntil: "2027-01-31"}, lastHour.Add(time.Minute), 0, false, "lapsed after 2027-01-31"},
		"its model":      {DriftOverride{Tolerance: &share, Model: modelName(model), Note: "a launch"}, lastHour, share, false, "until the next model: a launch"},
		"the next model": {DriftOverride{Tolerance: &share, Model: "cards@1"}, lastHour, 0, false, "was accepted for cards@1 and lapsed with the model in force, " + modelName(model)},
	} {
		said := ""
		config := DriftConfig{Features: map[string]DriftOverride{"amount": c.override}}
		options, err := driftOptions(model, config, c.now, func(line string) { said += line })
		if err != nil {
			t.Fatal(err)
		}
		amount := featureNamed(t, options, "amount")
		if amount.Tolerance != c.tolerance || amount.Off != c.off || !strings.Contains(said, c.said) {
			t.Errorf("%s: tolerance %v, off %v, said %q", name, amount.Tolerance, amount.Off, said)
		}
		if (amount.Override != nil) != (c.tolerance != 0 || c.off) {
			t.Errorf("%s: the report names %+v", name, amount.Override)
		}
	}
}

// featureNamed is a feature that must be there.
func featureNamed(t *testing.T, o drift.Options, name string) *drift.Feature {
	t.Helper()
	f, err := featureOf(&o, name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestOverrideOfAFeatureThatIsNotThere refuses a misspelt feature at the start: else somebody would wait for an override
// that never holds.
func TestOverrideOfAFeatureThatIsNotThere(t *testing.T) {
	share := 0.1
	config := DriftConfig{Features: map[string]DriftOverride{"amuont": {Tolerance: &share}}}
	_, err := driftOptions(demoModel(t), config, time.Now(), func(string) {})
	if err == nil || !strings.Contains(err.Error(), `the model has no feature "amuont"; did you mean "amount"?`) {
		t.Errorf("error %v", err)
	}
}

// Without a word in the configuration, an override lapses with the next model: the snapshot that the first one has left
// says for which it was accepted. With the first model in force again, so is the override.
func TestOverrideLapsesWithTheNextModel(t *testing.T) {
	share := 0.25
	c := defaultConfig()
	c.Drift.Features = map[string]DriftOverride{
		"amount":  {Tolerance: &share, AcceptUntil: "2999-12-31", Note: "a launch"},
		"country": {Tolerance: &share},
	}
	var snapshot []byte
	start := func(version string) (amount, country drift.FeatureReport, said string) {
		model := demoModel(t)
		model.Bundle.Version = version
		var log bytes.Buffer
		w, err := newDriftWatch(c, model, 100, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		o := w.partition(0, 1)
		if snapshot != nil {
			_, _ = o.Restore(snapshot) // that of another model's baseline would be an error
		}
		snapshot = observe(model, o, 0, payments(1, 100, 100)).Snapshot
		for _, f := range w.monitor.Report().Features {
			switch f.Name {
			case "amount":
				amount = f
			case "country":
				country = f
			}
		}
		return amount, country, log.String()
	}
	for i, step := range []struct {
		version string
		holds   bool
	}{{"1", true}, {"1", true}, {"2", false}, {"2", false}, {"3", false}, {"1", true}} {
		amount, country, said := start(step.version)
		if (float64(amount.Tolerance) == share) != step.holds || (amount.Override != nil) != step.holds {
			t.Errorf("start %d, version %s: tolerance %v, override %+v", i, step.version, amount.Tolerance, amount.Override)
		}
		if strings.Contains(said, "lapsed with the model") == step.holds {
			t.Errorf("start %d, version %s says %s", i, step.version, said)
		}
		if float64(country.Tolerance) != share {
			t.Errorf("start %d: an override without a day has lapsed", i)
		}
	}
	share = 0.3 // another override, accepted anew
	if amount, _, _ := start("4"); float64(amount.Tolerance) != share {
		t.Errorf("an override that was accepted for the model in force: tolerance %v", amount.Tolerance)
	}
}
