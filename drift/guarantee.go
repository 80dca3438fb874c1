package drift

import (
	"fmt"
	"strconv"
	"time"
)

// Guarantee says what an alarm of this monitor is worth: how often it may be false, and under which assumption. It is
// empty where no detector runs.
func (m *Monitor) Guarantee() string {
	detectors := m.betting()
	if detectors == 0 {
		return ""
	}
	where := ""
	if n := m.budget.Load().partitions; n > 1 {
		where = fmt.Sprintf(" in each of %d partitions", n)
	}
	return fmt.Sprintf("while less than epsilon of the traffic changes cell, all %d detectors%s together give at most "+
		"one false alarm in %s on average (%s ticks)", detectors, where, hours(m.every), grouped(m.ticksBetween(), -1))
}

// hours writes a duration of whole hours as people say it.
func hours(d time.Duration) string {
	if d == defaultFalseAlarmEvery {
		return "a year"
	}
	if d%time.Hour != 0 {
		return d.String()
	}
	return strconv.FormatInt(int64(d/time.Hour), 10) + " h"
}

// Widened says, in one line for the log, how many detectors tolerate more than they were asked to because the training
// rows are few, which is the worst, and how many rows it would need. It is empty if there is none.
func (m *Monitor) Widened() string {
	widened, worst, worstLaw := 0, (*detector)(nil), (*law)(nil)
	for i := range m.detectors {
		d := &m.detectors[i]
		if !d.bets {
			continue
		}
		l := d.laws.widest()
		if l.epsilon <= d.tolerance {
			continue
		}
		widened++
		if worst == nil || l.epsilon/d.tolerance > worstLaw.epsilon/worst.tolerance {
			worst, worstLaw = d, l
		}
	}
	if worst == nil {
		return ""
	}
	rows, in := worstLaw.base.total(), ""
	if worstLaw != &worst.laws.whole {
		in = " in its thinnest hour of the week"
	}
	return fmt.Sprintf("%d of %d drift detectors were widened, because the training data are few for their tolerance; "+
		"the worst is that of the %s of %s: %.4f of the traffic may change cell in place of %g (%s rows%s, it would need %s)",
		widened, m.betting(), worst.kind, m.columns[worst.column].Name, worstLaw.epsilon, worst.tolerance,
		grouped(rows, -1), in, grouped(worst.rowsNeeded(worstLaw), -1))
}

// rowsNeeded is the number of baseline rows at which a law's radius falls to the detector's tolerance.
func (d *detector) rowsNeeded(l *law) float64 {
	if d.kind == kindQuality {
		return qualityRows(l.base.Counts[ok]/l.base.total(), d.tolerance)
	}
	return valueRows(d.cells, d.tolerance)
}
