package consumer

import (
	"context"
	"errors"
	"log/slog"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// join makes this process a member of the group. Its heartbeats, its place in the rebalances and the watch for new
// partitions run in goroutines of kafka-go until the group is closed.
func (c *Consumer) join() (*kafka.ConsumerGroup, error) {
	start := &bootstrap{brokers: c.o.Brokers, dial: c.o.Dial}
	return kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: c.o.Group, Brokers: []string{anyBroker}, Topics: []string{c.o.Input},
		Dialer: &kafka.Dialer{
			ClientID: c.o.ClientID, Timeout: c.timing.request, DialFunc: start.dialContext, SASLMechanism: c.o.SASL,
		},
		GroupBalancers:    c.balancers(),
		HeartbeatInterval: c.timing.heartbeat, SessionTimeout: c.timing.session, RebalanceTimeout: c.timing.rebalance,
		JoinGroupBackoff: c.timing.joinBackoff, Timeout: c.timing.request,
		WatchPartitionChanges: true, PartitionWatchInterval: c.timing.watch,
		StartOffset: kafka.FirstOffset,
	})
}

// leave ends the generation, which drains it, and leaves the group. A broker that does not answer must not hold up
// the end of the process: after a while the session's end tells the group.
func (c *Consumer) leave(group *kafka.ConsumerGroup, id string) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timing.leave)
	defer cancel()
	left := make(chan error, 1)
	go func() {
		_ = group.Close()
		left <- c.depart(ctx, id)
	}()
	var err error
	select {
	case err = <-left:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		c.o.Log.Warn("the group could not be left, its session will end", slog.String("group", c.o.Group), slog.Any("error", err))
		return
	}
	c.o.Log.Info("left the group", slog.String("group", c.o.Group))
}

// notJoined counts and logs a failed attempt. A rebalance that came in between is none of interest: it belongs to
// joining.
func (c *Consumer) notJoined(err error) {
	label, stale := classify(err)
	if stale {
		c.resetPool()
	}
	c.o.Metrics.retries.WithLabelValues("join_group", label).Inc()
	if !errors.Is(err, kafka.RebalanceInProgress) {
		attributes := []any{slog.String("group", c.o.Group), slog.Any("error", err)}
		c.quiet.warn("join_group"+label, "cannot join the group, retrying", append(attributes, c.advice("join", "", err)...)...)
	}
}

// isForgotten tells the failed attempts to join after which kafka-go has dropped its member id: all but a rebalance that
// came in between.
func isForgotten(err error) bool { return !errors.Is(err, kafka.RebalanceInProgress) }

// leaveVersion is that of kafka-go's own LeaveGroup, which every broker speaks.
const leaveVersion = 0

// depart takes a member out of the group that kafka-go has dropped or could not take out. kafka-go asks for that once
// (its issue 1215), and where the coordinator has just moved or died the question fails; it joins as a stranger then,
// and the group waits for the old member until its session has ended, while nobody reads anything. So it is asked
// again until the coordinator answers. A member that the group does not know has left already, and so has one without an
// id. Who may not read a group is not let go from it either. When this process ends, a network that does not answer is
// not waited for. An error says that the member may still be there, until its session ends.
func (c *Consumer) depart(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*c.timing.session) // which a new coordinator counts from when it has read the group
	defer cancel()
	at := coordinator{c: c, of: c.o.Group, kind: kafka.CoordinatorKeyTypeConsumer}
	tries := c.retrying("leave_group", "group "+c.o.Group, nil)
	for {
		request := requestHeader(protocol.LeaveGroup, leaveVersion, c.o.ClientID)
		err := at.ask(ctx, sized(appendString(appendString(request, c.o.Group), id)), func(in cursor) error {
			return in.result(kafka.Error(in.int16()))
		})
		if err == nil || errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.GroupIdNotFound) {
			return nil
		}
		if _, answered := errors.AsType[kafka.Error](err); isDenied(err) || !answered && c.draining.Load() {
			return err
		}
		if tries.wait(ctx, err) != nil {
			return err
		}
	}
}
