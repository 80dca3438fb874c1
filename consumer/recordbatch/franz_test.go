package recordbatch_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/consumer/recordbatch"
)

// What franz-go's producer writes, with each codec and within transactions, is read as it was meant. The batches are
// taken from its produce requests.
func TestBatchesOfFranzGo(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	var mu sync.Mutex
	var batches [][]byte
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		for _, topic := range r.(*kmsg.ProduceRequest).Topics {
			for _, p := range topic.Partitions {
				batches = append(batches, append([]byte(nil), p.Records...))
			}
		}
		return nil, nil, false
	})
	for codec, name := range map[recordbatch.Codec]kgo.CompressionCodec{
		recordbatch.None: kgo.NoCompression(), recordbatch.Gzip: kgo.GzipCompression(), recordbatch.Snappy: kgo.SnappyCompression(),
		recordbatch.LZ4: kgo.Lz4Compression(), recordbatch.Zstd: kgo.ZstdCompression(),
	} {
		t.Run(codec.String(), func(t *testing.T) {
			batches = nil
			client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ProducerBatchCompression(name),
				kgo.DefaultProduceTopic("t"), kgo.TransactionalID("tx-"+codec.String()))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if err := client.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			var sent []*kgo.Record
			for i := range 100 {
				sent = append(sent, &kgo.Record{
					Key: fmt.Append(nil, "key-", i), Value: []byte(strings.Repeat("value ", i)),
					Headers: []kgo.RecordHeader{{Key: "h", Value: fmt.Append(nil, i)}},
				})
			}
			if err := client.ProduceSync(t.Context(), sent...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := client.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
				t.Fatal(err)
			}
			assertSent(t, batches, sent, codec)
		})
	}
}

func assertSent(t *testing.T, batches [][]byte, sent []*kgo.Record, codec recordbatch.Codec) {
	t.Helper()
	unpack := recordbatch.Decompressor{Limit: 1 << 20}
	n := 0
	for _, encoded := range batches {
		var b recordbatch.Batch
		rest, ok, err := recordbatch.Next(encoded, &b)
		if !ok || err != nil || len(rest) != 0 || !b.Transactional() || b.ProducerID < 0 {
			t.Fatalf("Next: %v %v, %d bytes left, %+v", ok, err, len(rest), b)
		}
		if b.Codec() != codec && b.Codec() != recordbatch.None {
			t.Fatalf("codec %v", b.Codec())
		}
		payload, err := unpack.Append(nil, &b)
		if err != nil {
			t.Fatal(err)
		}
		records := b.Records(payload)
		for {
			var r recordbatch.Record
			ok, err := records.Next(&r)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			want := sent[n]
			if string(r.Key) != string(want.Key) || string(r.Value) != string(want.Value) || r.Timestamp != want.Timestamp.UnixMilli() || r.Headers.Count != 1 {
				t.Fatalf("record %d is %+v", n, r)
			}
			n++
		}
	}
	if n != len(sent) {
		t.Errorf("%d records, want %d", n, len(sent))
	}
}
