package consumer

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/segmentio/kafka-go"
)

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

// refused finds the resource, and the access to it that is missing.
func (c *Consumer) refused(operation, writes string, err error) (resource, access string) {
	switch {
	case errors.Is(err, kafka.TransactionalIDAuthorizationFailed):
		return "transactional ids " + c.transactionalPrefix() + "*", "Write"
	case errors.Is(err, kafka.GroupAuthorizationFailed):
		return "group " + c.o.Group, "Read"
	case errors.Is(err, kafka.ClusterAuthorizationFailed):
		return "the cluster", "IdempotentWrite"
	case writes != "":
		return "topic " + writes, "Write"
	case operation == "restore":
		return "topic " + c.o.State, "Read"
	case operation == "add_partitions", operation == "init_producer":
		return "topics " + strings.Join(c.topics()[1:], ", "), "Write"
	}
	return "topic " + c.o.Input, "Read"
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
