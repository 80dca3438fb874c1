package consumer

import (
	"os"
	"slices"
	"testing"

	"fraudstream/consumer/kafkatest"
)

// conformance are the promises that hold on every broker: the in-process one, which every test run has, and Apache
// Kafka, whose answers differ in places.
func conformance() []promise {
	return []promise{
		{"every event is decided once", everyEventIsDecidedOnce, stream},
		{"status", statusOfAStream, stream},
		{"every codec is read", everyCodecIsRead, stream},
		{"members come and go", membersComeAndGo, stream},
		{"a rebalance moves what it must", stickyMoves, stream},
		{"crash loses nothing", crashLosesNothing, stream},
		{"aborted transactions are not scored", abortedTransactionsAreNotScored, stream},
		{"corrupt batch is never scored", corruptBatchIsNeverScored, stream},
		{"network is cut for a while", networkIsCutForAWhile, stream},
		{"order per partition", orderPerPartition, stream},
		{"exit at end", exitAtEnd, stream},
		{"start holds only without offset", startHoldsOnlyWithoutOffset, stream},
		{"start at time", startAtTime, stream},
		{"offset out of range", offsetOutOfRange, stream},
		{"gap to the earliest", resetEarliest, stream},
		{"gap to the latest", resetLatest, stream},
		{"gap that stops", resetStop, stream},
		{"offset past the end", topicMadeAnew, stream},
		{"corrupt batch is skipped", corruptBatchIsSkipped, stream},
		{"dead letters", deadLetters, stream},
		{"replay keeps its origin", replayKeepsItsOrigin, stream},
		{"decision record", decisionRecord, stream},
		{"output too large", outputTooLarge, stream},
		{"dead letter too large", deadLetterTooLarge, stream},
		{"no dead letter fits", noDeadLetterFits, stream},
		{"output by key where counts differ", outputByKeyWhereCountsDiffer, stream},
		{"letters in every mode", lettersInEveryMode, stream},
		{"breaker opens", breakerOpens, stream},
		{"letters are listed", lettersAreListed, command},
		{"letters are replayed once", lettersAreReplayedOnce, command},
		{"replay keeps the time", replayKeepsTheTime, command},
		{"replay survives being killed", replaySurvivesBeingKilled, command},
		{"second replay takes over", secondReplayTakesOver, command},
		{"gone and foreign letters", goneAndForeignLetters, command},
		{"missing topic", missingTopic, command},
		{"topics are created once", topicsAreCreatedOnce, command},
		{"diagnosis names what is wrong", diagnosisNamesWhatIsWrong, command},
		{"partition added", partitionAdded, stream},
		{"leaves and finds in time", leavesAndFindsInTime, stream},
		{"monitor moves with its partition", monitorMovesWithItsPartition, stream},
		{"monitor survives crashes", monitorSurvivesCrashes, stream},
	}
}

type promise struct {
	name string
	test func(t *testing.T, b *broker)
	of   subject
}

// subject is what a promise is about. A command does the same whatever the stream's delivery is.
type subject bool

const (
	stream  subject = true
	command subject = false
)

// ofStream are the promises that hold for either delivery.
func ofStream() []promise {
	return slices.DeleteFunc(conformance(), func(p promise) bool { return p.of == command })
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, p := range conformance() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.test(t, newFake(t))
		})
	}
}

// The same promises hold where everything is written in transactions.
func TestConformanceExactlyOnce(t *testing.T) {
	t.Parallel()
	for _, p := range ofStream() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			b.exactly = true
			p.test(t, b)
		})
	}
}

// And they hold where the requests go by the types of the Kafka library, which is what is left where a broker does not
// understand ours.
func TestConformanceByLibrary(t *testing.T) {
	t.Parallel()
	for _, p := range ofStream() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			b.library = true
			p.test(t, b)
		})
	}
}

// On Apache Kafka all promises share one broker, with topics of their own: FRAUDSTREAM_KAFKA=host:port names one that
// runs, FRAUDSTREAM_REAL_KAFKA=1 starts one.
func TestConformanceOnApacheKafka(t *testing.T) {
	b := &broker{bootstrap: os.Getenv("FRAUDSTREAM_KAFKA"), real: true}
	if b.bootstrap == "" {
		b.bootstrap = kafkatest.Start(t, 1).Bootstrap()
	}
	exactly, library := *b, *b
	exactly.exactly, library.library = true, true
	for _, p := range conformance() {
		t.Run(p.name, func(t *testing.T) { p.test(t, b) })
	}
	for _, p := range ofStream() {
		t.Run(p.name+", exactly once", func(t *testing.T) { p.test(t, &exactly) })
		t.Run(p.name+", by library", func(t *testing.T) { p.test(t, &library) })
	}
}
