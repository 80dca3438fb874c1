package consumer

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// A broker that takes connections and hangs up, or says nothing, does not keep the group from meeting while another
// is well.
func TestGroupGoesAroundABadBroker(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{false, true} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				if silent {
					t.Cleanup(func() { conn.Close() })
				} else {
					conn.Close()
				}
			}
		}()
		s := newStage(t, newFake(t, kfake.NumBrokers(2)), 2, 2)
		sent := s.sendEvents("a", 20, 2)
		o := s.options()
		o.Brokers = append([]string{listener.Addr().String()}, o.Brokers...)
		c := s.consumer(o)
		c.timing.request = 500 * time.Millisecond
		stop := s.start(c)
		s.await("the decisions", func() bool { return s.countOf(s.output()) == 20 })
		stop()
		s.assertOnce(sent, s.decisionIDs())
	}
}

// Only the name that stands for all brokers goes round.
func TestBootstrapGoesRound(t *testing.T) {
	var dialed []string
	refused := errors.New("refused")
	b := &bootstrap{brokers: []string{"a:1", "b:2"}, dial: func(_ context.Context, _, address string) (net.Conn, error) {
		dialed = append(dialed, address)
		if address == "a:1" {
			return nil, refused
		}
		conn, _ := net.Pipe()
		return conn, nil
	}}
	for range 2 {
		if _, err := b.dialContext(t.Context(), "tcp", anyBroker); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.dialContext(t.Context(), "tcp", "a:1"); !errors.Is(err, refused) {
		t.Errorf("the coordinator's own address: %v", err)
	}
	want := []string{"a:1", "b:2", "a:1", "b:2", "a:1"}
	if !slices.Equal(dialed, want) {
		t.Fatalf("dialed %v, want %v", dialed, want)
	}
}
