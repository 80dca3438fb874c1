package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// Check finds out, before anything is read, what a restart could not mend: a wrong password, a missing topic, access
// that is denied to a topic, the group or idempotent writing. Each is a *SetupError that says what to do. Brokers that
// cannot be reached are no such fault: they are named in the log and tried again until ctx ends. What else Diagnose
// would say of cluster, topics and group goes to the log, a line each.
func (c *Consumer) Check(ctx context.Context) error {
	if err := c.reach(ctx); err != nil {
		return err
	}
	for _, topic := range c.topics() {
		if err := c.findTopic(ctx, topic); err != nil {
			return err
		}
	}
	for _, p := range c.probes() {
		if err := c.allowed(ctx, p.resource, p.action, p.try); err != nil {
			return err
		}
	}
	if c.scorer.Load() == nil {
		return nil // the stream that this one belongs to has said it all
	}
	return c.reportCluster(ctx)
}

// probe tries one thing that a user may be denied. There is no request that asks an authorizer what one may do without being
// allowed to see everybody's rights (DescribeAcls needs Describe on the cluster), so each right is tried in a way that leaves
// nothing behind.
type probe struct {
	resource, action string
	try              func(context.Context) error
}

// probes are the rights that the stream needs, in the order in which they are tried: to read the input, to write
// every other topic, to read back the state, to ask for the group's offsets, and to number what is written.
func (c *Consumer) probes() []probe {
	all := []probe{c.reading(c.o.Input)}
	for _, topic := range c.topics() {
		if topic != c.o.Input {
			all = append(all, probe{"topic " + topic, "writing", func(ctx context.Context) error { return c.probeWrite(ctx, topic) }})
		}
	}
	if c.o.State != "" {
		all = append(all, c.reading(c.o.State))
	}
	return append(all,
		probe{"group " + c.o.Group, "reading offsets", c.probeGroup}, c.producing())
}

// producing is the right to number what is written: in transactions, or only so that the broker drops repeated batches.
func (c *Consumer) producing() probe {
	if c.o.ExactlyOnce {
		return probe{"transactional ids " + c.transactionalPrefix() + "*", "writing", c.probeTransactions}
	}
	return probe{"cluster", "idempotent writing", func(ctx context.Context) error { _, err := c.initProducer(ctx); return err }}
}

// probeTransactions fences an id that nobody writes under: a partition's own would stop whoever has the partition.
func (c *Consumer) probeTransactions(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.request)
	defer cancel()
	t := c.newTransactional(c.transactionalPrefix()+"preflight", c.o.Group)
	err := t.fence(ctx, c.timing.transaction)
	if errors.Is(err, kafka.ConcurrentTransactions) {
		return nil // another process is trying the same, so it is allowed
	}
	if errors.Is(err, kafka.InvalidTransactionTimeout) {
		return &SetupError{
			Resource: "transactions", Detail: fmt.Sprintf("the brokers allow none of %v", c.timing.transaction),
			Advice: "raise transaction.max.timeout.ms of the brokers, or deliver at-least-once",
		}
	}
	return err
}

// reading is tried on one partition, since rights are granted to topics.
func (c *Consumer) reading(topic string) probe {
	return probe{"topic " + topic, "reading", func(ctx context.Context) error { return c.probeRead(ctx, topic) }}
}

// reach waits until a broker answers.
func (c *Consumer) reach(ctx context.Context) error {
	tries := c.retrying("connect", "", nil)
	tries.silent = true
	for {
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		_, err := c.client.Metadata(attempt, &kafka.MetadataRequest{Topics: []string{c.o.Input}})
		cancel()
		if err == nil {
			return nil
		}
		if setup := c.setupError(err); setup != nil {
			return setup
		}
		brokers := strings.Join(c.o.Brokers, ",")
		c.quiet.warn("unreachable", "broker unreachable, retrying", slog.String("brokers", brokers), slog.Any("error", err))
		if err := tries.wait(ctx, err); err != nil {
			return err
		}
	}
}

// findTopic waits a moment for a topic that may just have been created.
func (c *Consumer) findTopic(ctx context.Context, topic string) error {
	tries := c.retrying("metadata", topic, nil)
	for begun := time.Now(); ; {
		_, err := c.partitions(ctx, topic)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, kafka.TopicAuthorizationFailed):
			return denied("topic "+topic, "describing")
		case errors.Is(err, kafka.UnknownTopicOrPartition) && time.Since(begun) > c.timing.missing:
			return &SetupError{
				Resource: "topic " + topic, Detail: "does not exist, or this user may not see it",
				Advice: "correct the name in the configuration, or create it: fraudstream topics create, or " + c.createLine(ctx, topic),
			}
		case errors.Is(err, kafka.InvalidTopic):
			return &SetupError{Resource: "topic " + topic, Detail: "is no valid name", Advice: "correct the configuration"}
		}
		if err := tries.wait(ctx, err); err != nil {
			return err
		}
	}
}

// createLine is what to type for a topic that is missing where Kafka's own tools are at hand. Decisions and dead letters get
// as many partitions as the input, so that order per key holds from end to end, and so does the monitor's state; alerts
// and ticks get one, as `topics create` gives them. The input comes first among the topics, so how it is divided is known
// by then.
func (c *Consumer) createLine(ctx context.Context, topic string) string {
	n, settings := 1, ""
	if input, err := c.partitions(ctx, c.o.Input); err == nil && topic != c.o.Ticks && topic != c.o.Alerts {
		n = input
	}
	if topic == c.o.State {
		settings = " --config cleanup.policy=compact --config segment.bytes=16777216 --config segment.ms=600000"
	}
	return fmt.Sprintf("kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions %d%s", c.o.Brokers[0], topic, n, settings)
}

// partitions is the number of partitions of a topic, by the Transport's metadata, which are a second old at most. One that is
// just being made has none, and then the error is that of a leader that is not there yet (5), which passes.
func (c *Consumer) partitions(ctx context.Context, topic string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.request)
	defer cancel()
	res, err := c.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, err
	}
	for _, t := range res.Topics {
		if t.Name == topic {
			if t.Error == nil && len(t.Partitions) == 0 {
				return 0, kafka.LeaderNotAvailable
			}
			return len(t.Partitions), t.Error
		}
	}
	return 0, kafka.UnknownTopicOrPartition
}

// allowed tries something once the cluster can answer, and turns a refusal into a SetupError. Whatever else goes
// wrong is waited out for as long as ctx lasts: a cluster that is not ready delays a start and does not end it.
func (c *Consumer) allowed(ctx context.Context, resource, action string, try func(context.Context) error) error {
	tries := c.retrying("preflight", resource, nil)
	for {
		err := try(ctx)
		switch {
		case err == nil:
			return nil
		case isDenied(err):
			return denied(resource, action)
		}
		if setup, ok := errors.AsType[*SetupError](err); ok {
			return setup
		}
		if err := tries.wait(ctx, err); err != nil {
			return err
		}
	}
}

// isDenied tells the codes by which a broker refuses access: 29 to a topic, 30 to a group, 31 to the cluster and 53
// to a transactional id.
func isDenied(err error) bool {
	return errors.Is(err, kafka.TopicAuthorizationFailed) || errors.Is(err, kafka.GroupAuthorizationFailed) ||
		errors.Is(err, kafka.ClusterAuthorizationFailed) || errors.Is(err, kafka.TransactionalIDAuthorizationFailed)
}

// denied is the error of a missing right. A transactional id takes two: Write to write under it, and Describe to find
// its coordinator.
func denied(resource, action string) error {
	if strings.HasPrefix(resource, "transactional id") {
		return &SetupError{Resource: resource, Detail: action + " is denied", Advice: "grant Write and Describe to the user of this service"}
	}
	return &SetupError{Resource: resource, Detail: action + " is denied", Advice: "grant it to the user of this service"}
}

// probeRead fetches without waiting; whatever it gets is thrown away. It asks for offset 0 of partition 0, and an
// answer that this is out of range shows as well that reading is allowed.
func (c *Consumer) probeRead(ctx context.Context, topic string) error {
	res, err := c.roundTrip(ctx, 0, &fetchRequest{client: c.o.ClientID, topic: topic, maxBytes: 1})
	if err != nil {
		return err
	}
	return onlyRefusals(res.(*fetchResponse).code)
}

// probeWrite sends a request without a batch: a broker looks at the access first and at the batch, which it refuses,
// afterwards, so nothing is ever written.
func (c *Consumer) probeWrite(ctx context.Context, topic string) error {
	res, err := c.roundTrip(ctx, 0, &produceRequest{client: c.o.ClientID, topic: topic, wait: time.Second})
	if err != nil {
		return err
	}
	return onlyRefusals(res.(*produceResponse).code)
}

// probeGroup asks for an offset of the group, for which Describe is enough; whether it may be joined only joining tells.
func (c *Consumer) probeGroup(ctx context.Context) error {
	_, err := c.committedBy(ctx, c.o.Group, c.o.Input, 0)
	return err
}

// onlyRefusals passes over every answer to a probe but a refusal and what is worth another try.
func onlyRefusals(code kafka.Error) error {
	if code != 0 && (isDenied(code) || code.Temporary() && code != kafka.InvalidMessage) {
		return code
	}
	return nil
}

// setupError tells a refusal that no retry mends from what passes by itself; nil for the latter.
func (c *Consumer) setupError(err error) error {
	brokers := "brokers " + strings.Join(c.o.Brokers, ",")
	switch {
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		return &SetupError{Resource: brokers, Detail: "authentication failed", Advice: "correct user and password, or the token"}
	case errors.Is(err, kafka.UnsupportedSASLMechanism), errors.Is(err, kafka.IllegalSASLState):
		return &SetupError{Resource: brokers, Detail: "the SASL mechanism is not offered", Advice: "choose one that the brokers have"}
	case errors.Is(err, kafka.InconsistentGroupProtocol):
		return &SetupError{
			Resource: "group " + c.o.Group, Detail: "is in use by another program, which balances it otherwise",
			Advice: "give kafka.group another name",
		}
	case errors.Is(err, kafka.GroupAuthorizationFailed):
		return denied("group "+c.o.Group, "joining")
	case errors.Is(err, kafka.TopicAuthorizationFailed):
		return denied("topic "+c.o.Input, "reading")
	}
	return nil
}
