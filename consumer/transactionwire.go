package consumer

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"fraudstream/consumer/recordbatch"
)

// The four requests that every transaction costs are written and read here. kafka-go's own types for them are sent only
// after a question for the coordinator, which doubles the round trips, and go through reflection. The versions are the
// oldest that say all that is needed, which brokers speak since Kafka 2.5: TxnOffsetCommit names the group's generation
// from version 3 on. In these versions a fenced producer is told 47 where newer ones say 90.
const (
	addPartitionsVersion   = 1
	addOffsetsVersion      = 1
	txnOffsetCommitVersion = 3 // flexible: lengths of variable size, and tagged fields behind each structure
	endTransactionVersion  = 1
)

// encodeAddPartitions asks that partitions belong to the producer's transaction (AddPartitionsToTxn, version 1). The
// first request of that kind begins the transaction.
func (t *transactional) encodeAddPartitions(targets []target) []byte {
	topics := map[string][]int32{}
	for _, at := range targets {
		topics[at.topic] = append(topics[at.topic], at.partition)
	}
	b := requestHeader(protocol.AddPartitionsToTxn, addPartitionsVersion, t.c.o.ClientID)
	b = appendProducer(appendString(b, t.id), t.producer)
	b = binary.BigEndian.AppendUint32(b, uint32(len(topics)))
	for topic, partitions := range topics {
		b = appendString(b, topic)
		b = binary.BigEndian.AppendUint32(b, uint32(len(partitions)))
		for _, p := range partitions {
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		}
	}
	return sized(b)
}

// notAttempted is what the broker says of the partitions beside one that cannot be added: OPERATION_NOT_ATTEMPTED.
// kafka-go has another name for the code.
const notAttempted kafka.Error = 55

// parseAddPartitions finds the code of the answer and, where it is about topics (29, access denied, or 3, unknown), those
// that it is about. A broker adds all partitions or none: beside the ones at fault the others carry notAttempted. Any
// other code is that of the producer or of its coordinator, and then all partitions carry it. All that were asked for are
// added only where each of them is in the answer.
func parseAddPartitions(in cursor, asked []target) error {
	in.int32() // throttle
	guilty := topicError{access: toWrite}
	var cause kafka.Error
	open := slices.Clone(asked)
	for range max(in.int32(), 0) {
		topic := string(in.take(int(in.int16())))
		for range max(in.int32(), 0) {
			at := target{topic, in.int32()}
			code := kafka.Error(in.int16())
			if in.short {
				return errCutShort
			}
			open = slices.DeleteFunc(open, func(t target) bool { return t == at })
			if code != cause && (cause == 0 || cause == notAttempted) {
				cause, guilty.topics = code, nil
			}
			if code == cause {
				guilty.add(topic)
			}
		}
		if in.short {
			return errCutShort
		}
	}
	switch guilty.code = in.result(cause); {
	case isAboutTopics(guilty.code):
		return &guilty
	case guilty.code == nil && len(open) > 0:
		return errUnanswered
	}
	return guilty.code
}

// isAboutTopics tells the codes that a request to several topics may get for some of them alone.
func isAboutTopics(err error) bool {
	return errors.Is(err, kafka.TopicAuthorizationFailed) || errors.Is(err, kafka.UnknownTopicOrPartition)
}

// encodeAddOffsets asks that the group's offsets belong to the producer's transaction (AddOffsetsToTxn, version 1).
func (t *transactional) encodeAddOffsets() []byte {
	b := requestHeader(protocol.AddOffsetsToTxn, addOffsetsVersion, t.c.o.ClientID)
	b = appendProducer(appendString(b, t.id), t.producer)
	return sized(appendString(b, t.group))
}

// encodeEnd commits or aborts (EndTxn, version 1). In this version the producer keeps its epoch, whichever broker
// answers: newer ones raise it with each transaction and say so, in an answer that this one has no field for.
func (t *transactional) encodeEnd(commit bool) []byte {
	b := requestHeader(protocol.EndTxn, endTransactionVersion, t.c.o.ClientID)
	b = appendProducer(appendString(b, t.id), t.producer)
	if commit {
		return sized(append(b, 1))
	}
	return sized(append(b, 0))
}

// encodeOffsets writes offsets of one topic that hold from the commit on, in the name of a member (TxnOffsetCommit,
// version 3).
func (t *transactional) encodeOffsets(by member, topic string, marks map[int32]mark) []byte {
	b := requestHeader(protocol.TxnOffsetCommit, txnOffsetCommitVersion, t.c.o.ClientID)
	b = appendNoTags(b)
	b = appendCompactString(b, t.id)
	b = appendCompactString(b, t.group)
	b = appendProducer(b, t.producer)
	b = binary.BigEndian.AppendUint32(b, uint32(by.generation))
	b = appendCompactString(b, by.id)
	b = append(b, 0) // no static member: null
	b = appendCompactLength(b, 1)
	b = appendCompactString(b, topic)
	b = appendCompactLength(b, len(marks))
	for p, m := range marks {
		b = binary.BigEndian.AppendUint32(b, uint32(p))
		b = binary.BigEndian.AppendUint64(b, uint64(m.offset))
		b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // leader epoch -1: unknown
		b = appendCompactString(b, m.text)
		b = appendNoTags(b)
	}
	return sized(appendNoTags(appendNoTags(b))) // of the topic, of the request
}

// appendProducer writes who asks: a producer's id means nothing without its epoch.
func appendProducer(b []byte, p recordbatch.Producer) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(p.ID))
	return binary.BigEndian.AppendUint16(b, uint16(p.Epoch))
}

// appendCompactLength writes the length of a string or an array, plus one, since zero stands for null.
func appendCompactLength(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)+1) }

// appendCompactString writes a string of a flexible version.
func appendCompactString(b []byte, s string) []byte {
	return append(appendCompactLength(b, len(s)), s...)
}

// appendNoTags ends a structure that could have tagged fields.
func appendNoTags(b []byte) []byte { return append(b, 0) }

// parseCode reads the answers to AddOffsetsToTxn and EndTxn, which are one code.
func parseCode(in cursor) error {
	in.int32() // throttle
	return in.result(kafka.Error(in.int16()))
}

// parseOffsets finds the first code of the answer to encodeOffsets that is not zero. Without one, each of the marks must
// be in the answer.
func parseOffsets(in cursor, topic string, marks map[int32]mark) error {
	in.skipTags() // of the header
	in.int32()    // throttle
	open := maps.Clone(marks)
	for range in.compactLength() {
		ours := string(in.take(in.compactLength())) == topic
		for range in.compactLength() {
			partition := in.int32()
			code := kafka.Error(in.int16())
			in.skipTags()
			if in.short || code != 0 {
				return in.result(code)
			}
			if ours {
				delete(open, partition)
			}
		}
		in.skipTags()
		if in.short {
			return errCutShort
		}
	}
	if in.skipTags(); len(open) > 0 && !in.short {
		return errUnanswered
	}
	return in.result(0)
}

// errCutShort is an answer that ends before its last field. What was read of it does not count.
var errCutShort = errors.New("the coordinator's answer is cut short")

// errUnanswered is an answer that is whole and says nothing of a partition that was asked for, so that nobody knows what
// became of it. The request is sent again.
var errUnanswered = errors.New("the coordinator's answer leaves out a partition that was asked for")

// result is what an answer comes to that has been read up to its end, or that ended before it.
func (c *cursor) result(code kafka.Error) error {
	switch {
	case c.short:
		return errCutShort
	case code != 0:
		return code
	}
	return nil
}

// uvarint reads an unsigned number of variable length; of one that no answer can hold nothing is left to read.
func (c *cursor) uvarint() int {
	n, size := binary.Uvarint(c.data)
	if size <= 0 || n > maxResponse {
		c.take(-1)
		return 0
	}
	c.take(size)
	return int(n)
}

// compactLength reads the length of a string or an array; null counts as empty.
func (c *cursor) compactLength() int { return max(c.uvarint()-1, 0) }

// skipTags passes over the tagged fields at the end of a structure, each a tag, a size and as many bytes.
func (c *cursor) skipTags() {
	for range c.uvarint() {
		c.uvarint()
		c.take(c.uvarint())
		if c.short {
			return
		}
	}
}
