package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/describegroups"
)

// Diagnose looks at the cluster once, as far as this program needs it, and says what it finds, a line each: brokers and
// what they speak, topics, access, the group. It changes nothing, takes no part in the group and waits for nothing
// longer than its requests' deadlines, nor in all for longer than one of them until a cluster is ready that has only begun.
func (c *Consumer) Diagnose(ctx context.Context) []Finding {
	defer c.transport.CloseIdleConnections()
	var f findings
	if cluster := c.diagnoseCluster(ctx, &f); cluster != nil {
		ready := c.expectReady()
		c.diagnoseAccess(ctx, ready, &f)
		c.diagnoseBreaker(ctx, ready, &f)
		c.diagnoseSkip(ctx, ready, &f)
		c.diagnoseGroup(ctx, ready, &f)
	}
	return f
}

// readiness is until when a cluster may still be starting. With its first group and its first transaction a new cluster
// creates the topics that it keeps both in, which takes some seconds; until then coordinators answer 14, 15 or 16, and
// leaders of topics that were just created 5 or 6.
type readiness struct {
	c     *Consumer
	until time.Time
}

// expectReady gives the cluster as long as one request may take, from now on, for all that will be tried.
func (c *Consumer) expectReady() readiness { return readiness{c, time.Now().Add(c.timing.request)} }

// try makes an attempt, and more of them while the cluster says that it is not ready, until it is or should be.
func (r readiness) try(ctx context.Context, resource string, attempt func(context.Context) error) error {
	tries := r.c.retrying("preflight", resource, nil)
	tries.silent = true
	for {
		limited, cancel := context.WithTimeout(ctx, r.c.timing.request)
		err := attempt(limited)
		cancel()
		if !isStarting(err) || time.Now().After(r.until) || tries.wait(ctx, err) != nil {
			return err
		}
	}
}

// isStarting tells the answers of a coordinator that is not ready, and of a partition that has no leader yet.
func isStarting(err error) bool {
	return errors.Is(err, kafka.GroupLoadInProgress) || errors.Is(err, kafka.GroupCoordinatorNotAvailable) ||
		errors.Is(err, kafka.NotCoordinatorForGroup) || errors.Is(err, kafka.LeaderNotAvailable) ||
		errors.Is(err, kafka.NotLeaderForPartition)
}

// diagnoseCluster is what Diagnose says of brokers and topics; nil if there is nobody to ask.
func (c *Consumer) diagnoseCluster(ctx context.Context, f *findings) *kafka.MetadataResponse {
	attempt, cancel := context.WithTimeout(ctx, c.timing.request)
	defer cancel()
	cluster, err := c.client.Metadata(attempt, &kafka.MetadataRequest{Topics: c.topics()})
	if err != nil {
		f.failed(c, "brokers", strings.Join(c.o.Brokers, ",")+" cannot be reached", err)
		return nil
	}
	c.diagnoseBrokers(attempt, f, cluster.Brokers)
	c.diagnoseTopics(ctx, f, cluster)
	return cluster
}

// needed are the requests, with their versions, of reading, writing and the group; wanted are those of transactions.
// A broker lacks a request where the version is not within the range that it offers, be it too old for it or too new.
func needed() map[protocol.ApiKey]int16 {
	return map[protocol.ApiKey]int16{
		protocol.Fetch: fetchOldest, protocol.Produce: produceOldest, protocol.InitProducerId: 0, protocol.JoinGroup: 2,
		protocol.SyncGroup: 0, protocol.Heartbeat: 0, protocol.OffsetCommit: 2, protocol.OffsetFetch: 1,
	}
}

func wanted() map[protocol.ApiKey]int16 {
	return map[protocol.ApiKey]int16{
		protocol.InitProducerId: 1, protocol.AddPartitionsToTxn: addPartitionsVersion, protocol.AddOffsetsToTxn: addOffsetsVersion,
		protocol.TxnOffsetCommit: txnOffsetCommitVersion, protocol.EndTxn: endTransactionVersion,
	}
}

// diagnoseBrokers asks every broker under the address that it gives itself: the first address may answer, and the
// others be names that only the brokers know.
func (c *Consumer) diagnoseBrokers(ctx context.Context, f *findings, brokers []kafka.Broker) {
	answers := make([]*kafka.ApiVersionsResponse, len(brokers))
	failures := make([]error, len(brokers))
	var asked sync.WaitGroup
	for i, b := range brokers {
		asked.Go(func() {
			answers[i], failures[i] = c.client.ApiVersions(ctx, &kafka.ApiVersionsRequest{Addr: kafka.TCP(addressOf(b))})
		})
	}
	asked.Wait()
	lacking, without, reached := "", "", 0
	for i, b := range brokers {
		if failures[i] != nil {
			*f = append(*f, Finding{
				Level: Fail, Subject: "broker " + addressOf(b), Detail: "is part of the cluster and cannot be reached: " + failures[i].Error(),
				Advice: "start it, or correct its advertised.listeners", Passing: true,
			})
			continue
		}
		reached++
		lacking += lacks(answers[i], needed(), b)
		without += lacks(answers[i], wanted(), b)
	}
	if reached == 0 {
		return
	}
	f.ok("brokers", fmt.Sprintf("%d of %d reached", reached, len(brokers)))
	if lacking != "" {
		f.fail("versions", "missing:"+lacking, "use brokers of Kafka 2.4 or newer")
	} else {
		f.ok("versions", "the brokers speak all that is needed")
	}
	if without != "" && c.o.ExactlyOnce {
		f.fail("transactions", "missing:"+without, "use brokers of Kafka 2.5 or newer, or deliver at-least-once")
	} else if without != "" {
		f.warn("transactions", "missing:"+without, "exactly-once delivery needs brokers of Kafka 2.5 or newer")
	} else {
		f.ok("transactions", "the brokers have them")
	}
}

// addressOf is where a broker says that it is reached, which is its advertised listener.
func addressOf(b kafka.Broker) string { return net.JoinHostPort(b.Host, strconv.Itoa(b.Port)) }

// lacks names what a broker does not speak, each with the broker; the text is empty where that is nothing.
func lacks(answer *kafka.ApiVersionsResponse, versions map[protocol.ApiKey]int16, b kafka.Broker) string {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(versions)) {
		v := int(versions[key])
		if !slices.ContainsFunc(answer.ApiKeys, func(a kafka.ApiVersionsResponseApiKey) bool {
			return a.ApiKey == int(key) && a.MinVersion <= v && v <= a.MaxVersion
		}) {
			fmt.Fprintf(&text, " %v %d at broker %d", key, v, b.ID)
		}
	}
	return text.String()
}

// diagnoseAccess tries what the service will do, without doing it.
func (c *Consumer) diagnoseAccess(ctx context.Context, ready readiness, f *findings) {
	for _, p := range c.probes() {
		err := ready.try(ctx, p.resource, p.try)
		switch {
		case err == nil:
			f.ok(p.resource, p.action+" is allowed")
		case isDenied(err):
			f.failed(c, p.resource, p.action, denied(p.resource, p.action))
		case errors.Is(err, kafka.UnknownTopicOrPartition):
			// said already, of the topic
		default:
			f.failed(c, p.resource, p.action+" could not be tried", err)
		}
	}
}

// diagnoseBreaker tries what ends a pause of the breaker. The stream runs without it, so it is no failure.
func (c *Consumer) diagnoseBreaker(ctx context.Context, ready readiness, f *findings) {
	if c.o.Breaker.Share <= 0 || c.o.Breaker.Share >= 1 {
		return
	}
	c.diagnoseWord(ctx, ready, f, c.breakerGroup(), "fraudstream dlq resume could not end a pause of the breaker",
		func(ctx context.Context) error { _, err := c.acceptedUpTo(ctx, 0); return err })
}

// diagnoseSkip tries what ends a pause before events that cannot be read. Without it the stream runs as well.
func (c *Consumer) diagnoseSkip(ctx context.Context, ready readiness, f *findings) {
	c.diagnoseWord(ctx, ready, f, c.skipGroup(), "fraudstream offsets skip could not end a pause before events that cannot be read",
		func(ctx context.Context) error { _, _, err := c.skipTo(ctx, 0, 0); return err })
}

// diagnoseWord tries to read what a command may leave for the stream, as the offsets of a group of its own.
func (c *Consumer) diagnoseWord(ctx context.Context, ready readiness, f *findings, group, without string, read func(context.Context) error) {
	subject := "group " + group
	err := ready.try(ctx, subject, read)
	switch {
	case err == nil:
		f.ok(subject, "reading offsets is allowed")
	case isDenied(err):
		f.warn(subject, "reading offsets is denied: "+without, "grant Read on it")
	default:
		f.failed(c, subject, "reading offsets could not be tried", err)
	}
}

// diagnoseGroup looks for members that are none of ours. Two programs under one name share its partitions, so each
// misses what the other is given. A group whose members are of another protocol type, such as the workers of Kafka
// Connect, lets no consumer join, so that is a failure and not a warning.
func (c *Consumer) diagnoseGroup(ctx context.Context, ready readiness, f *findings) {
	subject := "group " + c.o.Group
	var g describegroups.ResponseGroup
	err := ready.try(ctx, subject, func(ctx context.Context) (err error) { g, err = c.describeGroup(ctx); return err })
	switch {
	case errors.Is(err, kafka.GroupAuthorizationFailed):
		f.warn(subject, "describing is denied", "grant it to the user of this service, or see to it that nobody else uses this group")
		return
	case errors.Is(err, kafka.GroupIdNotFound):
		f.ok(subject, "is new")
		return
	case err != nil:
		f.failed(c, subject, "could not be described", err)
		return
	case g.ProtocolType != "" && g.ProtocolType != "consumer" && len(g.Members) > 0:
		f.fail(subject, "is in use by members of type "+g.ProtocolType, "give kafka.group another name")
		return
	}
	strangers := c.strangers(g.Members)
	if len(strangers) > 0 {
		f.warn(subject, "is in use by another program: "+strings.Join(strangers, ", "), "give kafka.group another name")
		return
	}
	f.ok(subject, fmt.Sprintf("%d members, all of them ours", len(g.Members)))
}

// describeGroup asks for the members of the group.
func (c *Consumer) describeGroup(ctx context.Context) (g describegroups.ResponseGroup, err error) {
	res, err := c.roundTrip(ctx, 0, &describegroups.Request{Groups: []string{c.o.Group}})
	if err != nil {
		return g, err
	}
	groups := res.(*describegroups.Response).Groups
	if len(groups) != 1 {
		return g, kafka.GroupIdNotFound
	}
	return groups[0], codeOf(kafka.Error(groups[0].ErrorCode))
}

// strangers are the members that read something else, or are called otherwise. All processes of one stream have the
// same client id and the same input, so there is no better mark; another stream that has both is not told apart.
func (c *Consumer) strangers(members []describegroups.ResponseGroupMember) (all []string) {
	for _, m := range members {
		who := m.ClientID + " at " + strings.TrimPrefix(m.ClientHost, "/")
		topics, known := subscription(m.MemberMetadata)
		switch {
		case known && !slices.Contains(topics, c.o.Input):
			all = append(all, who+" reads "+strings.Join(topics, " "))
		case m.ClientID != c.o.ClientID:
			all = append(all, who)
		}
	}
	return all
}

// subscription reads the topics from a member's metadata: version, then an array of names. Those of a group that is
// about to form are empty.
func subscription(metadata []byte) (topics []string, known bool) {
	in := cursor{data: metadata}
	in.int16()
	n := in.int32()
	for range max(n, 0) {
		if in.short {
			break
		}
		topics = append(topics, string(in.take(int(in.int16()))))
	}
	return topics, n > 0 && !in.short
}

// reportCluster says at the start what Check has not looked at: a line each. It takes 10 s at most: nothing of this
// is worth a later start.
func (c *Consumer) reportCluster(ctx context.Context) error {
	defer c.transport.CloseIdleConnections() // to the brokers one by one, each of which would be asked for news for ever
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var f findings
	if c.diagnoseCluster(ctx, &f) != nil {
		ready := c.expectReady()
		c.diagnoseBreaker(ctx, ready, &f)
		c.diagnoseSkip(ctx, ready, &f)
		c.diagnoseGroup(ctx, ready, &f)
	}
	return c.say(ctx, f)
}
