package nemesis

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/consumer/kafkatest"
)

// logFaults happen to what is written down. Two of them can be done to the in-process broker as well, and stand in
// its list too.
func logFaults() []Fault {
	return []Fault{
		outputDeleted(), recordTooLarge(), corruptOnTheWire(), corruptOnDisk(), abortedUpstream(), partitionAdded(), recordsDeleted(),
	}
}

// recordTooLarge lowers the limit of the service's topics of decisions and of dead letters to 20 kB, the plain loop's
// of its decisions, and sends events of 40 kB. Of three, one has a long id, so that its decision is over the limit,
// and one that is no JSON a long key, and one a long header. They must end as dead letters that leave out what does
// not fit, and their neighbours, whose batches are over the limit with them, must be answered in full. In the end the
// limits are Kafka's default again.
func recordTooLarge() Fault {
	return Fault{"record too large for the output topic", func(w *World) {
		const giants, tooLarge = 21, `code="output_too_large"`
		refused, bare := map[*Subject]float64{}, map[*Subject]int{}
		for _, s := range w.Subjects {
			limited := []string{s.Topics.decisions, s.Topics.letters}
			if s.Plain {
				limited = limited[:1]
			}
			for _, topic := range limited {
				w.configure(topic, "max.message.bytes", "20000")
				w.configured(topic, "max.message.bytes", "20000")
			}
			refused[s], bare[s] = s.countedWhere(lettersTotal, tooLarge), s.witness.noted().bare
		}
		for i := range giants {
			w.Burst(100)
			w.run.generator.giant(40_000, i, w.Random)
			w.Sleep(50 * time.Millisecond)
		}
		for _, s := range w.services() {
			w.eventually(fmt.Sprintf("%d dead letters of %s without their events, %d as output_too_large", giants, s.Name, giants/3), time.Minute, func() bool {
				return s.witness.noted().bare >= bare[s]+giants && s.countedWhere(lettersTotal, tooLarge) >= refused[s]+giants/3
			})
			w.configure(s.Topics.letters, "max.message.bytes", "1048588")
		}
		for _, s := range w.Subjects {
			w.configure(s.Topics.decisions, "max.message.bytes", "1048588")
			if s.Plain {
				w.Met(s, "giants", giants) // they are on its way like on the others'
				continue
			}
			w.Met(s, "dead letters as output_too_large", int(s.countedWhere(lettersTotal, tooLarge)-refused[s]))
			w.Met(s, "dead letters without their events", s.witness.noted().bare-bare[s])
		}
		w.Struck(giants)
	}}
}

// giant sends an event with so many bytes that do not compress, since limits are held against compressed batches: by
// turns in its id, in its key, and in a header. The first is a payment, the others are no JSON. All are booked as
// poison, since a dead letter is their right answer.
func (g *generator) giant(size, turn int, random *rand.Rand) {
	g.mu.Lock()
	payment := g.cards.Next()
	g.mu.Unlock()
	var padding []byte
	for len(padding) < size {
		padding = strconv.AppendUint(padding, random.Uint64(), 36)
	}
	key, value := payment.AppendCard(nil), payment.AppendJSON(nil)
	var headers []kgo.RecordHeader
	switch turn % 3 {
	case 0:
		id := payment.AppendID(nil)
		value = bytes.Replace(value, id, append(id, padding...), 1)
	case 1:
		key, value = append(key, padding...), value[:len(value)/2]
	case 2:
		headers, value = []kgo.RecordHeader{{Key: "giant", Value: padding}}, value[:len(value)/2]
	}
	g.post(key, value, event{poison: true, bare: true, value: digest(value), at: time.Now()}, headers...)
}

// corruptOnTheWire flips bits in batches on their way to the workers, ten times for each partition and program. What is
// fetched again is whole. Each mode of the service says itself how many batches it has refused; the plain loop, whose
// library looks at no CRC, says nothing, so what it was given is counted on the way.
func corruptOnTheWire() Fault {
	return Fault{"corrupt batch on the wire", func(w *World) {
		const times = 10
		before := w.refused("corrupt")
		tampers := map[string][]*kafkatest.Tamper{}
		for _, client := range w.clients() {
			for p := range w.partitions(input) {
				tampers[client] = append(tampers[client], w.Ground.Kafka.Network.CorruptFetch(client, input, p, -1, times))
			}
		}
		w.Burst(500)
		w.eventually("a CRC that is wrong", 30*time.Second, func() bool {
			return w.more(before, w.refused("corrupt")) && !slices.ContainsFunc(w.clients(), func(client string) bool { return hits(tampers[client]) == 0 })
		})
		w.Sleep(w.Between(3*time.Second, 5*time.Second))
		for s, n := range w.refused("corrupt") {
			w.Met(s, "batches refused for their CRC", int(n-before[s]))
		}
		for _, s := range w.Subjects {
			w.Met(s, "batches corrupted", hits(tampers[s.client]))
		}
		for _, own := range tampers {
			for _, tamper := range own {
				tamper.End() // what is left of the ten belongs to no other fault
			}
		}
	}}
}

// clients are the names of the programs that the subjects run; both modes of the service have the same. A proxy knows
// a connection by the name in its requests, and so can tell the plain loop from the service and no more.
func (w *World) clients() []string {
	var all []string
	for _, s := range w.Subjects {
		all = append(all, s.client)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// hits is how often several things that a network was told were done.
func hits(tampers []*kafkatest.Tamper) (sum int) {
	for _, tamper := range tampers {
		sum += tamper.Hits()
	}
	return sum
}

// corruptOnDisk makes one batch unreadable for good. Its partition must stand before it, with an alert, until
// `fraudstream offsets skip` names the offset after it: then that batch is missing, all of it and nothing else, and
// counted.
func corruptOnDisk() Fault {
	return Fault{"corrupt batch on disk, until offsets skip", func(w *World) {
		p := w.Random.Int32N(w.partitions(input))
		marks := w.alertMarks()
		at, tampers := w.Book().Ends()[p]+50, map[string]*kafkatest.Tamper{}
		for _, client := range w.clients() {
			tampers[client] = w.Ground.Kafka.Network.CorruptFetch(client, input, p, at, -1)
			defer tampers[client].End()
		}
		w.eventually("a pause before the corrupt batch", time.Minute, func() bool {
			return !slices.ContainsFunc(w.Subjects, func(s *Subject) bool {
				return tampers[s.client].Hits() == 0 || !s.Plain && s.paused(`reason="corrupt_batch"`) == 0
			})
		})
		w.Sleep(w.Between(5*time.Second, 8*time.Second))
		first, last := tampers[w.services()[0].client].Batch()
		for _, s := range w.Subjects {
			s.Ledger.Excuse(p, first, last+1)
			w.Met(s, "offsets corrupt", int(last+1-first))
			w.Met(s, "times the corrupt batch was fetched", tampers[s.client].Hits())
		}
		for _, s := range w.services() {
			if at := w.committed(s)[p]; at > first {
				w.T.Errorf("%s has committed %d, past the corrupt batch at %d to %d", s.Name, at, first, last)
			}
			w.expectAlert(s, marks[s], gapAlert{"offset", "paused", "corrupt_batch", p, first, first, 0})
			w.skip(s, p, last+1)
			w.expectAlert(s, marks[s], gapAlert{"offset", "skipped", "corrupt_batch", p, first, last + 1, last + 1 - first})
			w.expectGap(s, p, first, last+1)
		}
		w.Note("corrupt_offsets", last+1-first)
	}}
}

// skip is what the person on call types, and returns when a worker has counted that it has passed over something of
// that partition. It runs with the same configuration and environment as the workers. It fails the test where the
// command does, and shows what that has said.
func (w *World) skip(s *Subject, partition int32, to int64) {
	before := s.gaps(partition)
	command := exec.Command(w.run.o.Executable, "offsets", "skip", "--config", filepath.Join(w.run.o.Logs, s.Name+".yaml"),
		"--topic", input, "--partition", strconv.Itoa(int(partition)), "--to", strconv.FormatInt(to, 10))
	command.Env = s.environment
	if out, err := command.CombinedOutput(); err != nil {
		w.T.Errorf("offsets skip for %s: %v: %s", s.Name, err, out)
	}
	w.eventually(s.Name+" to go on after the corrupt batch", time.Minute, func() bool { return s.gaps(partition) > before })
}

// expectGap holds that exactly the offsets of a range were passed over and counted, and no event in it was answered.
// What earlier faults have taken away is counted in, since the counters of a subject never begin anew.
func (w *World) expectGap(s *Subject, partition int32, from, to int64) {
	events, answered := s.Ledger.answersIn(partition, from, to)
	if events == 0 || answered > 0 {
		w.T.Errorf("%s: of %d events in %d/%d to %d, which cannot be read, %d are answered", s.Name, events, partition, from, to, answered)
	}
	s.expectedGaps += float64(to - from)
	if n := s.counted(gapsTotal); n != s.expectedGaps {
		w.T.Errorf("%s counts %v offsets as skipped, %v were taken away", s.Name, n, s.expectedGaps)
	}
}

// gapAlert is what an alert says of offsets that cannot be read, declared here once more: from the first that is not
// read to the first that is.
type gapAlert struct {
	Kind      string `json:"kind"`
	State     string `json:"state"`
	Reason    string `json:"reason"`
	Partition int32  `json:"partition,string"`
	Offset    int64  `json:"offset"`
	Next      int64  `json:"next"`
	Records   int64  `json:"records"`
}

// alertMarks are how many alerts of each subject have been read so far. An alert behind its mark was read after the
// mark was taken, whatever it speaks of.
func (w *World) alertMarks() map[*Subject]int {
	marks := map[*Subject]int{}
	for _, s := range w.Subjects {
		marks[s] = len(s.witness.Alerts())
	}
	return marks
}

// expectAlert waits for an alert behind a mark that says of the offsets just what has happened to them, and shows
// those that came instead. In exactly-once mode it must be the only one that says so.
func (w *World) expectAlert(s *Subject, mark int, want gapAlert) {
	w.T.Helper()
	var said []gapAlert
	equal := 0
	w.eventually(fmt.Sprintf("%s's alert %+v", s.Name, want), 30*time.Second, func() bool {
		said, equal = nil, 0
		for _, alert := range s.witness.Alerts()[mark:] {
			var got gapAlert
			if json.Unmarshal([]byte(alert.value), &got) != nil || got.Kind != "offset" {
				continue
			}
			said = append(said, got)
			if got == want {
				equal++
			}
		}
		return equal > 0
	})
	if equal == 0 {
		w.T.Errorf("%s has said of offsets only %+v", s.Name, said)
	}
	w.Met(s, "alerts "+want.State, equal)
	if equal > 0 {
		w.Logf("    %s: alert %+v", s.Name, want)
	}
}

// abortedUpstream is a program before ours that writes in transactions of a hundred events: three of them it aborts,
// the fourth it commits. Nobody may answer an event of the former, which were never sent as far as the book knows;
// those of the latter must be answered. While a transaction is open, up to 2 s, nobody can read beyond its beginning.
func abortedUpstream() Fault {
	return Fault{"aborted upstream transactions", func(w *World) {
		const times = 4
		client, err := kgo.NewClient(
			kgo.SeedBrokers(strings.Split(w.Ground.Direct, ",")...), kgo.DefaultProduceTopic(input),
			kgo.TransactionalID(fmt.Sprintf("upstream-%d", w.strike.number)),
		)
		if err != nil {
			w.T.Fatal(err)
		}
		defer client.Close()
		for i := range times {
			commit := i%4 == 3
			if err := client.BeginTransaction(); err != nil {
				w.T.Fatal(err)
			}
			for range 100 {
				w.run.generator.sendBy(client, commit)
			}
			if err := client.Flush(w.T.Context()); err != nil {
				w.T.Fatal(err)
			}
			w.Sleep(w.Between(100*time.Millisecond, 2*time.Second)) // the workers read up to the open transaction
			if err := client.EndTransaction(w.T.Context(), kgo.TransactionEndTry(commit)); err != nil {
				w.T.Fatal(err)
			}
			w.Mended()
			if !commit {
				w.MetAll("events of aborted transactions", 100)
			}
		}
		w.Struck(times)
	}}
}

// sendBy sends the next payment by another client. One that is withheld is not booked as tried, so whoever answers it
// answers something that was never sent.
func (g *generator) sendBy(client *kgo.Client, counts bool) {
	g.mu.Lock()
	payment := g.cards.Next()
	g.mu.Unlock()
	value := payment.AppendJSON(nil)
	e := event{id: digest(payment.AppendID(nil)), value: digest(value), at: time.Now()}
	if counts {
		g.book.try(e)
	}
	client.Produce(context.Background(), &kgo.Record{Key: payment.AppendCard(nil), Value: value}, func(r *kgo.Record, err error) {
		if err == nil && counts {
			g.book.ack(r.Partition, r.Offset, e)
		}
	})
}

// partitionAdded gives the input, and the outputs, one more partition: the outputs first, so that there is somewhere
// to write what is read of it. It must be read within 10 s, here within five times that. The plain loop's library
// looks for new partitions only when it is told to, so that one may read it after the next rebalance and no earlier.
func partitionAdded() Fault {
	return Fault{"partition added", func(w *World) {
		n := w.partitions(input)
		for _, s := range w.Subjects {
			s.witness.mayGoByKey(n + 1)
			w.addPartition(s.Topics.decisions, n+1)
			w.addPartition(s.Topics.letters, n+1)
			w.addPartition(s.Topics.state, n+1)
		}
		w.addPartition(input, n+1)
		began := time.Now()
		w.eventually("partition "+strconv.Itoa(int(n))+" of the input", time.Minute, func() bool { return w.partitions(input) > n })
		w.MetAll("partitions added", 1) // the plain loop meets it, too, and may never read it
		took := map[string]float64{}
		for _, s := range w.services() {
			w.eventually("the new partition's first answer by "+s.Name, 50*time.Second, func() bool {
				_, answered := s.Ledger.answersIn(n, 0, 1<<40)
				return answered > 0
			})
			took[s.Name] = seconds(time.Since(began))
			w.Met(s, "first answers from the new partition", 1)
		}
		w.Note("first_answer_s", took)
	}}
}

// answersIn counts the acknowledged events in a range of offsets, and those of them that have an answer.
func (l *Ledger) answersIn(partition int32, from, to int64) (events, answered int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for o := from; o < min(to, l.book.end(partition)); o++ {
		if !l.book.at(partition, o).known {
			continue
		}
		events++
		if l.at(place{partition, o}).given() {
			answered++
		}
	}
	return events, answered
}

// end is the offset after the last acknowledged event of a partition.
func (b *Book) end(partition int32) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(len(b.events[partition]))
}

// gaps is how many offsets of a partition the workers say they have passed over. It is a sum over all workers that
// ever were.
func (s *Subject) gaps(partition int32) float64 {
	return s.countedWhere(gapsTotal, fmt.Sprintf(`partition="%d"`, partition))
}

// paused is how many partitions the living workers said stand still when they were last asked, for the reason that a
// label gives if one is given, as reason="corrupt_batch".
func (s *Subject) paused(label string) int {
	n := 0
	for _, w := range s.Workers() {
		w.mu.Lock()
		for key, v := range w.figures {
			if strings.HasPrefix(key, "fraudstream_partition_paused{") && strings.Contains(key, label) && v > 0 {
				n++
			}
		}
		w.mu.Unlock()
	}
	return n
}
