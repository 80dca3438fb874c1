package consumer

import "time"

// stalledAfter is how long a loop may go without a turn before the process counts as stuck.
const stalledAfter = 30 * time.Second

// Ready tells whether the group was joined once and the consumer is not draining.
func (c *Consumer) Ready() bool { return c.joined.Load() && !c.draining.Load() }

// Healthy tells whether the loop of every partition has turned within 30 s. A loop also turns while it waits, so the
// answer does not depend on the broker: restarting a process mends nothing that is wrong there.
func (c *Consumer) Healthy() bool {
	since := time.Now().Add(-stalledAfter).UnixNano()
	for _, s := range c.o.Metrics.partitions() {
		if s.turned.Load() < since {
			return false
		}
	}
	return true
}
