package consumer

import (
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
