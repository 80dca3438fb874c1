package main

import (
	"encoding/json"
	"log/slog"
	"maps"
	"sync"

	"fraudstream/drift"
)

// acceptances remember for which model each override with a day was accepted, so that it lapses with the next one.
//
// The configuration does not tell: it is the same file before and after a model is exchanged. So the first process that
// meets an override notes its model in the snapshots of the partitions, and whoever restores one of them with another
// model in force finds that the override was never meant for that. A new day, tolerance or note is another override.
type acceptances struct {
	mu        sync.Mutex
	byText    map[string]string // the override as configured, and the model
	overrides map[string]*drift.Override
}

// acceptancesOf takes the overrides in force for accepted now, until a snapshot knows better. One that names its model
// needs no memory, and one without a day holds for good.
func acceptancesOf(c DriftConfig, o *drift.Options, model string) *acceptances {
	a := &acceptances{byText: map[string]string{}, overrides: map[string]*drift.Override{}}
	for name, override := range c.Features {
		f, err := featureOf(o, name)
		if err != nil || f.Override == nil || override.AcceptUntil == "" || override.Model != "" {
			continue
		}
		text, err := json.Marshal(override)
		if err != nil {
			continue // an override is numbers and texts
		}
		key := name + " " + string(text)
		a.byText[key], a.overrides[key] = model, f.Override
	}
	return a
}

// models are the acceptances as a snapshot carries them.
func (a *acceptances) models() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.byText)
}

// learn takes over what a snapshot knows of the overrides that are still configured.
func (a *acceptances) learn(models map[string]string, current string, log *slog.Logger) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, model := range models {
		if a.byText[key] != current || model == current {
			continue // another snapshot has said so already, or it is no override of ours, or it holds
		}
		a.byText[key] = model
		a.overrides[key].Lapse()
		log.Info("drift override lapsed with the model that it was accepted for: the bundle holds",
			"override", key, "accepted_for", model, "model", current)
	}
}
