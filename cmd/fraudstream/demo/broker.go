package demo

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The topics and the group of the show.
const (
	input      = "transactions"
	output     = "decisions"
	deadLetter = "transactions.dlq"
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
	for topic, kept := range map[string]int{input: 8 << 20, output: 4 << 20, deadLetter: 4 << 20} {
		limits := map[string]string{"retention.bytes": strconv.Itoa(kept), "segment.bytes": strconv.Itoa(kept / 4)}
		if err := cluster.CreateTopic(topic, partitions, limits); err != nil {
			cluster.Close()
			return nil, err
		}
	}
	cluster.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		join := r.(*kmsg.JoinGroupRequest)
		join.SessionTimeoutMillis = min(join.SessionTimeoutMillis, int32(session.Milliseconds()))
		return nil, nil, false
	})
	return cluster, nil
}
