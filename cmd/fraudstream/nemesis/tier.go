package nemesis

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// whole is the name of the fault in the line that ends a run.
const whole = "the whole run"

// Verdict is the last line of a run in the results file: whether the test has failed, by a fault or by what is judged
// at the end. A run without it was broken off. It has no subject and no number, by which it cannot be taken for a
// strike.
func Verdict(ground string, seed uint64, failed bool) Result {
	return Result{Ground: ground, Seed: seed, Fault: whole, Failed: failed}
}

// A Tier is what the runs on one make of cluster have found, that is one version of Kafka with one session of its
// brokers; those on brokers with logins belong to it. Each has a table of its own. They are in the order of their
// names.
type Tier struct {
	Name    string
	Runs    []string // ground and seed of each run that counts
	LeftOut []string // those that do not, and why
	Results []Result // of the former
}

// Tiers sorts results by cluster, since figures of two versions in one table say nothing of either, and leaves out runs
// that have failed or were broken off. They are named, all of them: whoever leaves out a bad day has to say so.
func Tiers(results []Result) []Tier {
	tiers := map[string]*Tier{}
	for _, o := range outings(results) {
		name, _, _ := strings.Cut(o.ground, " with ")
		t := tiers[name]
		if t == nil {
			t = &Tier{Name: name}
			tiers[name] = t
		}
		text := fmt.Sprintf("%s, seed %d", o.ground, o.seed)
		switch {
		case !o.over:
			t.LeftOut = append(t.LeftOut, text+": broken off")
		case o.failed:
			t.LeftOut = append(t.LeftOut, text+": failed"+faultsThatFailed(o.lines))
		default:
			t.Runs = append(t.Runs, text)
			t.Results = append(t.Results, o.lines...)
		}
	}
	var all []Tier
	for _, name := range slices.Sorted(maps.Keys(tiers)) {
		all = append(all, *tiers[name])
	}
	return all
}

// outing is one run as the results file has it.
type outing struct {
	ground string
	seed   uint64
	lines  []Result // of its strikes, without the verdict
	over   bool     // there is a verdict
	failed bool     // which says so
}

// outings takes results apart into runs, in the order in which they began. A seed may be replayed, so that its lines
// are there several times, and one run that ended well says nothing of another that did not.
func outings(results []Result) []*outing {
	type cluster struct {
		ground string
		seed   uint64
	}
	var all []*outing
	last := map[cluster]*outing{}
	for i := range results {
		r := &results[i]
		at := cluster{r.Ground, r.Seed}
		o := last[at]
		if o == nil || !o.goesOn(r) {
			o = &outing{ground: r.Ground, seed: r.Seed}
			all, last[at] = append(all, o), o
		}
		if r.Fault == whole {
			o.over, o.failed = true, r.Failed
		} else {
			o.lines = append(o.lines, *r)
		}
	}
	return all
}

// goesOn tells whether a line belongs to the run: it has not ended, and the line is of a later strike than the one
// before, or of the same with another subject. Lines of one strike come one for each subject, so a subject that comes
// twice under one number is of another run.
func (o *outing) goesOn(r *Result) bool {
	switch {
	case o.over:
		return false
	case len(o.lines) == 0 || r.Fault == whole:
		return true
	}
	before := o.lines[len(o.lines)-1].Number
	return r.Number > before || r.Number == before && !slices.ContainsFunc(o.lines, func(l Result) bool {
		return l.Number == before && l.Subject == r.Subject
	})
}

// faultsThatFailed names the strikes by which a run has failed. It is empty where the end of the run alone was wrong.
func faultsThatFailed(results []Result) (text string) {
	for i := range results {
		if results[i].Failed {
			text += fmt.Sprintf("; %s, %s", results[i].Fault, results[i].Subject)
		}
	}
	return text
}
