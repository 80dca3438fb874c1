package drift

// budget is how the mean time between false alarms is shared.
type budget struct {
	partitions int     // sets of detectors
	threshold  float64 // of logM; meaningless where no detector bets
}

// SetPartitions says how many sets of detectors share the mean time between false alarms. A group learns how many
// partitions there are only when it is given some, and learns it again when there are more: every process of the group
// then holds its alarms to the same threshold, from the next tick on.
func (m *Monitor) SetPartitions(n int) {
	n = max(n, 1)
	if b := m.budget.Load(); b != nil && b.partitions == n {
		return
	}
	m.budget.Store(&budget{n, threshold(m.ticksBetween(), m.betting()*n, len(halfLives))})
}

// threshold is what the evidence of a detector must reach for an alarm.
func (m *Monitor) threshold() float64 { return m.budget.Load().threshold }
