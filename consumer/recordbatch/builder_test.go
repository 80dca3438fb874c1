package recordbatch_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"fraudstream/consumer/recordbatch"
)

// row is a record as a test writes it.
type row struct {
	timestamp  int64
	key, value []byte
	names      []string
	values     [][]byte
}

func (r row) headers() recordbatch.Headers {
	var h recordbatch.Headers
	for i, name := range r.names {
		h.Add(name, r.values[i])
	}
	return h
}

// rows draws records, with null and empty fields among them. To kafka-go the timestamp 0 means now.
func rows(t *rapid.T) []row {
	field := rapid.OneOf(rapid.Just[[]byte](nil), rapid.SliceOfN(rapid.Byte(), 0, 300))
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) row {
		r := row{timestamp: rapid.Int64Range(1, 1<<42).Draw(t, "timestamp"), key: field.Draw(t, "key"), value: field.Draw(t, "value")}
		for range rapid.IntRange(0, 4).Draw(t, "headers") {
			r.names = append(r.names, rapid.StringN(0, 20, -1).Draw(t, "name"))
			r.values = append(r.values, field.Draw(t, "header"))
		}
		return r
	}), 1, 40).Draw(t, "rows")
}

func build(b *recordbatch.Builder, all []row, p recordbatch.Producer, sequence int32) []byte {
	b.Reset()
	for _, r := range all {
		b.Append(r.timestamp, r.key, r.value, r.headers())
	}
	return b.Finish(p, sequence)
}

// assertRow compares a decoded record; nil and empty are not the same.
func assertRow(t *rapid.T, got recordbatch.Record, want row) {
	if got.Timestamp != want.timestamp || !same(got.Key, want.key) || !same(got.Value, want.value) {
		t.Fatalf("record %+v, want %+v", got, want)
	}
	if got.Headers.Count != len(want.names) {
		t.Fatalf("%d headers, want %d", got.Headers.Count, len(want.names))
	}
	i := 0
	for key, value := range got.Headers.All() {
		if string(key) != want.names[i] || !same(value, want.values[i]) {
			t.Fatalf("header %q %q, want %q %q", key, value, want.names[i], want.values[i])
		}
		i++
	}
}

func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func TestRoundTrip(t *testing.T) {
	var builder recordbatch.Builder // the same for all: what one batch leaves must not reach the next
	unpack := recordbatch.Decompressor{Limit: 1 << 20}
	rapid.Check(t, func(t *rapid.T) {
		want := rows(t)
		builder.Codec = rapid.SampledFrom([]recordbatch.Codec{recordbatch.None, recordbatch.LZ4}).Draw(t, "codec")
		p := recordbatch.Producer{ID: rapid.Int64().Draw(t, "id"), Epoch: rapid.Int16().Draw(t, "epoch"), Transactional: rapid.Bool().Draw(t, "transactional")}
		sequence := rapid.Int32Range(0, 1<<31-1).Draw(t, "sequence")
		encoded := build(&builder, want, p, sequence)

		var b recordbatch.Batch
		rest, ok, err := recordbatch.Next(append(bytes.Clone(encoded), "tail"...), &b)
		if err != nil || !ok || string(rest) != "tail" {
			t.Fatalf("Next: %v %v, rest %q", ok, err, rest)
		}
		if b.ProducerID != p.ID || b.ProducerEpoch != p.Epoch || b.BaseSequence != sequence ||
			b.Transactional() != p.Transactional || b.Control() || b.NextOffset() != int64(len(want)) {
			t.Fatalf("header %+v", b)
		}
		payload, err := unpack.Append(nil, &b)
		if err != nil {
			t.Fatal(err)
		}
		records := b.Records(payload)
		var r recordbatch.Record
		for i := range want {
			if ok, err := records.Next(&r); !ok || err != nil || r.Offset != int64(i) {
				t.Fatalf("record %d: %v %v at offset %d", i, ok, err, r.Offset)
			}
			assertRow(t, r, want[i])
		}
		if ok, err := records.Next(&r); ok || err != nil {
			t.Fatalf("after the last: %v %v", ok, err)
		}
	})
}

// What the builder writes, kafka-go and franz-go read; and uncompressed it is, byte for byte, what kafka-go writes.
func TestBuilderAgainstOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rows(t)
		builder := recordbatch.Builder{Codec: rapid.SampledFrom([]recordbatch.Codec{recordbatch.None, recordbatch.LZ4}).Draw(t, "codec")}
		encoded := build(&builder, want, recordbatch.Producer{ID: 7, Epoch: 3}, 42)

		var fb kmsg.RecordBatch
		if err := fb.ReadFrom(encoded); err != nil {
			t.Fatal(err)
		}
		if fb.ProducerID != 7 || fb.ProducerEpoch != 3 || fb.FirstSequence != 42 || int(fb.NumRecords) != len(want) ||
			int(fb.Length) != len(encoded)-12 || fb.LastOffsetDelta != int32(len(want)-1) ||
			uint32(fb.CRC) != crc32.Checksum(encoded[21:], crc32.MakeTable(crc32.Castagnoli)) {
			t.Fatalf("franz-go reads %+v", fb)
		}
		var set protocol.RecordSet
		prefixed := binary.BigEndian.AppendUint32(nil, uint32(len(encoded)))
		if _, err := set.ReadFrom(bytes.NewReader(append(prefixed, encoded...))); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			r, err := set.Records.ReadRecord()
			if err != nil {
				t.Fatal(err)
			}
			key, _ := protocol.ReadAll(r.Key)
			value, _ := protocol.ReadAll(r.Value)
			if !bytes.Equal(key, want[i].key) || !bytes.Equal(value, want[i].value) || r.Time.UnixMilli() != want[i].timestamp || len(r.Headers) != len(want[i].names) {
				t.Fatalf("kafka-go reads record %d as %q %q", i, key, value)
			}
		}
		if _, err := set.Records.ReadRecord(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last: %v", err)
		}
		if builder.Codec == recordbatch.None {
			plain := build(&builder, want, recordbatch.Producer{ID: -1, Epoch: -1}, -1)
			if theirs := kafkaGo(t, want, 0); !bytes.Equal(plain[21:], theirs[21:]) {
				t.Fatalf("ours   %x\ntheirs %x", plain[21:], theirs[21:])
			}
		}
	})
}

// kafkaGo encodes records with kafka-go.
func kafkaGo(t interface{ Fatal(...any) }, want []row, attributes protocol.Attributes) []byte {
	var records []protocol.Record
	for _, w := range want {
		r := protocol.Record{Time: time.UnixMilli(w.timestamp), Key: protocol.NewBytes(w.key), Value: protocol.NewBytes(w.value)}
		for i, name := range w.names {
			r.Headers = append(r.Headers, protocol.Header{Key: name, Value: w.values[i]})
		}
		records = append(records, r)
	}
	var buf bytes.Buffer
	set := protocol.RecordSet{Version: 2, Attributes: attributes, Records: protocol.NewRecordReader(records...)}
	if _, err := set.WriteTo(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()[4:]
}

func TestEveryCodecOfKafkaGo(t *testing.T) {
	unpack := recordbatch.Decompressor{Limit: 1 << 20}
	rapid.Check(t, func(t *rapid.T) {
		want := rows(t)
		codec := recordbatch.Codec(rapid.IntRange(0, 4).Draw(t, "codec"))
		encoded := kafkaGo(t, want, protocol.Attributes(codec))
		var b recordbatch.Batch
		if _, ok, err := recordbatch.Next(encoded, &b); !ok || err != nil || b.Codec() != codec {
			t.Fatalf("Next: %v %v, codec %v", ok, err, b.Codec())
		}
		before := []byte("what the arena holds already")
		arena, err := unpack.Append(bytes.Clone(before), &b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(arena, before) {
			t.Fatal("the arena was overwritten")
		}
		records := b.Records(arena[len(before):])
		for i := range want {
			var r recordbatch.Record
			if ok, err := records.Next(&r); !ok || err != nil {
				t.Fatalf("record %d: %v %v", i, ok, err)
			}
			assertRow(t, r, want[i])
		}
	})
}

func ExampleBuilder() {
	var b recordbatch.Builder
	b.Append(1700000000000, []byte("card-1"), []byte("approve"), recordbatch.Headers{})
	encoded := b.Finish(recordbatch.Producer{ID: 9}, 0)

	var batch recordbatch.Batch
	_, _, err := recordbatch.Next(encoded, &batch)
	records := batch.Records(batch.Payload)
	var r recordbatch.Record
	_, _ = records.Next(&r)
	fmt.Println(err, batch.ProducerID, string(r.Key), string(r.Value))
	// Output: <nil> 9 card-1 approve
}
