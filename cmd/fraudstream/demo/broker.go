package demo

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The topics and the group of the show. Four partitions are enough for two workers to share and for keys to be
// spread, and few enough to be shown.
const (
	input      = "transactions"
	output     = "decisions"
	deadLetter = "transactions.dlq"
	alerts     = "fraudstream.alerts"
	driftState = "fraudstream.drift-state"
	driftTicks = "fraudstream.drift-ticks"
	group      = "fraudstream-demo"
	partitions = 4
)

// session is how long the broker waits for a silent worker before it gives its partitions to another one. The
// service asks for 10 s; a show need not wait that long.
const session = 2500 * time.Millisecond

// startBroker starts a Kafka in this process.
//
// It keeps some 8 MiB of each partition of the input, 75,000 payments in all, and half as much of what is read at once,
// so that its memory stays flat however long the show runs. Such a limit holds only where the topic itself has it, and
// it is enforced at every turn of the log cleaner.
func startBroker() (*kfake.Cluster, error) {
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(3),
		kfake.GroupMinSessionTimeout(time.Second),
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "500"}),
	)
	if err != nil {
		return nil, err
	}
	kept := func(bytes int) map[string]string {
		return map[string]string{"retention.bytes": strconv.Itoa(bytes), "segment.bytes": strconv.Itoa(bytes / 4)}
	}
	for _, topic := range []struct {
		name       string
		partitions int32
		settings   map[string]string
	}{
		{input, partitions, kept(8 << 20)},
		{output, partitions, kept(4 << 20)},
		{deadLetter, partitions, kept(4 << 20)},
		{alerts, 1, kept(4 << 20)},
		{driftTicks, 1, kept(4 << 20)},
		{driftState, partitions, map[string]string{"cleanup.policy": "compact", "segment.bytes": "1048576"}},
	} {
		if err := cluster.CreateTopic(topic.name, topic.partitions, topic.settings); err != nil {
			cluster.Close()
			return nil, err
		}
	}
	// The service's own setting stays as it is: what a worker asks for is shortened on its way into the broker.
	cluster.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		join := r.(*kmsg.JoinGroupRequest)
		join.SessionTimeoutMillis = min(join.SessionTimeoutMillis, int32(session.Milliseconds()))
		return nil, nil, false
	})
	return cluster, nil
}
