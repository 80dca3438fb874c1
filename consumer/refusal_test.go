package consumer

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
)

// A refusal is named by what an administrator grants.
func TestRefusalNamesResourceAndAccess(t *testing.T) {
	c := New(Options{Brokers: []string{"x:1"}, Group: "g", Input: "in", Output: "out", DeadLetter: "dlq", State: "state"}, nil)
	for _, r := range []struct {
		code              kafka.Error
		operation, writes string
		want              string
	}{
		{kafka.TopicAuthorizationFailed, "fetch", "", "Read on topic in"},
		{kafka.TopicAuthorizationFailed, "list_offsets", "", "Read on topic in"},
		{kafka.TopicAuthorizationFailed, "produce", "dlq", "Write on topic dlq"},
		{kafka.TopicAuthorizationFailed, "commit", "", "Read on topic in"},
		{kafka.TopicAuthorizationFailed, "restore", "", "Read on topic state"},
		{kafka.GroupAuthorizationFailed, "commit", "", "Read on group g"},
		{kafka.TransactionalIDAuthorizationFailed, "produce", "out", "Write on transactional ids g/in/*"},
		{kafka.ClusterAuthorizationFailed, "produce", "out", "IdempotentWrite on the cluster"},
	} {
		resource, access := c.refused(r.operation, r.writes, fmt.Errorf("%s: %w", r.operation, r.code))
		if got := access + " on " + resource; got != r.want {
			t.Errorf("%v of %s: %q, want %q", r.code, r.operation, got, r.want)
		}
	}
	if advice := c.advice("fetch", "", kafka.NotLeaderForPartition); advice != nil {
		t.Errorf("no refusal, and yet %v", advice)
	}
}

// What an answer says of its topics wins over what the operation was about.
func TestRefusalNamesTheTopicAtFault(t *testing.T) {
	c := New(Options{Brokers: []string{"x:1"}, Group: "g", Input: "in", Output: "out", DeadLetter: "dlq", State: "state"}, nil)
	for want, at := range map[string]*topicError{
		"Write on topic dlq":         {kafka.TopicAuthorizationFailed, toWrite, []string{"dlq"}},
		"Write on topics dlq, state": {kafka.TopicAuthorizationFailed, toWrite, []string{"state", "dlq"}},
		"Read on topic in":           {kafka.TopicAuthorizationFailed, toRead, []string{"in"}},
	} {
		resource, access := c.refused("add_partitions", "", fmt.Errorf("add_partitions: %w", at))
		if got := access + " on " + resource; got != want {
			t.Errorf("%v: %q, want %q", at, got, want)
		}
	}
	if err := aboutTopic("in", toRead, io.EOF); err.Error() != io.EOF.Error() {
		t.Errorf("an error of the network is held for one of the topic: %v", err)
	}
}

// Two rights that are missing at once are said both, each once.
func TestEachRefusalIsSaid(t *testing.T) {
	logs := &logBuffer{}
	c := New(Options{Brokers: []string{"127.0.0.1:1"}, Group: "g", Input: "in", Log: slog.New(slog.NewTextHandler(logs, nil))}, nil)
	defer c.transport.CloseIdleConnections()
	for range 2 {
		for _, topic := range []string{"out", "dlq"} {
			tries := c.retrying("produce", "in/0", nil)
			tries.writes, tries.attempts = topic, pausedAfter-1
			if err := tries.wait(t.Context(), kafka.TopicAuthorizationFailed); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, topic := range []string{"out", "dlq"} {
		if n := strings.Count(logs.String(), `denied="Write on topic `+topic+`"`); n != 1 {
			t.Errorf("%d lines about %s:\n%s", n, topic, logs)
		}
	}
}
