package kafkatest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Way is a direction through a proxy.
type Way uint8

// The two directions; both together are ToBroker|ToClient.
const (
	ToBroker Way = 1 << iota
	ToClient
)

// maxFrame bounds what a frame may claim to be.
const maxFrame = 256 << 20

// Proxy listens where a broker says that it is, and passes frames on to where the broker is. It reads them on their way:
// what is length-prefixed need not be understood to be delayed, and needs a little understanding to be answered.
type Proxy struct {
	address string
	broker  string
	words   *tampering
	opaque  bool

	mu          sync.Mutex
	listener    net.Listener // nil while cut
	connections map[*connection]struct{}
	link        link
	changed     chan struct{} // closed when link changes
	ended       bool
	toll        Toll
	running     sync.WaitGroup
}

// A Toll is what a [Network] has done to connections and bytes so far: what a test that cut or slowed it has to show.
type Toll struct {
	Closed  int // connections that were closed while they stood, by Cut and Disconnect
	Lost    int // bytes that Swallow has lost
	Held    int // frames that Hold has made wait
	Delayed int // frames that Slow has made wait
}

// add adds another toll.
func (t *Toll) add(other Toll) {
	t.Closed += other.Closed
	t.Lost += other.Lost
	t.Held += other.Held
	t.Delayed += other.Delayed
}

// count adds to the proxy's toll.
func (p *Proxy) count(more Toll) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.toll.add(more)
}

// link is what befalls the bytes of all connections through one proxy. The zero value lets everything through.
type link struct {
	swallows Way
	held     bool
	delay    time.Duration // of each frame
	rate     int           // bytes a second through one connection; 0: any
}

// newProxy starts to listen. What an opaque proxy carries it does not read.
func newProxy(r Route, words *tampering, opaque bool) (*Proxy, error) {
	p := &Proxy{
		address: r.Listen, broker: r.Broker, words: words, opaque: opaque,
		connections: map[*connection]struct{}{}, changed: make(chan struct{}),
	}
	return p, p.listen()
}

// Address returns where clients find the proxy, host:port.
func (p *Proxy) Address() string { return p.address }

// listen takes connections from now on. A port 0 becomes the one that was given, so that it is the same after a cut.
func (p *Proxy) listen() error {
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener, p.address = listener, listener.Addr().String()
	p.running.Go(func() { p.serve(listener) })
	return nil
}

// serve joins each client to the broker until the listener is closed.
func (p *Proxy) serve(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // closed by cut or end
		}
		p.running.Go(func() { p.connect(client) })
	}
}

// connect joins a client to the broker until either hangs up. A broker that is dead makes the client's connection end,
// as soon as it begins.
func (p *Proxy) connect(client net.Conn) {
	broker, err := net.DialTimeout("tcp", p.broker, 3*time.Second)
	if err != nil {
		client.Close()
		return
	}
	c := &connection{proxy: p, client: client, broker: broker, closed: make(chan struct{})}
	p.mu.Lock()
	refused := p.listener == nil || p.ended
	if !refused {
		p.connections[c] = struct{}{}
	}
	p.mu.Unlock()
	if refused {
		c.close(true)
		return
	}
	c.run()
	p.mu.Lock()
	delete(p.connections, c)
	p.mu.Unlock()
}

// set changes what befalls the bytes, and wakes those that are held.
func (p *Proxy) set(change func(*link)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.link)
	close(p.changed)
	p.changed = make(chan struct{})
}

// state is what befalls bytes now, and a channel that is closed when that changes.
func (p *Proxy) state() (link, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.link, p.changed
}

// cut ends the listener first, so that nobody comes back between.
func (p *Proxy) cut() {
	p.mu.Lock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	p.disconnect()
}

// disconnect closes what stands, and counts it.
func (p *Proxy) disconnect() {
	p.count(Toll{Closed: p.closeWhere(func(*connection) bool { return true })})
}

// closeWhere returns how many connections it has closed.
func (p *Proxy) closeWhere(condition func(*connection) bool) (closed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.connections {
		if condition(c) {
			c.close(true)
			closed++
		}
	}
	return closed
}

// heal closes the connections that have lost something before it lets bytes through again: in the middle of a stream that
// lacks some, the next frame would be read from a wrong beginning.
func (p *Proxy) heal() error {
	p.closeWhere(func(c *connection) bool { return c.lost })
	p.set(func(l *link) { *l = link{} })
	p.mu.Lock()
	listening := p.listener != nil
	p.mu.Unlock()
	if listening {
		return nil
	}
	return p.listen()
}

// end returns when nothing of the proxy runs any more.
func (p *Proxy) end() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.cut()
	p.running.Wait()
}

// connection is one client's, and the one to the broker that stands for it. Two goroutines pass on what comes, one for each
// way; what they share is the list of calls that wait for their answers.
type connection struct {
	proxy          *Proxy
	client, broker net.Conn
	closing        sync.Once
	closed         chan struct{}
	lost           bool // something was swallowed; under the proxy's lock

	mu      sync.Mutex // of the way to the client
	pending []call     // in the order in which they must be answered
}

// close ends both connections: with a reset nothing under way is delivered, otherwise what was written is.
func (c *connection) close(reset bool) {
	c.closing.Do(func() {
		for _, conn := range []net.Conn{c.client, c.broker} {
			if tcp, ok := conn.(*net.TCPConn); ok && reset {
				_ = tcp.SetLinger(0) // it fails where the other side was faster
			}
			conn.Close()
		}
		close(c.closed)
	})
}

// run passes on until one side ends.
func (c *connection) run() {
	there, back := c.requests, c.answers
	if c.proxy.opaque {
		there = func() error { return c.copy(c.broker, c.client, ToBroker) }
		back = func() error { return c.copy(c.client, c.broker, ToClient) }
	}
	var both sync.WaitGroup
	for _, way := range []func() error{there, back} {
		both.Go(func() {
			_ = way() // whatever ended one way ends the other
			c.close(false)
		})
	}
	both.Wait()
}

// copy passes bytes on as they come.
func (c *connection) copy(to, from net.Conn, way Way) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return err
		}
		if err := c.pass(to, buffer[:n], way); err != nil {
			return err
		}
	}
}

// requests passes requests on, or answers them.
func (c *connection) requests() error {
	var buffer []byte
	for {
		frame, err := readFrame(c.client, &buffer)
		if err != nil {
			return err
		}
		call, silent := c.proxy.words.read(frame[4:])
		if !silent {
			if err := c.expect(call); err != nil {
				return err
			}
		}
		if call.answer == nil {
			if err := c.pass(c.broker, frame, ToBroker); err != nil {
				return err
			}
		}
	}
}

// expect puts a call at the end of those that wait, and answers it where nothing else does.
func (c *connection) expect(waiting call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = append(c.pending, waiting)
	return c.answerOwn()
}

// answerOwn sends the answers that do not come from the broker, once it is their turn.
func (c *connection) answerOwn() error {
	for len(c.pending) > 0 && c.pending[0].answer != nil {
		if err := c.pass(c.client, framed(c.pending[0].answer), ToClient); err != nil {
			return err
		}
		c.pending = c.pending[1:]
	}
	return nil
}

// answers passes the broker's answers on.
func (c *connection) answers() error {
	var buffer []byte
	for {
		frame, err := readFrame(c.broker, &buffer)
		if err != nil {
			return err
		}
		if err := c.answer(frame); err != nil {
			return err
		}
	}
}

// answer passes one answer on, changed or not, and those of the proxy's own that had to wait for it. Kafka answers the
// requests of a connection in their order, so the answer is to the request that has waited longest, or the stream is not
// understood.
func (c *connection) answer(frame []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 || len(frame) < 8 || int32(binary.BigEndian.Uint32(frame[4:])) != c.pending[0].correlation {
		return errors.New("an answer that nobody waits for")
	}
	changed := c.proxy.words.answered(&c.pending[0], frame[4:])
	switch {
	case changed == nil:
		return errors.New("the answer is lost")
	case &changed[0] != &frame[4]:
		frame = framed(changed)
	}
	c.pending = c.pending[1:]
	if err := c.pass(c.client, frame, ToClient); err != nil {
		return err
	}
	return c.answerOwn()
}

// pass writes bytes as the link allows it: it waits while the link is held, loses them where it swallows, and else waits
// for the delay and for the time that they take at the link's rate.
func (c *connection) pass(to net.Conn, data []byte, way Way) error {
	l, changed := c.proxy.state()
	if l.held {
		c.proxy.count(Toll{Held: 1})
	}
	for l.held {
		select {
		case <-c.closed:
			return net.ErrClosed
		case <-changed:
		}
		l, changed = c.proxy.state()
	}
	if l.swallows&way != 0 {
		c.proxy.mu.Lock()
		c.lost = true
		c.proxy.toll.Lost += len(data)
		c.proxy.mu.Unlock()
		return nil
	}
	wait := l.delay
	if l.rate > 0 {
		wait += time.Duration(len(data)) * time.Second / time.Duration(l.rate)
	}
	if wait > 0 {
		c.proxy.count(Toll{Delayed: 1})
		select {
		case <-c.closed:
			return net.ErrClosed
		case <-time.After(wait):
		}
	}
	_, err := to.Write(data)
	return err
}

// readFrame reads a frame with its length into the buffer, which it lets grow; it is valid until the next call.
func readFrame(from io.Reader, buffer *[]byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return nil, errors.New("no frame of Kafka's")
	}
	need := 4 + int(size)
	if cap(*buffer) < need {
		*buffer = make([]byte, need)
	}
	frame := (*buffer)[:need]
	copy(frame, head[:])
	_, err := io.ReadFull(from, frame[4:])
	return frame, err
}

// framed puts the length before a frame.
func framed(frame []byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(frame)), uint32(len(frame))), frame...)
}
