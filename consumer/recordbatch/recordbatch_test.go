package recordbatch_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"fraudstream/consumer/recordbatch"
)

// sample is a batch of three records.
func sample(codec recordbatch.Codec) []byte {
	b := recordbatch.Builder{Codec: codec}
	for _, v := range []string{"first", "second", "third"} {
		b.Append(1000, []byte("key"), []byte(v), recordbatch.Headers{})
	}
	return b.Finish(recordbatch.Producer{ID: 5}, 0)
}

// withPayload makes a batch of the given payload and attributes, with a sound CRC.
func withPayload(payload []byte, attributes uint16, count int32) []byte {
	b := append(bytes.Clone(sample(recordbatch.None)[:61]), payload...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint16(b[21:], attributes)
	binary.BigEndian.PutUint32(b[57:], uint32(count))
	return signed(b)
}

func signed(b []byte) []byte {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// Every flip of a bit that the CRC covers is found, and none in front of it makes Next panic or read too far.
func TestFlippedBits(t *testing.T) {
	whole := sample(recordbatch.None)
	for i := range whole {
		for bit := range 8 {
			flipped := bytes.Clone(whole)
			flipped[i] ^= 1 << bit
			var b recordbatch.Batch
			_, ok, err := recordbatch.Next(flipped, &b)
			var corrupt *recordbatch.CorruptError
			if i >= 17 && !errors.As(err, &corrupt) {
				t.Fatalf("byte %d bit %d: %v %v", i, bit, ok, err)
			}
		}
	}
}

// A batch that the broker cut at the size asked for is no error: the rest comes with the next fetch.
func TestCutAtTheEnd(t *testing.T) {
	whole := sample(recordbatch.None)
	for n := range whole {
		var b recordbatch.Batch
		if _, ok, err := recordbatch.Next(whole[:n], &b); ok || err != nil {
			t.Fatalf("%d of %d bytes: %v %v", n, len(whole), ok, err)
		}
	}
}

func TestOldMessageFormatIsNamed(t *testing.T) {
	old := sample(recordbatch.None)
	old[16] = 1
	var b recordbatch.Batch
	if _, _, err := recordbatch.Next(old, &b); err == nil || !bytes.Contains([]byte(err.Error()), []byte("message format 1")) {
		t.Errorf("error %v", err)
	}
}

func TestRecordsThatLie(t *testing.T) {
	sound := sample(recordbatch.None)[61:]
	for name, c := range map[string]struct {
		payload []byte
		count   int32
	}{
		"too few":                 {sound, 4},
		"too many":                {sound, 2},
		"cut":                     {sound[:len(sound)-1], 3},
		"length over the end":     {[]byte{0x7e, 0, 0, 0}, 1},
		"negative length":         {[]byte{0x01}, 1},
		"endless varint":          {bytes.Repeat([]byte{0xff}, 20), 1},
		"header count":            {[]byte{12, 0, 0, 0, 1, 1, 0x7e}, 1},
		"null header key":         {[]byte{16, 0, 0, 0, 1, 1, 2, 1, 1}, 1},
		"bytes after the headers": {[]byte{14, 0, 0, 0, 1, 1, 0, 9}, 1},
	} {
		var b recordbatch.Batch
		if _, ok, err := recordbatch.Next(withPayload(c.payload, 0, c.count), &b); !ok || err != nil {
			t.Fatalf("%s: %v %v", name, ok, err)
		}
		if err := walk(&b, b.Payload); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func walk(b *recordbatch.Batch, payload []byte) error {
	records := b.Records(payload)
	var r recordbatch.Record
	for {
		if ok, err := records.Next(&r); err != nil || !ok {
			return err
		}
	}
}

func TestMarkers(t *testing.T) {
	for key, want := range map[string]recordbatch.Marker{
		"\x00\x00\x00\x00": recordbatch.AbortMarker, "\x00\x00\x00\x01": recordbatch.CommitMarker, "\x00\x00\x00\x05": recordbatch.UnknownMarker,
	} {
		var builder recordbatch.Builder
		builder.Append(0, []byte(key), make([]byte, 6), recordbatch.Headers{})
		encoded := builder.Finish(recordbatch.Producer{ID: 1, Transactional: true}, -1)
		binary.BigEndian.PutUint16(encoded[21:], 0x30)
		var b recordbatch.Batch
		if _, ok, err := recordbatch.Next(signed(encoded), &b); !ok || err != nil || !b.Control() || !b.Transactional() {
			t.Fatalf("%v %v %+v", ok, err, b)
		}
		if got, err := b.Marker(); got != want || err != nil {
			t.Errorf("marker of %q: %v %v", key, got, err)
		}
	}
}

func TestLogAppendTime(t *testing.T) {
	encoded := sample(recordbatch.None)
	binary.BigEndian.PutUint16(encoded[21:], 8)
	binary.BigEndian.PutUint64(encoded[35:], 777)
	var b recordbatch.Batch
	_, _, _ = recordbatch.Next(signed(encoded), &b)
	records := b.Records(b.Payload)
	var r recordbatch.Record
	if _, err := records.Next(&r); err != nil || r.Timestamp != 777 {
		t.Errorf("timestamp %d, %v", r.Timestamp, err)
	}
}

// xerial frames blocks as the Java client does.
func xerial(blocks ...[]byte) []byte {
	framed := append([]byte("\x82SNAPPY\x00"), 0, 0, 0, 1, 0, 0, 0, 1)
	for _, block := range blocks {
		packed := snappy.Encode(nil, block)
		framed = binary.BigEndian.AppendUint32(framed, uint32(len(packed)))
		framed = append(framed, packed...)
	}
	return framed
}

func TestXerialSnappy(t *testing.T) {
	sound := sample(recordbatch.None)[61:]
	var b recordbatch.Batch
	if _, ok, err := recordbatch.Next(withPayload(xerial(sound[:10], sound[10:]), 2, 3), &b); !ok || err != nil {
		t.Fatal(ok, err)
	}
	unpack := recordbatch.Decompressor{Limit: 1 << 20}
	payload, err := unpack.Append(nil, &b)
	if err != nil || !bytes.Equal(payload, sound) {
		t.Fatalf("%v, %x", err, payload)
	}
}

// packers compress as other producers do.
func packers() map[recordbatch.Codec]func([]byte) []byte {
	return map[recordbatch.Codec]func([]byte) []byte{
		recordbatch.Gzip: func(p []byte) []byte {
			var buf bytes.Buffer
			w := gzip.NewWriter(&buf)
			_, _ = w.Write(p)
			_ = w.Close()
			return buf.Bytes()
		},
		recordbatch.LZ4: func(p []byte) []byte {
			var buf bytes.Buffer
			w := lz4.NewWriter(&buf)
			_, _ = w.Write(p)
			_ = w.Close()
			return buf.Bytes()
		},
		recordbatch.Snappy: func(p []byte) []byte { return snappy.Encode(nil, p) },
		recordbatch.Zstd: func(p []byte) []byte {
			w, _ := zstd.NewWriter(nil)
			return w.EncodeAll(p, nil)
		},
	}
}

// A batch that would become larger than the limit is refused, whatever the codec, and costs little memory.
func TestDecompressionIsBounded(t *testing.T) {
	const limit = 1 << 16
	bomb := make([]byte, 64<<20)
	for codec, pack := range packers() {
		payload := pack(bomb)
		var b recordbatch.Batch
		if _, ok, err := recordbatch.Next(withPayload(payload, uint16(codec), 1), &b); !ok || err != nil {
			t.Fatal(ok, err)
		}
		unpack := recordbatch.Decompressor{Limit: limit}
		out, err := unpack.Append(make([]byte, 0, 16), &b)
		var corrupt *recordbatch.CorruptError
		if !errors.As(err, &corrupt) || cap(out) > 4*limit {
			t.Errorf("%v: %v, %d bytes", codec, err, cap(out))
		}
	}
}

func TestDecodingDoesNotAllocate(t *testing.T) {
	for _, codec := range []recordbatch.Codec{recordbatch.None, recordbatch.LZ4} {
		b := recordbatch.Builder{Codec: codec}
		for range 100 {
			var h recordbatch.Headers
			h.AddText("traceparent", "00-1-2-3")
			b.Append(1, []byte("key"), bytes.Repeat([]byte("value"), 100), h)
		}
		encoded := b.Finish(recordbatch.Producer{ID: 1}, 0)
		unpack := recordbatch.Decompressor{Limit: 1 << 20}
		var arena []byte
		allocs := testing.AllocsPerRun(50, func() {
			var batch recordbatch.Batch
			if _, _, err := recordbatch.Next(encoded, &batch); err != nil {
				t.Fatal(err)
			}
			payload := batch.Payload
			if batch.Codec() != recordbatch.None {
				var err error
				if arena, err = unpack.Append(arena[:0], &batch); err != nil {
					t.Fatal(err)
				}
				payload = arena
			}
			records := batch.Records(payload)
			var r recordbatch.Record
			for {
				ok, err := records.Next(&r)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				for key := range r.Headers.All() {
					if len(key) == 0 {
						t.Fatal("header without a name")
					}
				}
			}
		})
		if allocs > 0 {
			t.Errorf("%v: %v allocations for 100 records", codec, allocs)
		}
	}
}

func TestBuildingDoesNotAllocate(t *testing.T) {
	var b recordbatch.Builder
	var h recordbatch.Headers
	h.AddText("ce_specversion", "1.0")
	key, value := []byte("key"), bytes.Repeat([]byte("value"), 60)
	if allocs := testing.AllocsPerRun(50, func() {
		b.Reset()
		for range 100 {
			b.Append(1, key, value, h)
		}
		b.Finish(recordbatch.Producer{ID: 1}, 0)
	}); allocs > 0 {
		t.Errorf("%v allocations for 100 records", allocs)
	}
}

func FuzzNext(f *testing.F) {
	sound := sample(recordbatch.None)[61:]
	f.Add(sample(recordbatch.None), true)
	for codec, pack := range packers() {
		f.Add(withPayload(pack(sound), uint16(codec), 3), true)
	}
	f.Add(withPayload(xerial(sound), 2, 3), true)
	f.Fuzz(func(t *testing.T, data []byte, sign bool) {
		if sign && len(data) > 61 {
			data = bytes.Clone(data)
			binary.BigEndian.PutUint32(data[8:], uint32(len(data)-12))
			signed(data)
		}
		unpack := recordbatch.Decompressor{Limit: 1 << 16}
		for rest := data; len(rest) > 0; {
			var b recordbatch.Batch
			next, ok, err := recordbatch.Next(rest, &b)
			if err != nil || !ok {
				return
			}
			if len(next) >= len(rest) {
				t.Fatal("no progress")
			}
			if payload, err := unpack.Append(nil, &b); err == nil {
				if len(payload) > 1<<16 && b.Codec() != recordbatch.None {
					t.Fatalf("%d bytes, over the limit", len(payload))
				}
				_ = walk(&b, payload)
			}
			_, _ = b.Marker()
			rest = next
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	var builder recordbatch.Builder
	for range 1000 {
		builder.Append(1, []byte("card-4711"), bytes.Repeat([]byte("x"), 700), recordbatch.Headers{})
	}
	encoded := builder.Finish(recordbatch.Producer{ID: 1}, 0)
	b.SetBytes(int64(len(encoded)))
	b.ReportAllocs()
	for b.Loop() {
		var batch recordbatch.Batch
		if _, _, err := recordbatch.Next(encoded, &batch); err != nil {
			b.Fatal(err)
		}
		if err := walk(&batch, batch.Payload); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}
