package consumer

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/segmentio/kafka-go"
)

// stickyProtocol is how the group knows our way of dividing partitions. It is of our own, since the user data are.
const stickyProtocol = "fraudstream-sticky"

// sticky divides the partitions of a topic so that each member has as many as any other, give or take one, and as few
// as possible change hands: a partition that moves has its pipeline drained, its monitor's state written and read
// again. Each member says in its user data what it had in the last generation that it knows.
//
// A group in which some members do not know this protocol yet is divided by one that all of them know, and the first
// rebalance after the last of those has gone is sticky.
type sticky struct {
	topic string
	owned *atomic.Pointer[ownership]
}

// ownership is what a member was assigned.
type ownership struct {
	generation int32
	partitions []int32
}

// balancers are the ways to divide partitions, the one that is preferred first.
func (c *Consumer) balancers() []kafka.GroupBalancer {
	return []kafka.GroupBalancer{
		sticky{c.o.Input, &c.owned}, kafka.RangeGroupBalancer{}, kafka.RoundRobinGroupBalancer{},
	}
}

// own notes what a generation gives to this member, for the user data of its next join. It is called before the
// generation is served, and kafka-go reads it from a goroutine of its own: hence the pointer, to a value that never
// changes.
func (c *Consumer) own(g *kafka.Generation) {
	o := &ownership{generation: g.ID}
	for _, a := range g.Assignments[c.o.Input] {
		o.partitions = append(o.partitions, int32(a.ID))
	}
	c.owned.Store(o)
}

// ProtocolName implements kafka.GroupBalancer.
func (s sticky) ProtocolName() string { return stickyProtocol }

// claimVersion begins the user data: version, generation, length and name of the topic, then four bytes a partition.
const claimVersion = 1

// UserData tells the leader of the group what this member had. kafka-go asks for it with each attempt to join. A
// member without a generation before has none.
func (s sticky) UserData() ([]byte, error) {
	o := s.owned.Load()
	if o == nil {
		return nil, nil
	}
	b := []byte{claimVersion}
	b = binary.BigEndian.AppendUint32(b, uint32(o.generation))
	b = appendString(b, s.topic)
	for _, p := range o.partitions {
		b = binary.BigEndian.AppendUint32(b, uint32(p))
	}
	return b, nil
}

// parseClaim reads user data. What cannot be read claims nothing: the member is given what is free.
func parseClaim(data []byte) (topic string, o ownership) {
	if len(data) < 7 || data[0] != claimVersion {
		return "", ownership{}
	}
	in := cursor{data: data[1:]}
	o.generation = in.int32()
	topic = string(in.take(int(in.int16())))
	if in.short || len(in.data)%4 != 0 {
		return "", ownership{}
	}
	for len(in.data) > 0 {
		o.partitions = append(o.partitions, in.int32())
	}
	return topic, o
}

// AssignGroups divides topic by topic. It is a function of its arguments alone, in whatever order they come. Only the
// member that the coordinator has made the group's leader is asked for it; the others are told the outcome.
func (s sticky) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	all := kafka.GroupMemberAssignments{}
	readers := map[string][]kafka.GroupMember{}
	for _, m := range members {
		all[m.ID] = map[string][]int{}
		for _, topic := range m.Topics {
			readers[topic] = append(readers[topic], m)
		}
	}
	for topic, members := range readers {
		var ids []int32
		for _, p := range partitions {
			if p.Topic == topic {
				ids = append(ids, int32(p.ID))
			}
		}
		slices.Sort(ids)
		for member, share := range divide(topic, members, ids) {
			for _, p := range share {
				all[member][topic] = append(all[member][topic], int(p))
			}
		}
	}
	return all
}

// divide gives every member what it holds, up to its due, and then what is left to those that have less. As P
// partitions make a due of P/M for each of M members and P%M dues of one more, the larger ones go to those that hold
// most: no other division that is as even leaves more partitions where they are.
func divide(topic string, members []kafka.GroupMember, partitions []int32) map[string][]int32 {
	held, free := settle(topic, members, partitions)
	order := slices.SortedFunc(maps.Keys(held), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(held[b]), len(held[a])), cmp.Compare(a, b))
	})
	due := func(rank int) int {
		n := len(partitions) / len(order)
		if rank < len(partitions)%len(order) {
			n++
		}
		return n
	}
	for rank, member := range order {
		if n := due(rank); len(held[member]) > n {
			free = append(free, held[member][n:]...)
			held[member] = held[member][:n:n]
		}
	}
	slices.Sort(free)
	for rank, member := range order {
		n := due(rank) - len(held[member])
		held[member] = append(held[member], free[:n]...)
		free = free[n:]
		slices.Sort(held[member])
	}
	return held
}

// settle finds who holds which partition, and which nobody does. Where two claim one, because a member was cut off
// while the group went on without it, the later generation is right; between equals the member's id decides.
func settle(topic string, members []kafka.GroupMember, partitions []int32) (held map[string][]int32, free []int32) {
	type claim struct {
		member     string
		generation int32
	}
	holder := map[int32]claim{}
	held = map[string][]int32{}
	for _, m := range members {
		held[m.ID] = nil
		about, o := parseClaim(m.UserData)
		if about != topic {
			continue
		}
		for _, p := range o.partitions {
			h, taken := holder[p]
			if !taken || o.generation > h.generation || o.generation == h.generation && m.ID < h.member {
				holder[p] = claim{m.ID, o.generation}
			}
		}
	}
	for _, p := range partitions {
		if h, ok := holder[p]; ok {
			held[h.member] = append(held[h.member], p)
		} else {
			free = append(free, p)
		}
	}
	return held, free
}
