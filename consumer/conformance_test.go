package consumer

import (
	"os"
	"testing"

	"fraudstream/consumer/kafkatest"
)

// conformance are the promises that hold on every broker: the in-process one, which every test run has, and Apache
// Kafka, whose answers differ in places.
func conformance() []promise {
	return []promise{
		{"every event is decided once", everyEventIsDecidedOnce},
		{"members come and go", membersComeAndGo},
		{"a rebalance moves what it must", stickyMoves},
		{"crash loses nothing", crashLosesNothing},
		{"aborted transactions are not scored", abortedTransactionsAreNotScored},
		{"corrupt batch is never scored", corruptBatchIsNeverScored},
		{"network is cut for a while", networkIsCutForAWhile},
		{"order per partition", orderPerPartition},
		{"exit at end", exitAtEnd},
		{"start holds only without offset", startHoldsOnlyWithoutOffset},
		{"start at time", startAtTime},
		{"offset out of range", offsetOutOfRange},
		{"gap to the earliest", resetEarliest},
		{"gap to the latest", resetLatest},
		{"gap that stops", resetStop},
		{"offset past the end", topicMadeAnew},
		{"corrupt batch is skipped", corruptBatchIsSkipped},
		{"dead letters", deadLetters},
		{"replay keeps its origin", replayKeepsItsOrigin},
		{"decision record", decisionRecord},
		{"output too large", outputTooLarge},
		{"dead letter too large", deadLetterTooLarge},
		{"output by key where counts differ", outputByKeyWhereCountsDiffer},
		{"letters in every mode", lettersInEveryMode},
		{"breaker opens", breakerOpens},
		{"letters are listed", lettersAreListed},
		{"letters are replayed once", lettersAreReplayedOnce},
		{"replay keeps the time", replayKeepsTheTime},
		{"replay survives being killed", replaySurvivesBeingKilled},
		{"second replay takes over", secondReplayTakesOver},
		{"gone and foreign letters", goneAndForeignLetters},
		{"missing topic", missingTopic},
		{"topics are created once", topicsAreCreatedOnce},
		{"diagnosis names what is wrong", diagnosisNamesWhatIsWrong},
		{"partition added", partitionAdded},
		{"monitor moves with its partition", monitorMovesWithItsPartition},
		{"monitor survives crashes", monitorSurvivesCrashes},
	}
}

type promise struct {
	name string
	test func(t *testing.T, b *broker)
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
	for _, p := range conformance() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			b.exactly = true
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
	exactly := *b
	exactly.exactly = true
	for _, p := range conformance() {
		t.Run(p.name, func(t *testing.T) { p.test(t, b) })
		t.Run(p.name+", exactly once", func(t *testing.T) { p.test(t, &exactly) })
	}
}
