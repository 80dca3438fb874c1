package drift

// totals are counts of rows. They are float64, exact to 2⁵³, as what the detectors decay.
type totals struct {
	rows    float64
	tallies []tally   // of all columns
	squares []float64 // of the monitor's spreads
}

// tally counts the values of one place.
type tally struct{ n, sum float64 }

func (m *Monitor) newTotals() totals {
	return totals{tallies: make([]tally, m.tallies), squares: make([]float64, len(m.spreads))}
}

func (t *totals) add(other *totals) {
	t.rows += other.rows
	for i, a := range other.tallies {
		t.tallies[i].n += a.n
		t.tallies[i].sum += a.sum
	}
	for i, s := range other.squares {
		t.squares[i] += s
	}
}

func (t *totals) clear() {
	t.rows = 0
	clear(t.tallies)
	clear(t.squares)
}
