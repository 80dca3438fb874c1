package consumer

import (
	"fmt"
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
		{kafka.TopicAuthorizationFailed, "add_partitions", "", "Write on topics out, dlq, state"},
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
