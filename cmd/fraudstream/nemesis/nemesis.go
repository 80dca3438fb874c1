// Package nemesis gives the service a bad day and counts what it lost. Tests import it, and the command table, which
// adds their results up; the service is built without it.
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
//   - equal ids have equal bytes and equal keys, in all copies and in both modes of the service;
//   - the events of a partition get their first answers in the order of the partition, decisions and dead letters
//     each for themselves, and in a partition of the same number, so that there is one order to speak of. Only while
//     the outputs have more partitions than the input may a key's hash say otherwise;
//   - the committed offset never passes an event without an answer; this is sampled all the time, by asking for the
//     committed offsets first and then reading the outputs up to what was their end after that;
//   - the counters of the workers equal the ids: over a last undisturbed stretch, with workers that began with it,
//     they are equal one by one. For the whole run they may not exceed what was read; they may fall short of it,
//     since a killed process takes along what it has counted since it was last asked, a second before at most. By
//     how much is shown: so much double counting during the faults would go unseen;
//   - the snapshots of the drift monitor and the alerts are there, each alert has an id, and in exactly-once mode
//     everything is written in transactions and no alert is there twice. Intervals are short and the amounts shift
//     to and fro, so that both are in the batches that the faults strike.
//
// What the service breaks of this fails the test. What the plain loop breaks is counted.
//
// One thing is not held: an answer to an event whose acknowledgement never came back to the generator must name
// something that was sent, and no more is known of its place. Where the acknowledgement comes after the answer, the
// place is checked then.
//
// # How a run goes
//
// A [Schedule] is drawn from a seed, which is printed: the faults in shuffled order, each with random numbers of its
// own, from which it draws its worker, its moment, its broker. [Run] starts the subjects, and then for each fault:
// strikes, waits until each subject has answered every event that was acknowledged by the end of the fault, which is
// its recovery time, and a little longer for what comes late, until the groups are at rest. So what is lost, or comes
// twice, belongs to the row of that fault. All faults of a run happen in one cluster's life, and events go on flowing
// in all of it. Committed offsets must have been looked at during each fault or after it, however often a look was
// refused.
//
// # Why a fault must show that it has struck
//
// A fault that nobody met would claim that something was survived which never happened. So each counts what every
// subject has met of it: events in flight at a kill, members that the group gave up while they stood still, answers
// that were changed, events that waited for over a second while the network was away. A subject that has met nothing,
// or a count that stays at nought, fails the test; the counts are in the results file.
//
// A subject that makes no progress is stuck. That fails the test of the service; of the plain loop the workers are
// started anew, and if that does not help its partitions are moved over the event that they stand before, by hand.
//
// # Where it goes
//
//	TestNemesisInProcess   the in-process broker: faults of processes, and those that can be put into its answers
//	TestNemesis            three brokers of Apache Kafka behind proxies, and the plain loop beside the service
//	TestNemesisSecure      three brokers with TLS, logins and an authorizer, among themselves too, and all three subjects
//
// All three are in the package of the command, and skip themselves unless FRAUDSTREAM_NEMESIS says how long faults
// may strike; each fault strikes once in any case. `make nemesis` runs the two on Apache Kafka, and names the
// variables that choose the version and the faults. FRAUDSTREAM_SEED replays a schedule: the same faults in the same
// order with the same draws; the machine's own timing is not repeated with it. Each strike is a line of JSON in the
// results file, a [Result], and the last line of a run is its [Verdict]. [Tiers] sorts the lines of any number of
// runs by version of Kafka, and leaves out, by name, the runs that have failed or were broken off; [Table] adds up
// the rest.
//
// # How to read a row
//
// Recovery is counted from the end of each harm: the kill itself, since nothing is mended afterwards, but the return
// of the network and not its loss. Where a strike does harm several times, a recovery may reach into the next harm,
// so it is an upper bound; where it does so without a moment in between there are fewer recoveries than runs, and the
// table says how many. The wait in the results file is the longest that an event which was sent during the fault
// waited for an answer that a reader of committed records could see; that is the silence of a partition, as a person
// downstream would measure it. What [Silences] prints is narrower: for each partition of the input that a killed
// broker led, the longest time between two decisions that follow each other, by the times of scoring, from shortly
// before the kill until the broker is back and every subject has answered something of that partition.
//
// # Why all subjects are struck at once
//
// A cut network or a dead broker takes as long for three subjects as for one, and a run that has to fit between two
// commits has no time to spare. More than that, it makes them comparable: the same events, the same broker's bad
// moment, the same machine's load. What is done to processes is drawn once and done to each subject alike.
//
// # Reading the source
//
// [Run] is the whole of a day, and suffer one fault of it. A [Book] has what was sent and a [Ledger] what came of it;
// a witness fills the ledger from the topics, and a sampler holds the committed offsets against it. A [Subject] has
// its [Worker]s. The faults are in the files that begin with faults, each list with what it needs of the [World]
// behind it. A stopwatch measures recoveries, traces tell who was met, and counters judges what belongs to no fault.
// [Result], [Tiers] and [Table] are what is left when it is over.
//
// # How to add a fault
//
// Write a function that returns a [Fault] and add it to the list of its ground: [ProcessFaults], [InProcess],
// [KafkaFaults] or [SecureFaults]. Its Strike gets the [World], does the harm, mends it, and returns when everything
// works again. It draws from World.Random alone, waits with World.Sleep, and fails the test through World.T where
// the harm cannot be done. It says with World.Met what each subject has met of it, and with World.Spared whom it has
// nothing to do with. One that deletes events says so to the [Ledger] with Excuse before it does.
package nemesis
