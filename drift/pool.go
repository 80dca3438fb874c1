package drift

// JudgedBy says which monitor runs the detectors for m, which only counts (Options.Pooled): its verdicts and alarms then
// stand in the reports of m, beside the counts of m. Where another process has the pool there are none yet, and the
// thresholds stand all the same. Call it before m is used.
func (m *Monitor) JudgedBy(pool *Monitor) { m.pool = pool }

// judge takes over what a pool says of the same features.
func (r *Report) judge(pool *Report) {
	r.Alarms, r.AlarmCount, r.Guarantee = pool.Alarms, pool.AlarmCount, pool.Guarantee
	r.Partitions = append(r.Partitions, pool.Partitions...)
	for i := range r.Features {
		r.Features[i].Verdict = pool.Features[i].Verdict
		r.Features[i].Quality.Verdict = pool.Features[i].Quality.Verdict
	}
	if r.Score != nil {
		r.Score.Verdict = pool.Score.Verdict
	}
}
