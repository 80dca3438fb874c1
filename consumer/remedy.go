package consumer

import (
	"errors"

	"github.com/segmentio/kafka-go"
)

// A remedy is what an error within a transaction calls for.
type remedy uint8

const (
	repeat  remedy = iota // send the same request again: the fault passes, or the answer was lost
	restart               // give the transaction up, fence the id anew, and go on where the group's offset is
	rejoin                // the group has gone on without this member: the generation ends
)

// remedies holds the codes that no repetition mends; every other error, of the cluster or of the network, is waited out
// until the transaction is overdue. The codes of the two lists mean, on the requests of a transaction:
//
//	22  the generation is over                          45  the broker misses a batch of the sequence
//	25  the group does not know this member             47  the producer's epoch is old (Kafka to a fenced producer)
//	27  the group is rebalancing                        48  the transaction is not open, or not with this partition
//	                                                    49  the id belongs to another producer
//	                                                    59  the broker has forgotten the producer
//	                                                    82  another process is the same static member
//	                                                    90  the producer was fenced
//
// Among those that pass, 51 is the one that every transaction may meet: the coordinator is still writing the markers of
// the one before.
func remedies() map[kafka.Error]remedy {
	return map[kafka.Error]remedy{
		kafka.IllegalGeneration: rejoin, kafka.UnknownMemberId: rejoin, kafka.RebalanceInProgress: rejoin,

		kafka.OutOfOrderSequenceNumber: restart, kafka.InvalidProducerEpoch: restart, kafka.InvalidTransactionState: restart,
		kafka.InvalidProducerIDMapping: restart, kafka.UnknownProducerId: restart, kafka.FencedInstanceID: restart,
		kafka.ProducerFenced: restart,
	}
}

// remedyFor finds the code in err.
func remedyFor(err error) remedy {
	if code, ok := errors.AsType[kafka.Error](err); ok {
		return remedies()[code]
	}
	return repeat
}

// isFence tells the answers to a producer that has been replaced.
func isFence(err error) bool {
	return errors.Is(err, kafka.InvalidProducerEpoch) || errors.Is(err, kafka.ProducerFenced) ||
		errors.Is(err, kafka.InvalidProducerIDMapping)
}
