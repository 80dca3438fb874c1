package cards

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSameSeedSameBytes also pins the stream: a change of the generator means a new model.
func TestSameSeedSameBytes(t *testing.T) {
	digest := func(seed int64) string {
		g, h := New(seed), sha256.New()
		var buf []byte
		for range 5000 {
			tx := g.Next()
			buf = tx.AppendJSON(buf[:0])
			h.Write(buf)
		}
		return fmt.Sprintf("%x", h.Sum(nil)[:8])
	}
	first := digest(1)
	if again := digest(1); again != first {
		t.Errorf("seed 1 gave %s and then %s", first, again)
	}
	if digest(2) == first {
		t.Error("seeds 1 and 2 give the same payments")
	}
	if want := "860efc648e7368c8"; first != want {
		t.Errorf("seed 1 gives %s, the embedded model was trained on the generator of %s: train it again", first, want)
	}
}

// TestEvents checks every event as a receiver sees it.
func TestEvents(t *testing.T) {
	g := New(3)
	last := int64(0)
	for n := uint64(1); n <= 20_000; n++ {
		tx := g.Next()
		var event struct {
			TransactionID string   `json:"transaction_id"`
			EventTime     string   `json:"event_time"`
			Amount        *float64 `json:"amount"`
			CustomerAge   *float64 `json:"customer_age"`
			DistanceKm    *float64 `json:"distance_km"`
			CrossBorder   *bool    `json:"cross_border"`
			Hour          *int     `json:"hour"`
			MCC           string   `json:"mcc"`
		}
		text := tx.AppendJSON(nil)
		if err := json.Unmarshal(text, &event); err != nil {
			t.Fatalf("event %d: %v\n%s", n, err, text)
		}
		if want := fmt.Sprintf("t-%08d", n); event.TransactionID != want {
			t.Fatalf("id %s, want %s", event.TransactionID, want)
		}
		at, err := time.Parse(time.RFC3339, event.EventTime)
		if err != nil || at.UnixMilli() != tx.Time || tx.Time <= last || at.Before(Start) {
			t.Fatalf("time %s of event %d (%v)", event.EventTime, n, err)
		}
		last = tx.Time
		if event.Amount == nil || *event.Amount != tx.Amount || tx.Amount < .5 {
			t.Fatalf("amount of %s", text)
		}
		if (event.CustomerAge == nil) != math.IsNaN(tx.CustomerAge) || (event.DistanceKm == nil) != math.IsNaN(tx.DistanceKm) {
			t.Fatalf("missing values of %s", text)
		}
		if tx.Channel == "ecommerce" && event.DistanceKm != nil {
			t.Fatalf("a distance to a web shop: %s", text)
		}
		if event.Hour == nil || *event.Hour < 0 || *event.Hour > 23 || event.CrossBorder == nil || len(event.MCC) != 4 {
			t.Fatalf("hour, cross_border or mcc of %s", text)
		}
		if bytes.Contains(text, []byte("fraud")) {
			t.Fatalf("the truth is part of the event: %s", text)
		}
	}
}

// TestShares checks that the bank looks like one: little fraud of every pattern, and values missing as they should.
func TestShares(t *testing.T) {
	const n = 60_000
	g := New(4)
	var patterns [CardTesting + 1]int
	var noAge, noDistance, abroad float64
	channels := map[string]float64{}
	for range n {
		tx := g.Next()
		patterns[tx.Pattern]++
		channels[tx.Channel] += 1. / n
		if math.IsNaN(tx.CustomerAge) {
			noAge += 1. / n
		}
		if math.IsNaN(tx.DistanceKm) {
			noDistance += 1. / n
		}
		if tx.CrossBorder {
			abroad += 1. / n
		}
	}
	within := func(name string, got, low, high float64) {
		if got < low || got > high {
			t.Errorf("%s: %.4f, want %v to %v", name, got, low, high)
		}
	}
	within("fraud", 1-float64(patterns[Honest])/n, .008, .02)
	for p := StolenCard; p <= CardTesting; p++ {
		within(fmt.Sprintf("pattern %d", p), float64(patterns[p])/n, .0002, .01)
	}
	within("age missing", noAge, .03, .1)
	within("distance missing", noDistance, .2, .4)
	within("cross border", abroad, .15, .4)
	within("ecommerce", channels["ecommerce"], .2, .4)
	within("atm", channels["atm"], .03, .08)
}

// TestVelocities recomputes, from the events alone, what the systems upstream are said to have known.
func TestVelocities(t *testing.T) {
	g := New(5)
	byCard := map[int][]Transaction{}
	for range 70_000 {
		tx := g.Next()
		earlier := byCard[tx.Card]
		byCard[tx.Card] = append(earlier, tx)
		if tx.Time < Start.UnixMilli()+7*day { // the past before the first event is not seen here
			continue
		}
		day24, sum, in7 := 0, 0.0, 0
		for i := len(earlier) - 1; i >= 0 && earlier[i].Time >= tx.Time-7*day; i-- {
			if earlier[i].Time > tx.Time-day {
				day24++
			}
			in7++
			sum += earlier[i].Amount
		}
		if day24 != tx.TxCount24h {
			t.Fatalf("%d payments in 24 hours, the event says %d", day24, tx.TxCount24h)
		}
		if in7 == 0 {
			if !math.IsNaN(tx.AmountToMean7d) || !math.IsNaN(tx.MinutesSinceLast) {
				t.Fatal("a card without a past has one")
			}
			continue
		}
		if want := tx.Amount / (sum / float64(in7)); math.Abs(want-tx.AmountToMean7d) > 1e-3 {
			t.Fatalf("amount over mean is %v, the event says %v", want, tx.AmountToMean7d)
		}
		if want := float64(tx.Time-earlier[len(earlier)-1].Time) / 60_000; math.Abs(want-tx.MinutesSinceLast) > .06 {
			t.Fatalf("%v minutes since the last payment, the event says %v", want, tx.MinutesSinceLast)
		}
	}
}

// TestWriteTraining checks that the training data are the events: same payments, same values, and the label.
func TestWriteTraining(t *testing.T) {
	var out bytes.Buffer
	if err := WriteTraining(&out, 6, 3000); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3001 || strings.Join(rows[0], ",") != Header {
		t.Fatalf("%d rows, header %v", len(rows), rows[0])
	}
	g := New(6)
	for i, row := range rows[1:] {
		tx := g.Next()
		var event map[string]any
		if err := json.Unmarshal(tx.AppendJSON(nil), &event); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: "1", false: "0"}[tx.Fraud()]; row[0] != want {
			t.Fatalf("row %d: label %s, want %s", i, row[0], want)
		}
		for c, name := range rows[0][1:] {
			if got, want := row[c+1], event[name]; !sameCell(got, want) {
				t.Fatalf("row %d: %s is %q, the event has %v", i, name, got, want)
			}
		}
	}
}

func sameCell(cell string, value any) bool {
	switch v := value.(type) {
	case nil:
		return cell == ""
	case float64:
		x, err := strconv.ParseFloat(cell, 64)
		return err == nil && x == v
	case bool:
		return cell == strconv.FormatBool(v)
	}
	return cell == value
}

func BenchmarkNext(b *testing.B) {
	g := New(1)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		tx := g.Next()
		buf = tx.AppendJSON(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}
