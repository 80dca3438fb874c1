package batch

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"fraudstream/cmd/fraudstream/demo/cards"
)

// benchRows are enough that opening the files and starting the workers does not count.
const benchRows = 100_000

// BenchmarkScore scores payments of the demo from every format into the same one: rows a second with as many workers as
// -cpu says, file to file.
func BenchmarkScore(b *testing.B) {
	model, err := ordinary()
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	for _, name := range []string{"ndjson", "ndjson.gz", "ndjson.zst", "csv", "parquet"} {
		b.Run(name, func(b *testing.B) {
			in, out := filepath.Join(dir, "in."+name), filepath.Join(dir, "out."+name)
			writePayments(b, in)
			format, _ := FormatOf(in)
			for b.Loop() {
				source, err := Open(in, model, Options{Format: format})
				if err != nil {
					b.Fatal(err)
				}
				target, err := Create(model, Target{Path: out, Format: format})
				if err != nil {
					b.Fatal(err)
				}
				tally, err := Score(context.Background(), model, source, target)
				if err != nil || tally.Decided != benchRows {
					b.Fatal(tally, err)
				}
				if err := source.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(benchRows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// payment is a row of the table of payments.
type payment struct {
	ID       string  `parquet:"transaction_id"`
	Time     string  `parquet:"event_time"`
	Amount   float64 `parquet:"amount"`
	Country  string  `parquet:"country,dict"`
	Channel  string  `parquet:"channel,dict"`
	MCC      string  `parquet:"mcc,dict"`
	CardType string  `parquet:"card_type,dict"`
	Age      float64 `parquet:"customer_age"`
	Distance float64 `parquet:"distance_km"`
	Border   bool    `parquet:"cross_border"`
	Count    int64   `parquet:"tx_count_24h"`
	Ratio    float64 `parquet:"amount_to_mean_7d"`
	Minutes  float64 `parquet:"minutes_since_last"`
	Risk     float64 `parquet:"terminal_risk"`
}

// writePayments writes a file of generated payments in the format and compression of its name.
func writePayments(b *testing.B, path string) {
	b.Helper()
	generator := cards.New(1)
	format, _ := FormatOf(path)
	if format == Parquet {
		rows := make([]payment, benchRows)
		for i := range rows {
			p := generator.Next()
			rows[i] = payment{
				string(p.AppendID(nil)), time.UnixMilli(p.Time).UTC().Format(time.RFC3339Nano), p.Amount, p.Country, p.Channel,
				p.MCC, p.CardType, p.CustomerAge, p.DistanceKm, p.CrossBorder, int64(p.TxCount24h), p.AmountToMean7d,
				p.MinutesSinceLast, p.TerminalRisk,
			}
		}
		if err := parquet.WriteFile(path, rows, parquet.Compression(&parquet.Snappy)); err != nil {
			b.Fatal(err)
		}
		return
	}
	var text bytes.Buffer
	if format == CSV {
		if err := cards.WriteTraining(&text, 1, benchRows); err != nil {
			b.Fatal(err)
		}
	} else {
		for range benchRows {
			p := generator.Next()
			text.Write(append(p.AppendJSON(nil), '\n'))
		}
	}
	if err := os.WriteFile(path, packed(b, path, text.Bytes()), 0o600); err != nil {
		b.Fatal(err)
	}
}
