package consumer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// largestEvent is what is read of one event at most, in bytes; a larger one becomes a dead letter.
const largestEvent = 1 << 20

// letterHeaders is what the headers of a dead letter add to its event, at most, as a rule, in bytes: where it came from, what
// was wrong, and the event's own.
const letterHeaders = 64 << 10

// settings are the configuration of one topic, as far as anybody looks at it here.
type settings map[string]string

// number is a setting as a whole number; false where the brokers did not tell it.
func (s settings) number(name string) (int, bool) {
	n, err := strconv.Atoi(s[name])
	return n, err == nil
}

// settingsOf asks for the settings of topics (DescribeConfigs, API key 32). Those that this user may not see are left
// out. One attempt is made, and only a failure of the whole request is an error: a right that is missing makes a
// diagnosis say less, and stops no command.
func (c *Consumer) settingsOf(ctx context.Context, topics []string) (map[string]settings, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.request)
	defer cancel()
	req := &kafka.DescribeConfigsRequest{}
	for _, topic := range topics {
		req.Resources = append(req.Resources, kafka.DescribeConfigRequestResource{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			ConfigNames: []string{"min.insync.replicas", "max.message.bytes", "cleanup.policy", "retention.ms"},
		})
	}
	res, err := c.client.DescribeConfigs(ctx, req)
	if err != nil {
		return nil, err
	}
	all := map[string]settings{}
	for _, r := range res.Resources {
		if r.Error != nil {
			continue
		}
		all[r.ResourceName] = settings{}
		for _, e := range r.ConfigEntries {
			all[r.ResourceName][e.ConfigName] = e.ConfigValue
		}
	}
	return all, nil
}

// diagnoseTopics is what Diagnose says of each topic. Their settings are asked for in one request. Those of the
// input, and the number of its partitions, go with every other topic, because that is judged by them; where the input
// is missing the number is 0, and nothing is compared with it.
func (c *Consumer) diagnoseTopics(ctx context.Context, f *findings, cluster *kafka.MetadataResponse) {
	known := map[string]kafka.Topic{}
	var names []string
	for _, t := range cluster.Topics {
		if known[t.Name] = t; t.Error == nil {
			names = append(names, t.Name)
		}
	}
	all, err := c.settingsOf(ctx, names)
	if err != nil {
		f.failed(c, "topics", "their settings could not be read", err)
	}
	input := len(known[c.o.Input].Partitions)
	for _, name := range c.topics() {
		t, ok := known[name]
		subject := "topic " + name
		switch {
		case !ok || errors.Is(t.Error, kafka.UnknownTopicOrPartition):
			f.fail(subject, "does not exist, or this user may not see it", "create it: fraudstream topics create")
		case errors.Is(t.Error, kafka.TopicAuthorizationFailed):
			f.failed(c, subject, "", denied(subject, "describing"))
		case t.Error != nil:
			f.failed(c, subject, "could not be described", t.Error)
		default:
			c.diagnoseTopic(f, t, all[name], all[c.o.Input], input, len(cluster.Brokers))
		}
	}
}

// diagnoseTopic compares one topic with what the stream wants of it: ok if nothing is to be said. With acks=all a write needs
// min.insync.replicas copies: as many as there are replicas, and the loss of one broker stops all writing; one alone, and the
// loss of one broker may lose what was acknowledged.
func (c *Consumer) diagnoseTopic(f *findings, t kafka.Topic, own, ofInput settings, input, brokers int) {
	subject, before := "topic "+t.Name, len(*f)
	replicas := diagnoseReplicas(f, subject, t, brokers)
	isr, knownISR := own.number("min.insync.replicas")
	largest, knownLargest := own.number("max.message.bytes")
	if own == nil {
		f.warn(subject, "its settings may not be read", "grant DescribeConfigs on it, or see for yourself that min.insync.replicas is 2")
	}
	switch {
	case t.Name == c.o.Input || !knownISR || replicas < 2:
	case isr >= replicas:
		f.warn(subject, fmt.Sprintf("min.insync.replicas %d of %d replicas: nothing can be written while one broker is away", isr, replicas),
			"set min.insync.replicas to "+strconv.Itoa(replicas-1))
	case isr < 2:
		f.warn(subject, "min.insync.replicas 1: what is acknowledged may lie on one broker alone", "set min.insync.replicas to 2")
	}
	switch t.Name {
	case c.o.Output:
		if len(t.Partitions) != input && input > 0 {
			f.warn(subject, fmt.Sprintf("%d partitions, the input has %d: decisions go by the hash of the key, and their order is not that of the input",
				len(t.Partitions), input), "give both equally many partitions")
		}
	case c.o.DeadLetter:
		limit, known := ofInput.number("max.message.bytes")
		if limit = min(limit, largestEvent); known && knownLargest && largest < limit {
			f.warn(subject, fmt.Sprintf("max.message.bytes %d, and an event may have %d: larger ones are kept without their value", largest, limit),
				"set max.message.bytes to "+strconv.Itoa(limit+letterHeaders))
		}
	case c.o.State:
		if len(t.Partitions) != input && input > 0 {
			f.warn(subject, fmt.Sprintf("%d partitions, the input has %d", len(t.Partitions), input), "give both equally many partitions")
		}
		if own != nil && !strings.Contains(own["cleanup.policy"], "compact") {
			f.warn(subject, "is not compacted: it grows, and snapshots end with its retention", "set cleanup.policy to compact")
		}
	case c.o.Ticks:
		if len(t.Partitions) != 1 {
			f.warn(subject, fmt.Sprintf("%d partitions: a pool reads one", len(t.Partitions)), "make it anew with one partition")
		}
	}
	if len(*f) == before {
		f.ok(subject, describe(len(t.Partitions), replicas, isr, largest))
	}
}

// describe is the line of a topic that is as it should be. A setting that the brokers did not tell shows as 0.
func describe(partitions, replicas, isr, largest int) string {
	return fmt.Sprintf("%d partitions, %d replicas, min.insync.replicas %d, max.message.bytes %d", partitions, replicas, isr, largest)
}

// diagnoseReplicas looks at leaders and copies, and returns the replication factor. A partition without a leader can
// neither be read nor written, which passes when a broker with a copy of it is back. One that lacks replicas in sync
// works on, until fewer are left than acks=all asks for.
func diagnoseReplicas(f *findings, subject string, t kafka.Topic, brokers int) (replicas int) {
	leaderless, behind := 0, 0
	for _, p := range t.Partitions {
		replicas = max(replicas, len(p.Replicas))
		if p.Leader.Host == "" {
			leaderless++
		}
		if len(p.Isr) < len(p.Replicas) {
			behind++
		}
	}
	switch {
	case leaderless > 0:
		*f = append(*f, Finding{
			Level: Fail, Subject: subject, Detail: fmt.Sprintf("%d of %d partitions have no leader", leaderless, len(t.Partitions)),
			Advice: "start the brokers that hold them", Passing: true,
		})
	case behind > 0:
		f.warn(subject, fmt.Sprintf("%d of %d partitions lack replicas in sync", behind, len(t.Partitions)), "see which broker is away or slow")
	case replicas == 1 && brokers > 1:
		f.warn(subject, "has one replica: what is on a broker that is lost is lost", "raise its replication factor to 3")
	}
	return replicas
}

// Layout says how topics that are missing are made.
type Layout struct {
	Partitions  int           // of the input, where that is missing; default 6. The others follow the input
	Replication int           // copies; 0: what the brokers have as default
	Retention   time.Duration // of decisions and alerts; 0: what the brokers have as default
	DryRun      bool          // only let the broker check what would be done
}

// CreateTopics makes those topics that are missing and returns a line for each. Existing ones stay as they are:
// Diagnose says what is wrong with them. The others are made by a request each, so that one which the cluster refuses
// does not keep the rest from being made. The input's settings are read before the first of them: where it is made
// here, too, it has the brokers' defaults, and the dead letters are kept for as long as those say.
func (c *Consumer) CreateTopics(ctx context.Context, l Layout) []Finding {
	defer c.transport.CloseIdleConnections()
	var f findings
	attempt, cancel := context.WithTimeout(ctx, c.timing.request)
	cluster, err := c.client.Metadata(attempt, &kafka.MetadataRequest{Topics: c.topics()})
	cancel()
	if err != nil {
		f.failed(c, "brokers", strings.Join(c.o.Brokers, ",")+" cannot be reached", err)
		return f
	}
	partitions, there := max(l.Partitions, 0), map[string]int{}
	for _, t := range cluster.Topics {
		if t.Error == nil {
			there[t.Name] = len(t.Partitions)
		}
	}
	if partitions == 0 {
		partitions = 6
	}
	if n := there[c.o.Input]; n > 0 {
		partitions = n
	}
	ofInput, _ := c.settingsOf(ctx, []string{c.o.Input}) // not there, or not ours to see: the brokers' defaults
	for _, name := range c.topics() {
		if n := there[name]; n > 0 {
			f.ok("topic "+name, fmt.Sprintf("exists, with %d partitions", n))
			continue
		}
		c.createTopic(ctx, &f, c.plan(name, partitions, l, ofInput[c.o.Input]), l.DryRun)
	}
	return f
}

// plan is the topic that is to be made. What is divided by key or partition follows the input, so that order per key
// holds end to end; ticks have one partition, because whoever weighs them needs all, and alerts one, because people
// read them in order. A replication factor of -1 asks for the brokers' default (KIP-464). The segments of the state
// topic are small because compaction leaves alone the one that is being written.
func (c *Consumer) plan(name string, partitions int, l Layout, ofInput settings) kafka.TopicConfig {
	t := kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: l.Replication}
	if l.Replication == 0 {
		t.ReplicationFactor = -1
	}
	set := func(key, value string) {
		t.ConfigEntries = append(t.ConfigEntries, kafka.ConfigEntry{ConfigName: key, ConfigValue: value})
	}
	switch name {
	case c.o.Output, c.o.Alerts:
		if l.Retention > 0 {
			set("retention.ms", strconv.FormatInt(l.Retention.Milliseconds(), 10))
		}
	case c.o.DeadLetter: // it holds what the input holds: for as long, and with headers on top
		if kept := ofInput["retention.ms"]; kept != "" {
			set("retention.ms", kept)
		}
		set("max.message.bytes", strconv.Itoa(largestEvent+letterHeaders))
	case c.o.State: // only the last snapshot of each partition counts, and a start reads the topic
		set("cleanup.policy", "compact")
		set("segment.bytes", strconv.Itoa(16<<20))
		set("segment.ms", strconv.FormatInt((10*time.Minute).Milliseconds(), 10))
	}
	if name == c.o.Ticks || name == c.o.Alerts {
		t.NumPartitions = 1
	}
	return t
}

// createTopic makes one topic and waits for its leaders. That somebody else has made it meanwhile is as good; a busy
// cluster says so even of a topic that this very request has made. Request and wait may take 30 s together. A topic
// whose leaders are not seen by then was made all the same, so that is no failure.
func (c *Consumer) createTopic(ctx context.Context, f *findings, t kafka.TopicConfig, dry bool) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	subject, what := "topic "+t.Topic, planned(t)
	res, err := c.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{t}, ValidateOnly: dry})
	if err == nil {
		err = res.Errors[t.Topic]
	}
	switch {
	case errors.Is(err, kafka.TopicAlreadyExists):
	case errors.Is(err, kafka.TopicAuthorizationFailed), errors.Is(err, kafka.ClusterAuthorizationFailed):
		f.failed(c, subject, "", denied(subject, "creating"))
		return
	case errors.Is(err, kafka.InvalidReplicationFactor), errors.Is(err, kafka.InvalidConfiguration),
		errors.Is(err, kafka.InvalidPartitionNumber), errors.Is(err, kafka.PolicyViolation), errors.Is(err, kafka.InvalidTopic):
		f.fail(subject, "cannot be made with "+what+": "+err.Error(), "give --partitions and --replication that this cluster takes")
		return
	case err != nil:
		f.failed(c, subject, "could not be created", err)
		return
	}
	if dry {
		f.ok(subject, "would be created: "+what)
		return
	}
	for {
		n, err := c.partitions(ctx, t.Topic)
		if err == nil && n > 0 {
			f.ok(subject, "created: "+what)
			return
		}
		if sleep(ctx, 100*time.Millisecond) != nil {
			f.ok(subject, "created: "+what+"; its leaders have not been seen yet")
			return
		}
		c.resetPool()
	}
}

// planned says what a topic is made with.
func planned(t kafka.TopicConfig) string {
	parts := []string{strconv.Itoa(t.NumPartitions) + " partitions"}
	if t.ReplicationFactor > 0 {
		parts = append(parts, strconv.Itoa(t.ReplicationFactor)+" replicas")
	}
	for _, e := range t.ConfigEntries {
		parts = append(parts, e.ConfigName+"="+e.ConfigValue)
	}
	return strings.Join(parts, ", ")
}
