package consumer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
)

// The operations of Kafka's authorizer that the stream needs of topics. Each implies Describe.
const (
	toRead  = "Read"
	toWrite = "Write"
)

// A topicError is a code that is about some of the topics of a request, with what the request was to do with them. A
// request may name several, and the answer a code for each; only those at fault are in it.
type topicError struct {
	code   error // a kafka.Error
	access string
	topics []string
}

// aboutTopic says which topic a broker's code is about; an error of the network is about none.
func aboutTopic(topic, access string, err error) error {
	if _, ok := errors.AsType[kafka.Error](err); ok {
		return &topicError{err, access, []string{topic}}
	}
	return err
}

func (e *topicError) Error() string { return e.resource() + ": " + e.code.Error() }

func (e *topicError) Unwrap() error { return e.code }

// add names one more topic, unless it is named already for another partition.
func (e *topicError) add(topic string) {
	if !slices.Contains(e.topics, topic) {
		e.topics = append(e.topics, topic)
	}
}

// resource names the topics as access is granted to them.
func (e *topicError) resource() string {
	if len(e.topics) == 1 {
		return "topic " + e.topics[0]
	}
	slices.Sort(e.topics)
	return "topics " + strings.Join(e.topics, ", ")
}

// advice says what to grant where an operation of the running stream was denied, in the words in which access is
// granted: Kafka's answers name neither the resource nor what was to be done with it. writes is the topic that was being
// written, if one was.
func (c *Consumer) advice(operation, writes string, err error) []any {
	if !isDenied(err) {
		return nil
	}
	resource, access := c.refused(operation, writes, err)
	return []any{slog.String("denied", access+" on "+resource), slog.String("advice", "grant it to the user of this service")}
}

// refused finds the resource, and the access to it that is missing. A code that says which topics it is about wins over
// what the operation was about; the rest follows from the code, which stands for one kind of resource (29 topic, 30
// group, 31 cluster, 53 transactional id).
func (c *Consumer) refused(operation, writes string, err error) (resource, access string) {
	at, named := errors.AsType[*topicError](err)
	switch {
	case errors.Is(err, kafka.TransactionalIDAuthorizationFailed):
		return "transactional ids " + c.transactionalPrefix() + "*", toWrite
	case errors.Is(err, kafka.GroupAuthorizationFailed):
		return "group " + c.o.Group, toRead
	case errors.Is(err, kafka.ClusterAuthorizationFailed):
		return "the cluster", "IdempotentWrite"
	case named:
		return at.resource(), at.access
	case writes != "":
		return "topic " + writes, toWrite
	case operation == "restore":
		return "topic " + c.o.State, toRead
	}
	return "topic " + c.o.Input, toRead
}

// unmask finds the refusal behind a topic that is said to be unknown. Whoever may not read a topic may not see it either,
// and then the library does not know where to send the request; what it was told of the topic says why.
func (c *Consumer) unmask(ctx context.Context, operation, writes string, err error) error {
	if !errors.Is(err, kafka.UnknownTopicOrPartition) {
		return err
	}
	topic := writes
	if topic == "" && (operation == "fetch" || operation == "list_offsets") {
		topic = c.o.Input
	}
	if topic == "" {
		return err
	}
	if _, denied := c.partitions(ctx, topic); isDenied(denied) {
		return denied
	}
	return err
}
