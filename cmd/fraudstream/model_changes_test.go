package main

import (
	"encoding/json"
	"reflect"
	"testing"

	"fraudstream/scoring"
)

// decided makes the result of a row that was scored.
func decided(score float64, v scoring.Verdict) *scoring.Result {
	r := &scoring.Result{Outcome: scoring.Decided}
	r.Decision.Score, r.Decision.Verdict = score, v
	return r
}

// TestScoreChanges works out four rows by hand, of which one model refuses one: that is a change of the decision and no
// difference of scores.
func TestScoreChanges(t *testing.T) {
	model, err := scoring.Load("../../scoring/testdata/refuse/bundle-control", scoring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := newScoreChanges()
	refused := &scoring.Result{Outcome: scoring.Refused}
	c.add(1, model, model, decided(0.5, scoring.Review), decided(0.25, scoring.Approve))
	c.add(2, model, model, decided(0.5, scoring.Review), decided(0.5, scoring.Review))
	c.add(3, model, model, refused, decided(0.5, scoring.Review))
	c.add(4, model, model, decided(0, scoring.Approve), decided(0.125, scoring.Block))
	c.finish()
	if *c.Mean != (-0.25+0.125)/3 || *c.Max != -0.25 || c.MaxRow != 1 || c.Equal != 1 || c.Rows != 4 || c.Compared != 3 || c.Changed != 3 {
		t.Errorf("%+v, mean %v, max %v", c, *c.Mean, *c.Max)
	}
	if !reflect.DeepEqual(c.Quantiles, map[string]float64{"p50": 0.125, "p90": 0.25, "p99": 0.25}) {
		t.Errorf("quantiles %v", c.Quantiles)
	}
	if c.Decisions["review"]["approve"] != 1 || c.Decisions["refused"]["review"] != 1 || c.Decisions["approve"]["block"] != 1 {
		t.Errorf("decisions %v", c.Decisions)
	}
}

// TestMetadataChanges finds what was changed within objects and lists, what one side lacks, and not the features, which are
// compared elsewhere.
func TestMetadataChanges(t *testing.T) {
	read := func(text string) (m map[string]json.RawMessage) {
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	got := metadataChanges(
		read(`{"version": "1", "model": {"classes": [0, 1], "file": "a"}, "features": [1], "owner": "x", "same": {"a": {"b": null}}}`),
		read(`{"version": "2", "model": {"classes": [0, 2], "file": "a"}, "features": [2], "same": {"a": {"b": null}}}`),
	)
	want := []valueChange{
		{"model.classes", []any{0.0, 1.0}, []any{0.0, 2.0}}, {"owner", "x", nil}, {"version", "1", "2"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}
