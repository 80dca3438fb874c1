package kafkatest

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Tamper is something that a [Network] does to requests or their answers. Topics are known by name, so it takes no
// notice of clients that use topic ids (Produce from version 13, Fetch from 13).
type Tamper struct {
	all       *tampering
	key       kmsg.Key
	topic     string
	prefix    string // of a name in the request whose answer is lost
	client    string // the beginning of the name of a client whose batches are corrupted
	partition int32
	offset    int64
	code      int16
	applied   bool // the broker gets the request
	lose      bool
	corrupt   bool
	left      int // times; below 0: until the end

	hits        int
	first, last int64 // offsets of the batch that was last corrupted
}

// Hits returns how many requests, or batches, were tampered with so far.
func (m *Tamper) Hits() int {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	return m.hits
}

// Batch returns the first and last offset of the batch that was corrupted most recently.
func (m *Tamper) Batch() (first, last int64) {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	return m.first, m.last
}

// End lets everything pass from now on.
func (m *Tamper) End() {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	m.left = 0
}

// hit counts one, of those that are left if they are limited; the caller holds the lock.
func (m *Tamper) hit() {
	m.hits++
	if m.left > 0 {
		m.left--
	}
}

// tampering is what is under way, for all brokers together: which of them has a partition is no matter.
type tampering struct {
	mu  sync.Mutex
	all []*Tamper
}

// add begins something, and forgets what is over.
func (a *tampering) add(m *Tamper) *Tamper {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = slices.DeleteFunc(a.all, func(m *Tamper) bool { return m.left == 0 })
	m.all = a
	a.all = append(a.all, m)
	return m
}

// call is a request that waits for its answer.
type call struct {
	key, version int16
	correlation  int32
	client       string  // as it names itself
	tamper       *Tamper // for this request alone; nil: none
	answer       []byte  // instead of the broker's
}

// read takes a request apart as far as it must, and decides on it. silent is a request that is never answered.
func (a *tampering) read(frame []byte) (c call, silent bool) {
	r := kbin.Reader{Src: frame}
	c.key, c.version, c.correlation = r.Int16(), r.Int16(), r.Int32()
	if client := r.NullableString(); client != nil {
		c.client = *client
	}
	request := kmsg.RequestForKey(c.key)
	if !r.Ok() || request == nil || kmsg.Key(c.key) == kmsg.Fetch {
		return c, false // answers to a fetch are looked at one by one
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	produce, ok := request.(*kmsg.ProduceRequest)
	if !ok && !slices.ContainsFunc(a.all, func(m *Tamper) bool { return m.left != 0 && m.key == kmsg.Key(c.key) }) {
		return c, false
	}
	request.SetVersion(c.version)
	if request.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if request.ReadFrom(r.Src) != nil {
		return c, false
	}
	if ok {
		a.readProduce(&c, produce)
		return c, produce.Acks == 0
	}
	for _, m := range a.all {
		if m.left != 0 && m.lose && m.key == kmsg.Key(c.key) && strings.HasPrefix(named(request), m.prefix) {
			m.hit()
			c.tamper = m
			break
		}
	}
	return c, false
}

// named is the group or the transactional id that a request is about, or the first topic that it writes to.
func named(request kmsg.Request) string {
	switch r := request.(type) {
	case *kmsg.ProduceRequest:
		if len(r.Topics) > 0 {
			return r.Topics[0].Topic
		}
	case *kmsg.OffsetCommitRequest:
		return r.Group
	case *kmsg.TxnOffsetCommitRequest:
		return r.TransactionalID
	case *kmsg.AddPartitionsToTxnRequest:
		return r.TransactionalID
	case *kmsg.AddOffsetsToTxnRequest:
		return r.TransactionalID
	case *kmsg.EndTxnRequest:
		return r.TransactionalID
	case *kmsg.InitProducerIDRequest:
		if r.TransactionalID != nil {
			return *r.TransactionalID
		}
	}
	return ""
}

// readProduce decides on a request that writes: the first that fits strikes, and no other. Where the broker is not to hear
// of it, the answer is made here.
func (a *tampering) readProduce(c *call, request *kmsg.ProduceRequest) {
	for _, m := range a.all {
		if m.left == 0 || m.key != kmsg.Produce {
			continue
		}
		if m.lose && !strings.HasPrefix(named(request), m.prefix) {
			continue
		}
		if !m.lose && !slices.ContainsFunc(request.Topics, func(t kmsg.ProduceRequestTopic) bool { return t.Topic == m.topic }) {
			continue
		}
		m.hit()
		c.tamper = m
		if !m.applied {
			c.answer = refusal(c, request, m.code)
		}
		return
	}
}

// refusal is the answer of a broker that has appended nothing: the code for each partition that the request names, and no
// offset.
func refusal(c *call, request *kmsg.ProduceRequest, code int16) []byte {
	response := request.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range request.Topics {
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			partition := kmsg.NewProduceResponseTopicPartition()
			partition.Partition, partition.ErrorCode, partition.BaseOffset = p.Partition, code, -1
			topic.Partitions = append(topic.Partitions, partition)
		}
		response.Topics = append(response.Topics, topic)
	}
	return encode(c, response)
}

// encode returns a response as a frame without its length: the header with the number of the request, and the body in the
// version that the request asked for.
func encode(c *call, response kmsg.Response) []byte {
	frame := binary.BigEndian.AppendUint32(nil, uint32(c.correlation))
	if response.IsFlexible() {
		frame = append(frame, 0) // no tags
	}
	return response.AppendTo(frame)
}

// answered changes a broker's answer, in place or into a new frame; nil means that it is lost. An answer that nothing is to
// be done to is returned as it is, without being read.
func (a *tampering) answered(c *call, frame []byte) []byte {
	switch {
	case kmsg.Key(c.key) == kmsg.Fetch:
		a.fetched(c, frame)
	case c.tamper != nil && c.tamper.lose:
		return nil
	case c.tamper != nil:
		return a.produced(c, frame)
	}
	return frame
}

// body skips the header of an answer: the number of its request and, in newer versions, tags.
func body(response kmsg.Response, frame []byte) []byte {
	r := kbin.Reader{Src: frame}
	r.Int32()
	if response.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	return r.Src
}

// produced puts the error code into the answers for all partitions of the topic. One that cannot be read passes as it is.
func (a *tampering) produced(c *call, frame []byte) []byte {
	response := kmsg.NewPtrProduceResponse()
	response.Version = c.version
	if response.ReadFrom(body(response, frame)) != nil {
		return frame
	}
	for i := range response.Topics {
		if response.Topics[i].Topic != c.tamper.topic {
			continue
		}
		for k := range response.Topics[i].Partitions {
			p := &response.Topics[i].Partitions[k]
			p.ErrorCode, p.BaseOffset = c.tamper.code, -1
		}
	}
	return encode(c, response)
}

// fetched corrupts batches where they lie in the frame: what is decoded of it refers to the frame's own bytes.
func (a *tampering) fetched(c *call, frame []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.ContainsFunc(a.all, func(m *Tamper) bool { return m.corrupt && m.left != 0 }) {
		return
	}
	response := kmsg.NewPtrFetchResponse()
	response.Version = c.version
	if response.ReadFrom(body(response, frame)) != nil {
		return
	}
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			for _, m := range a.all {
				if m.corrupt && m.topic == t.Topic && m.partition == p.Partition && strings.HasPrefix(c.client, m.client) {
					m.corruptBatches(p.RecordBatches)
				}
			}
		}
	}
}

// Places in a record batch of the second format, in bytes from its beginning: its first offset (8 bytes), its length (4),
// and so on up to the records. Numbers are big-endian.
const (
	batchLength = 8 // of what follows it
	batchDelta  = 23
	batchHeader = 61
)

// corruptBatches flips the last bit of whole batches; one that the broker has cut short is fetched again anyway. That bit
// is in the records, which the CRC covers, and the header stays whole, so that everything but the CRC looks right.
func (m *Tamper) corruptBatches(batches []byte) {
	for len(batches) > batchHeader {
		size := 12 + int(binary.BigEndian.Uint32(batches[batchLength:]))
		if size <= batchHeader || size > len(batches) {
			return
		}
		first := int64(binary.BigEndian.Uint64(batches))
		last := first + int64(int32(binary.BigEndian.Uint32(batches[batchDelta:])))
		if m.left != 0 && (m.offset < 0 || first <= m.offset && m.offset <= last) {
			batches[size-1] ^= 1
			m.hit()
			m.first, m.last = first, last
		}
		batches = batches[size:]
	}
}
