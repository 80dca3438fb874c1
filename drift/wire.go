package drift

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"math/bits"
)

// Snapshots and tick counts are written alike:
//
//	magic "fsdr" · version · kind · fingerprint of the baseline (16 bytes) · body · CRC-32C of all before
//
// Integers are varints. A float64 is the uvarint of its bits in reverse byte order, so that whole numbers and zeros,
// which most counts are, take one to three bytes, and every number comes back bit for bit.
const (
	wireMagic   = "fsdr"
	wireVersion = 1

	snapshotKind = 's'
	pooledKind   = 'p' // snapshot of a partition that only counts
	countsKind   = 'c'

	headerSize   = len(wireMagic) + 2 + 16
	checksumSize = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errDamaged = errors.New("drift: snapshot is damaged or of another version")

// writer appends to its bytes.
type writer struct{ bytes []byte }

func (m *Monitor) newWriter(kind byte) *writer {
	w := &writer{append([]byte(wireMagic), wireVersion, kind)}
	w.bytes = append(w.bytes, m.fingerprint[:]...)
	return w
}

func (w *writer) int(n int64) { w.bytes = binary.AppendVarint(w.bytes, n) }

func (w *writer) bool(b bool) {
	n := int64(0)
	if b {
		n = 1
	}
	w.int(n)
}

func (w *writer) float(x float64) {
	w.bytes = binary.AppendUvarint(w.bytes, bits.ReverseBytes64(math.Float64bits(x)))
}

func (w *writer) floats(all []float64) {
	for _, x := range all {
		w.float(x)
	}
}

// seal appends the checksum.
func (w *writer) seal() []byte {
	return binary.BigEndian.AppendUint32(w.bytes, crc32.Checksum(w.bytes, castagnoli))
}

// reader takes apart what a writer has written. Its first fault sticks, and everything after it reads as zero, so that
// one look at the end is enough.
type reader struct {
	rest   []byte
	failed bool
}

// newReader checks what stands around a body. The length is bounded first: a checksum over bytes without end is work
// without end.
func (m *Monitor) newReader(kind byte, data []byte) (*reader, error) {
	if len(data) < headerSize+checksumSize || len(data) > m.wireLimit() {
		return nil, errDamaged
	}
	body, sum := data[:len(data)-checksumSize], data[len(data)-checksumSize:]
	if string(body[:len(wireMagic)]) != wireMagic || body[4] != wireVersion || body[5] != kind ||
		binary.BigEndian.Uint32(sum) != crc32.Checksum(body, castagnoli) {
		return nil, errDamaged
	}
	if [16]byte(body[6:headerSize]) != m.fingerprint {
		return nil, ErrOtherBaseline
	}
	return &reader{rest: body[headerSize:]}, nil
}

// wireLimit is more than a snapshot of this monitor can be long.
func (m *Monitor) wireLimit() int {
	numbers := 64 + mostTimes + 2*m.tallies + len(m.spreads)
	for i := range m.detectors {
		numbers += 64 + len(halfLives)*(1+2*m.detectors[i].cells)
	}
	return headerSize + checksumSize + binary.MaxVarintLen64*numbers
}

func (r *reader) int() int64 {
	n, size := binary.Varint(r.rest)
	r.skip(size)
	return n
}

// count is an integer that must lie between 0 and most.
func (r *reader) count(most int64) int64 {
	n := r.int()
	if n < 0 || n > most {
		r.failed = true
	}
	if r.failed {
		return 0
	}
	return n
}

func (r *reader) bool() bool { return r.count(1) == 1 }

func (r *reader) float() float64 {
	n, size := binary.Uvarint(r.rest)
	r.skip(size)
	return math.Float64frombits(bits.ReverseBytes64(n))
}

// finite is a float64 that must be a number.
func (r *reader) finite() float64 {
	x := r.float()
	if !finite(x) {
		r.failed = true
	}
	return x
}

// rows is a count of rows: whole, and few enough to add up without rounding.
func (r *reader) rows() float64 {
	x := r.amount()
	if x != math.Trunc(x) || x > 1<<52 {
		r.failed = true
	}
	return x
}

// amount is a float64 that must not be negative, nor larger than counts of rows can add up to.
func (r *reader) amount() float64 {
	x := r.float()
	if !(x >= 0 && x <= 1<<60) {
		r.failed = true
	}
	return x
}

func (r *reader) amounts(all []float64) {
	for i := range all {
		all[i] = r.amount()
	}
}

func (r *reader) floats(all []float64) {
	for i := range all {
		all[i] = r.float()
	}
}

func (r *reader) skip(size int) {
	if size <= 0 {
		r.failed, r.rest = true, nil
		return
	}
	r.rest = r.rest[size:]
}

// end is the error of all that was read.
func (r *reader) end() error {
	if r.failed || len(r.rest) > 0 {
		return errDamaged
	}
	return nil
}
