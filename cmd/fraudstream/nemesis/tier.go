package nemesis

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// whole is the name of the fault in the line that ends a run.
const whole = "the whole run"

// Verdict is the last line of a run in the results file: whether the test has failed, by a fault or by what is judged at
// the end. A run without it was broken off.
func Verdict(ground string, seed uint64, failed bool) Result {
	return Result{Ground: ground, Seed: seed, Fault: whole, Failed: failed}
}

// A Tier is what the runs on one make of cluster have found; those on brokers with logins belong to it.
type Tier struct {
	Name    string
	Runs    []string // ground and seed of each run that counts
	LeftOut []string // those that do not, and why
	Results []Result // of the former
}

// Tiers sorts results by cluster, since figures of two versions in one table say nothing of either, and leaves out runs
// that have failed or were broken off. They are named, all of them: whoever leaves out a bad day has to say so.
func Tiers(results []Result) []Tier {
	type run struct {
		ground string
		seed   uint64
	}
	bad := map[run]string{}
	lines := map[run][]Result{}
	var order []run
	for i := range results {
		r := results[i]
		key := run{r.Ground, r.Seed}
		if _, known := lines[key]; !known {
			order, bad[key] = append(order, key), "broken off"
		}
		if r.Fault != whole {
			lines[key] = append(lines[key], r)
			continue
		}
		if bad[key] = ""; r.Failed {
			bad[key] = "failed" + faultsThatFailed(lines[key])
		}
	}
	tiers := map[string]*Tier{}
	for _, key := range order {
		name, _, _ := strings.Cut(key.ground, " with ")
		t := tiers[name]
		if t == nil {
			t = &Tier{Name: name}
			tiers[name] = t
		}
		text := fmt.Sprintf("%s, seed %d", key.ground, key.seed)
		if why := bad[key]; why != "" {
			t.LeftOut = append(t.LeftOut, text+": "+why)
			continue
		}
		t.Runs = append(t.Runs, text)
		t.Results = append(t.Results, lines[key]...)
	}
	var all []Tier
	for _, name := range slices.Sorted(maps.Keys(tiers)) {
		all = append(all, *tiers[name])
	}
	return all
}

func faultsThatFailed(results []Result) (text string) {
	for i := range results {
		if results[i].Failed {
			text += fmt.Sprintf("; %s, %s", results[i].Fault, results[i].Subject)
		}
	}
	return text
}
