package consumer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"
)

// claimant is a member that says what it had in a generation.
func claimant(id string, generation int32, partitions ...int32) kafka.GroupMember {
	var owned atomic.Pointer[ownership]
	owned.Store(&ownership{generation, partitions})
	data, _ := sticky{"in", &owned}.UserData()
	return kafka.GroupMember{ID: id, Topics: []string{"in"}, UserData: data}
}

func topicOf(n int) (all []kafka.Partition) {
	for i := range n {
		all = append(all, kafka.Partition{Topic: "in", ID: i})
	}
	return all
}

// mostKept tries every even division there is and returns how many partitions the best of them leaves with a member
// that claims them.
func mostKept(owner []int, members int) int {
	n, best := len(owner), 0
	counts := make([]int, members)
	var try func(p, kept int)
	try = func(p, kept int) {
		if p == n {
			if slices.Max(counts)-slices.Min(counts) <= 1 {
				best = max(best, kept)
			}
			return
		}
		for m := range members {
			counts[m]++
			if owner[p] == m {
				try(p+1, kept+1)
			} else {
				try(p+1, kept)
			}
			counts[m]--
		}
	}
	try(0, 0)
	return best
}

func TestStickyIsEvenAndMovesLittle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.IntRange(1, 4).Draw(t, "members")
		owner := rapid.SliceOfN(rapid.IntRange(-1, members-1), 0, 6).Draw(t, "owner")
		claims := make([][]int32, members)
		for p, m := range owner {
			if m >= 0 {
				claims[m] = append(claims[m], int32(p))
			}
		}
		var group []kafka.GroupMember
		for m := range members {
			claim := append(claims[m], rapid.SliceOfN(rapid.Int32Range(100, 110), 0, 2).Draw(t, "gone")...)
			group = append(group, claimant(fmt.Sprintf("m%d", m), 7, claim...))
		}
		got := sticky{}.AssignGroups(group, topicOf(len(owner)))
		least, most, kept := len(owner), 0, 0
		var given []int
		for m := range members {
			share := got[fmt.Sprintf("m%d", m)]["in"]
			least, most = min(least, len(share)), max(most, len(share))
			for _, p := range share {
				if owner[p] == m {
					kept++
				}
			}
			given = append(given, share...)
		}
		slices.Sort(given)
		for i, p := range given {
			if i != p {
				t.Fatalf("given are %v", given)
			}
		}
		if len(given) != len(owner) || most-least > 1 {
			t.Fatalf("%d of %d given, between %d and %d each", len(given), len(owner), least, most)
		}
		if best := mostKept(owner, members); kept != best {
			t.Fatalf("%d partitions stay, %d could: %v", kept, best, got)
		}
		shuffled := rapid.Permutation(group).Draw(t, "order")
		if again := (sticky{}).AssignGroups(shuffled, rapid.Permutation(topicOf(len(owner))).Draw(t, "topic")); !sameShares(got, again) {
			t.Fatalf("the order of the members matters: %v, %v", got, again)
		}
	})
}

func sameShares(a, b kafka.GroupMemberAssignments) bool {
	return maps.EqualFunc(a, b, func(a, b map[string][]int) bool { return maps.EqualFunc(a, b, slices.Equal[[]int]) })
}

// Members of another version, or of other programs, say nothing or something else; that must not keep the group from
// being divided.
func TestStickyWithStrangeMembers(t *testing.T) {
	whole := claimant("a", 3, 0, 1, 2, 3)
	for _, data := range [][]byte{
		nil,
		{},
		{claimVersion},
		{9, 9, 9, 9, 9, 9, 9, 9},
		whole.UserData[:len(whole.UserData)-1],
		append([]byte{claimVersion, 0, 0, 0, 1, 0x7f, 0xff}, "in"...),
	} {
		stranger := kafka.GroupMember{ID: "b", Topics: []string{"in"}, UserData: data}
		got := sticky{}.AssignGroups([]kafka.GroupMember{stranger, whole}, topicOf(4))
		if a, b := got["a"]["in"], got["b"]["in"]; !slices.Equal(a, []int{0, 1}) || !slices.Equal(b, []int{2, 3}) {
			t.Errorf("%x: %v, %v", data, a, b)
		}
	}
	other := kafka.GroupMember{ID: "c", Topics: []string{"elsewhere"}, UserData: whole.UserData}
	got := sticky{}.AssignGroups([]kafka.GroupMember{whole, other}, append(topicOf(2), kafka.Partition{Topic: "elsewhere"}))
	if len(got["a"]["in"]) != 2 || !slices.Equal(got["c"]["elsewhere"], []int{0}) {
		t.Errorf("two topics: %v", got)
	}
}

// A member that was cut off claims what others have been given since.
func TestStickyBelievesTheLaterGeneration(t *testing.T) {
	got := sticky{}.AssignGroups([]kafka.GroupMember{claimant("a", 4, 0, 1, 2, 3), claimant("b", 6, 2, 3)}, topicOf(4))
	if a, b := got["a"]["in"], got["b"]["in"]; !slices.Equal(a, []int{0, 1}) || !slices.Equal(b, []int{2, 3}) {
		t.Errorf("%v, %v", a, b)
	}
}

// One member, two, three, and two again: what moves is what must, on a broker.
func stickyMoves(t *testing.T, b *broker) {
	const partitions = 12
	s := newStage(t, b, partitions, 1)
	var members []*Consumer
	settled := func() (owner [partitions]*Consumer) {
		t.Helper()
		s.await("an even division", func() bool {
			owner = [partitions]*Consumer{}
			for _, c := range members {
				o := c.owned.Load()
				if o == nil || len(o.partitions) != partitions/len(members) {
					return false
				}
				for _, p := range o.partitions {
					owner[p] = c
				}
			}
			return !slices.Contains(owner[:], nil)
		})
		return owner
	}
	join := func() (stop func()) {
		c := s.consumer(s.options())
		members = append(members, c)
		return s.start(c)
	}
	moved := func(before, after [partitions]*Consumer) (n int) {
		for p := range before {
			if before[p] != after[p] {
				n++
			}
		}
		return n
	}
	join()
	one := settled()
	join()
	two := settled()
	stop := join()
	three := settled()
	stop()
	members = members[:2]
	last := settled()
	if a, b, c := moved(one, two), moved(two, three), moved(three, last); a != 6 || b != 4 || c != 4 {
		t.Errorf("%d, %d and %d partitions moved; 6, 4 and 4 must", a, b, c)
	}
	if n := strings.Count(s.logs.String(), "msg=generation"); n > 12 {
		t.Errorf("%d generations for four changes", n)
	}
}
