package nemesis

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// configure sets a property of a topic.
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

// committed asks for a group's offsets until there is an answer.
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

// partitions is how many a topic has.
func (w *World) partitions(topic string) int32 {
	w.T.Helper()
	counts, err := partitionsOf(w.T.Context(), w.run.admin, topic)
	if err != nil {
		w.T.Fatal(err)
	}
	return counts[topic]
}

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

// deleteTopic returns when no broker knows the topic any more.
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
