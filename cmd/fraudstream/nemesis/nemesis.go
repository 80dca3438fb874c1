// Package nemesis gives the service a bad day and counts what it lost. Only tests import it.
//
// # What is promised
//
// A generator sends events with ids that are never used twice, some of them poison, at a steady rate. Meanwhile faults
// strike, one after the other: processes are killed and frozen, brokers die, the network goes. Three subjects read the
// same events at the same time, each in a consumer group and with output topics of its own, and meet the same faults:
//
//	exactly-once    `fraudstream run` with that delivery, as child processes
//	at-least-once   the same, with the other one
//	plain           the loop over kafka.Reader and kafka.Writer that a developer would write, see the command plain
//
// A witness, which is a client of another make (franz-go, read_committed), reads all that they write. It holds that
//
//   - every event that the broker acknowledged is decided or dead-lettered: else it is lost;
//   - nothing is decided that was not sent: else it is a phantom;
//   - no event is both decided and dead-lettered;
//   - no event has more copies than the mode promises: one with exactly-once;
//   - equal ids have equal bytes;
//   - the events of a partition get their first answers in the order of the partition;
//   - the committed offset never passes an event without an answer; this is sampled all the time, by asking for the
//     committed offsets first and then reading the outputs up to what was their end after that, see [Sampler];
//   - the counters of the workers equal the ids: for the whole run they may not exceed what was read, since a killed
//     process takes its last counts along, and over a last undisturbed stretch, with workers that began with it, they are
//     equal one by one.
//
// What the service breaks of this fails the test. What the plain loop breaks is counted.
//
// # How a run goes
//
// A [Schedule] is drawn from a seed, which is printed: the faults in shuffled order, each with a generator of random
// numbers of its own, from which it draws its worker, its moment, its broker. [Run] starts the subjects, and then for
// each fault: strikes, waits until each subject has answered every event that was acknowledged by the end of the
// fault, which is its recovery time, and a little longer for what comes late. So what is lost, or comes twice, belongs to
// the row of that fault. The same seed gives the same schedule again; the machine's own timing is not repeated with it.
//
// # How to add a fault
//
// Write a function that makes a [Fault] and add it to the list of its ground, [OnKafka] or [InProcess]. Its Strike gets
// the [World], does the harm, mends it, and returns when everything works again, for recovery counts from there. It draws
// from World.Random alone, waits with World.Sleep, and fails the test through World.T where the harm cannot be done.
package nemesis
