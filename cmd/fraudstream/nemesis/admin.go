package nemesis

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// configure sets a property of a topic, and ends the test where that is refused. The controller has it when configure
// returns; the brokers hear of it a little later, each in its own time, so a fault that counts on it waits for its
// effect.
func (w *World) configure(topic, name, value string) {
	w.T.Helper()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = name, &value
	resource.Configs = append(resource.Configs, config)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = append(req.Resources, resource)
	res, err := req.RequestWith(w.T.Context(), w.run.admin)
	if err != nil || res.Resources[0].ErrorCode != 0 {
		w.T.Fatalf("%s=%s for topic %s: %v %+v", name, value, topic, err, res)
	}
}

// configured waits until every broker says that a property of a topic has a value.
func (w *World) configured(topic, name, value string) {
	w.T.Helper()
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName, resource.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{name}
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = append(req.Resources, resource)
	w.eventually(fmt.Sprintf("%s=%s of topic %s on every broker", name, value, topic), time.Minute, func() bool {
		m, err := w.metadata()
		if err != nil {
			return false
		}
		for _, b := range m.Brokers {
			res, err := req.RequestWith(w.T.Context(), w.run.admin.Broker(int(b.NodeID)))
			if err != nil || len(res.Resources) != 1 || len(res.Resources[0].Configs) != 1 {
				return false
			}
			if v := res.Resources[0].Configs[0].Value; v == nil || *v != value {
				return false
			}
		}
		return true
	})
}

// committed asks for a group's offsets, by partition of the input, until there is an answer: right after a broker has
// died the group has no coordinator to ask. Partitions for which nothing was ever committed are left out. After a
// minute without an answer the test has failed. They are those of decided transactions alone, as a member that takes
// a partition over would see them.
func (w *World) committed(s *Subject) (offsets map[int32]int64) {
	w.T.Helper()
	w.eventually("the offsets of "+s.Name, time.Minute, func() bool {
		ctx, cancel := context.WithTimeout(w.T.Context(), 10*time.Second)
		defer cancel()
		var err error
		offsets, err = s.sampler.committed(ctx)
		return err == nil
	})
	return offsets
}

// partitions is how many a topic has, as whichever broker is asked knows it. A topic that nobody knows ends the test.
// Right after a partition was added one broker may know of it and another not yet.
func (w *World) partitions(topic string) int32 {
	w.T.Helper()
	counts, err := partitionsOf(w.T.Context(), w.run.admin, topic)
	if err != nil {
		w.T.Fatal(err)
	}
	return counts[topic]
}

// addPartition makes a topic have count partitions, which must be more than it has; the ends of new ones are 0. What
// is there stays where it is: only what is written from then on, and by clients that have heard of it, goes by the
// new count.
func (w *World) addPartition(topic string, count int32) {
	w.T.Helper()
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, count
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Topics = append(req.Topics, t)
	res, err := req.RequestWith(w.T.Context(), w.run.admin)
	if err != nil || res.Topics[0].ErrorCode != 0 {
		w.T.Fatalf("partition %d of topic %s: %v %+v", count-1, topic, err, res)
	}
}

// deleteTopic returns when no broker knows the topic any more. What the topic held is gone then, and a topic of the
// same name is another one, with other ids.
func (w *World) deleteTopic(topic string) {
	w.T.Helper()
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = new(topic)
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Topics, req.TopicNames = append(req.Topics, t), []string{topic}
	res, err := req.RequestWith(w.T.Context(), w.run.admin)
	if err != nil || res.Topics[0].ErrorCode != 0 {
		w.T.Fatalf("delete topic %s: %v %+v", topic, err, res)
	}
	w.eventually("the end of topic "+topic, time.Minute, func() bool {
		_, err := partitionsOf(w.T.Context(), w.run.admin, topic)
		return err != nil
	})
}

// deleteRecords moves the beginning of a partition of the input up to an offset, which is the first that can be read
// from then on. It asks the partition's leader, whoever that is, and ends the test where that one refuses.
func (w *World) deleteRecords(partition int32, below int64) {
	w.T.Helper()
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, below
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic, t.Partitions = input, append(t.Partitions, p)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Topics = append(req.Topics, t)
	for _, shard := range w.run.admin.RequestSharded(w.T.Context(), req) {
		if shard.Err != nil {
			w.T.Fatal(shard.Err)
		}
		for _, t := range shard.Resp.(*kmsg.DeleteRecordsResponse).Topics {
			if t.Partitions[0].ErrorCode != 0 {
				w.T.Fatalf("delete records of %s/%d below %d: code %d", input, partition, below, t.Partitions[0].ErrorCode)
			}
		}
	}
}
