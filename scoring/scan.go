package scoring

import "unicode/utf8"

// The limits of an event's value. They are part of the contract with senders. Depth bounds the recursion of the
// scanner, the number of keys the table of those that are open: 32 objects of 1,024 keys.
const (
	maxBytes = 1 << 20
	maxDepth = 32
	maxKeys  = 1024
)

// kind is what a scan found at a path. The zero value is absent, so that clearing the tokens makes every path
// unseen.
type kind uint8

const (
	absent kind = iota
	null
	falsity
	truth
	number
	text
	object
	array
	blocked // the path leads through a value that is no object or array
)

// A token is the value at a path. number is infinite where no finite float64 is near; start and end are offsets in
// the value, quotes included. It holds nothing of the value but its places, which are good until the next scan.
type token struct {
	kind       kind
	escaped    bool // the text has escapes
	start, end uint32
	number     float64
}

// A scanner checks JSON values strictly (RFC 8259 without byte order mark, RFC 7493 for duplicate keys and text that
// is no Unicode) in one pass, and keeps what it meets at the paths that somebody asked for. It knows nothing of what
// the values are for.
//
// One loop has one scanner and uses it for event after event; it must not be shared. Its buffers keep the size
// of the largest value so far, which the limits bound.
type scanner struct {
	paths   *paths
	data    []byte  // the value and sixteen zeros, so that reading ahead needs no length check
	size    int     // of the value
	tokens  []token // by slot of the paths
	objects uint32  // begun so far; numbers the objects
	shape   shape   // of the value before
	seen    keySet  // keys of the open objects, where the shape did not hold
	open    [maxDepth + 1]uint32
	arena   []byte // unescaped keys

	code     Code // of the first fault; empty: none
	at       int  // its offset
	top      kind // of the whole value
	infinite int  // offset of the first number elsewhere that no finite float64 is near; -1: none
}

// newScanner returns scratch for the values of one loop.
func newScanner(p *paths) *scanner {
	return &scanner{paths: p, tokens: make([]token, p.slots), seen: newKeySet()}
}

// scan reads value, a whole JSON text, into tokens. It returns false, with code and at set, at the first byte that
// breaks the grammar or a limit. The zeros behind the value stop every loop: a zero is no digit, no white
// space, no quote, and inside of a text it is a control character and therefore a fault. So reading a byte
// ahead needs no comparison with the length.
func (s *scanner) scan(value []byte) bool {
	s.code, s.at, s.infinite, s.objects = "", 0, -1, 0
	s.size = len(value)
	if s.size > maxBytes {
		s.fail(TooLarge, maxBytes)
		return false
	}
	if s.size == 0 {
		s.fail(Empty, 0)
		return false
	}
	var zeros [16]byte
	s.data = append(append(s.data[:0], value...), zeros[:]...)
	clear(s.tokens)
	s.arena = s.arena[:0]
	s.seen.reset()
	s.shape.begin()
	p := skipSpace(s.data, 0)
	s.top = topKind(s.data[p])
	if p = s.value(p, rootNode, 0); p < 0 {
		return false
	}
	if p = skipSpace(s.data, p); p != s.size {
		s.unexpected(p)
		return false
	}
	return true
}

// topKind is object or array by its bracket; what else the value may be matters to nobody.
func topKind(c byte) kind {
	switch c {
	case '{':
		return object
	case '[':
		return array
	default:
		return absent
	}
}

// fail records the fault at offset p and returns the offset that stands for one. Every function of the scanner
// returns the offset after what it has read, and a negative one ends all of them.
func (s *scanner) fail(code Code, p int) int {
	s.code, s.at = code, p
	return -1
}

// unexpected is the fault of a byte that cannot stand where it does.
func (s *scanner) unexpected(p int) int {
	if p < s.size && s.data[p] >= utf8.RuneSelf {
		if r, n := utf8.DecodeRune(s.data[p:s.size]); r == utf8.RuneError && n == 1 {
			return s.fail(BadUTF8, p)
		}
	}
	return s.fail(BadJSON, p)
}

// skipSpace returns the offset of the first byte from p on that is no white space. RFC 8259 knows these four
// and no others. The first comparison alone decides for most bytes.
func skipSpace(data []byte, p int) int {
	for data[p] <= ' ' && (data[p] == ' ' || data[p] == '\n' || data[p] == '\r' || data[p] == '\t') {
		p++
	}
	return p
}

// value reads the value at p, which stands at node of the paths, and returns the offset after it, or -1.
// Whatever begins neither a text nor an object, an array or a literal is taken for a number, whose grammar
// refuses what is none.
func (s *scanner) value(p int, node int32, depth int) int {
	n := &s.paths.nodes[node]
	start, found, escaped := p, number, false
	switch s.data[p] {
	default:
		if p = s.number(p, n.slot); p < 0 {
			return -1
		}
	case '"':
		found = text
		p, escaped = s.text(p)
	case '{':
		found = object
		p = s.object(p, node, depth+1)
	case '[':
		found = array
		p = s.array(p, node, depth+1)
	case 't':
		found = truth
		p = s.literal(p, "true")
	case 'f':
		found = falsity
		p = s.literal(p, "false")
	case 'n':
		found = null
		p = s.literal(p, "null")
	}
	if p < 0 {
		return -1
	}
	if n.slot >= 0 {
		// Field by field: a whole token would be put together on the stack and copied before it is there to be read.
		t := &s.tokens[n.slot]
		t.kind, t.escaped, t.start, t.end = found, escaped, uint32(start), uint32(p)
	}
	if n.inner {
		s.block(n, found)
	}
	return p
}

// number reads the number at p. Where no path reads it, it need only be finite.
func (s *scanner) number(p int, slot int32) int {
	d, end, ok := readNumber(s.data, p)
	switch {
	case !ok:
		return s.unexpected(end)
	case slot >= 0:
		f, sure := d.float()
		if !sure {
			f = parseFloat(d, s.data[p:end])
		}
		s.tokens[slot].number = f
	case s.infinite < 0 && isInfinite(d, s.data[p:end]):
		s.infinite = p
	}
	return end
}

// block marks the paths that lead through a value which cannot hold them. null in the place of an object makes
// what would be inside of it absent; a number or a text there is a fault of the event, which the feature's
// reading reports as wrong_type.
func (s *scanner) block(n *node, k kind) {
	if k == null || k == object && len(n.items) == 0 || k == array && n.keys.used == 0 {
		return
	}
	for i, child := range n.nodes {
		if isKey := n.names[i].index < 0; k == object && isKey || k == array && !isKey {
			continue
		}
		c := &s.paths.nodes[child]
		for slot := c.first; slot < c.beyond; slot++ {
			s.tokens[slot].kind = blocked
		}
	}
}

// literal reads true, false or null; what follows it is the caller's business.
func (s *scanner) literal(p int, word string) int {
	for i := range len(word) {
		if s.data[p+i] != word[i] {
			return s.unexpected(p + i)
		}
	}
	return p + len(word)
}

// object reads the object at p. self is the number of the object in order of appearance, by which the keys of
// different objects are told apart.
func (s *scanner) object(p int, node int32, depth int) int {
	if depth > maxDepth {
		return s.fail(TooDeep, p)
	}
	self := s.objects
	s.objects++
	s.open[depth] = self
	p = skipSpace(s.data, p+1)
	if s.data[p] == '}' {
		return p + 1
	}
	for count := 1; ; count++ {
		if s.data[p] != '"' {
			return s.unexpected(p)
		}
		if count > maxKeys {
			return s.fail(TooLarge, p)
		}
		child, end := s.shape.match(s.data, p+1, self, node)
		if end < 0 {
			if child, end = s.key(p, self, node, depth); end < 0 {
				return -1
			}
		}
		p = skipSpace(s.data, end)
		if s.data[p] != ':' {
			return s.unexpected(p)
		}
		if p = s.value(skipSpace(s.data, p+1), child, depth); p < 0 {
			return -1
		}
		p = skipSpace(s.data, p)
		switch s.data[p] {
		case ',':
			p = skipSpace(s.data, p+1)
		case '}':
			s.seen.close(self)
			return p + 1
		default:
			return s.unexpected(p)
		}
	}
}

// array reads the array at p. An element that no path names is read at node 0: checked like any other and kept
// nowhere.
func (s *scanner) array(p int, node int32, depth int) int {
	if depth > maxDepth {
		return s.fail(TooDeep, p)
	}
	p = skipSpace(s.data, p+1)
	if s.data[p] == ']' {
		return p + 1
	}
	for i := 0; ; i++ {
		if p = s.value(p, s.paths.item(node, i), depth); p < 0 {
			return -1
		}
		p = skipSpace(s.data, p)
		switch s.data[p] {
		case ',':
			p = skipSpace(s.data, p+1)
		case ']':
			return p + 1
		default:
			return s.unexpected(p)
		}
	}
}

// key reads the key at p the long way: hashes it, compares it with the other keys of its object and looks its path
// up. From here on the shape of this value is learnt anew. Two keys are the same when their characters are, so
// an escaped one is compared by what it stands for.
func (s *scanner) key(p int, self uint32, node int32, depth int) (child int32, end int) {
	if !s.shape.broken {
		s.breakShape(depth)
	}
	end, escaped := s.text(p)
	if end < 0 {
		return 0, -1
	}
	name := s.data[p+1 : end-1]
	if escaped {
		from := len(s.arena)
		s.arena = appendUnescaped(s.arena, name)
		name = s.arena[from:]
	}
	hash := hashKey(name)
	if !s.seen.add(name, hash, self) {
		return 0, s.fail(DuplicateKey, p)
	}
	child = s.paths.nodes[node].keys.lookup(name, hash)
	s.shape.learn(name, escaped, shapeKey{hash: hash, object: self, parent: node, child: child, depth: int32(depth)})
	return child, end
}

// breakShape is called where this value begins to differ from the shape of the one before. The keys so far of the
// objects still open were not looked at one by one; now they must be.
func (s *scanner) breakShape(depth int) {
	for i := range s.shape.leave() {
		k := &s.shape.keys[i]
		if int(k.depth) <= depth && s.open[k.depth] == k.object {
			s.seen.add(s.shape.name(k), k.hash, k.object)
		}
	}
}
