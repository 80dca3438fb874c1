package batch

import (
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"fraudstream/scoring"
)

// tableRows reads a table as the rows of JSON that the corridor would get. Every column is wanted.
func tableRows(path string, inputs []scoring.Place) (rows []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	table, err := openTableFile(f, info.Size())
	if err != nil {
		return nil, err
	}
	if inputs == nil {
		for _, c := range table.Root().Columns() {
			inputs = append(inputs, scoring.Place{Column: c.Name(), Keys: strings.Split(c.Name(), ".")})
		}
	}
	reader, err := newTableReader(table, f, info.Size(), inputs)
	if err != nil {
		return nil, err
	}
	defer reader.close()
	read := guarded(reader.read)
	c := &chunk{limit: rowsPerChunk}
	for {
		err := read(c)
		c.text, c.ends, c.bad = c.text[:0], c.ends[:0], c.bad[:0]
		if reader.render(c); c.err != nil {
			return rows, c.err
		}
		begin := 0
		for _, end := range c.ends {
			rows = append(rows, string(c.text[begin:end]))
			begin = end
		}
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
	}
}

// inputsOf wants every column of the table, one of them as a time in seconds.
func inputsOf(t *testing.T, line string) (inputs []scoring.Place) {
	t.Helper()
	for name := range strings.FieldsSeq(line) {
		in := scoring.Place{Column: name, Keys: strings.Split(name, ".")}
		if name == "ms" {
			in.Time = "epoch_s"
		}
		inputs = append(inputs, in)
	}
	return inputs
}

// everyColumn are the columns of testdata/columns.parquet, one for each type that is read.
const everyColumn = "i8 u8 u32 i64 u64 f32 f64 flag text large category price wide day clock ms us ns card list cards nested map de.4"

// TestColumns reads what pyarrow wrote of every type; what the rows mean is written by hand.
func TestColumns(t *testing.T) {
	want, err := os.ReadFile("testdata/columns.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	got, err := tableRows("testdata/columns.parquet", inputsOf(t, everyColumn))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(want)), "\n") {
		if i >= len(got) || got[i] != line {
			t.Errorf("row %d is\n%s, want\n%s", i+1, got[i], line)
		}
	}
}

// TestDateAsTime reads a column of dates where the mapping wants a time: a day is its first moment, in the form that the
// mapping has. A time of day is no moment at all, and the file is refused for it instead of each of its rows.
func TestDateAsTime(t *testing.T) {
	for want, in := range map[string]scoring.Place{
		`{"day":"2026-11-22"}`:           {},
		`{"day":"2026-11-22T00:00:00Z"}`: {Time: "rfc3339"},
		`{"day":1795305600}`:             {Time: "epoch_s"},
		`{"day":1795305600000}`:          {Time: "epoch_ms"},
		`{"day":1795305600000000}`:       {Time: "epoch_us"},
		`{"day":"22.11.2026"}`:           {Time: "layout", Layout: "02.01.2006"},
	} {
		in.Column, in.Keys = "day", []string{"day"}
		rows, err := tableRows("testdata/columns.parquet", []scoring.Place{in})
		if err != nil || rows[0] != want {
			t.Errorf("as %q: %q, %v, want %s", in.Time, rows, err, want)
		}
	}
	clock := scoring.Place{Column: "clock", Keys: []string{"clock"}, Time: "rfc3339"}
	if rows, err := tableRows("testdata/columns.parquet", []scoring.Place{clock}); err == nil || !strings.Contains(err.Error(), "column clock: ") {
		t.Errorf("%q, %v", rows, err)
	}
}

// TestLegacyColumns reads what old writers wrote: time stamps of 96 bits, version 1.0 types, version 2 pages.
func TestLegacyColumns(t *testing.T) {
	got, err := tableRows("testdata/legacy.parquet", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"us":"2026-11-22T10:15:00.25Z","i64":-9223372036854775808,"text":"a\"b\\\u000aé"}`
	if len(got) != 3 || got[0] != want {
		t.Errorf("rows are %q, the first should be %s", got, want)
	}
}

// TestUnreadColumns leaves a column alone that nothing names, and tells of one that is not there.
func TestUnreadColumns(t *testing.T) {
	got, err := tableRows("testdata/columns.parquet", inputsOf(t, "card.country i8"))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"card":{"country":"GB","digits":4},"i8":-128}`; got[0] != want {
		t.Errorf("the row is %s, want %s", got[0], want)
	}
	f, err := os.Open("testdata/columns.parquet")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	table, err := openTableFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	reader, err := newTableReader(table, f, info.Size(), inputsOf(t, "i8 amount customer.age"))
	if err != nil {
		t.Fatal(err)
	}
	if len(reader.absent) != 2 || reader.absent[0] != "amount" || reader.absent[1] != "customer.age" {
		t.Errorf("absent are %q", reader.absent)
	}
}

// FuzzTable changes bytes of real files: whatever a file holds, reading ends, in rows or in an error, and takes no more
// memory than a file of its kind may.
func FuzzTable(f *testing.F) {
	for _, name := range []string{"columns", "legacy"} {
		data, err := os.ReadFile(filepath.Join("testdata", name+".parquet"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "fuzz.parquet")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = tableRows(path, nil) // an error is as good an end as any
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 256<<20 {
			t.Errorf("reading %d bytes took %d MiB", len(data), grown>>20)
		}
	})
}

// TestDecimalsAreNumbers writes decimals of every kind of scale. What comes out is JSON: a number has one zero before its
// point, and 0 has no others.
func TestDecimalsAreNumbers(t *testing.T) {
	for _, c := range []struct {
		unscaled int64
		scale    int
		want     string
	}{
		{1230, 2, "12.30"}, {-12, 3, "-0.012"}, {0, 2, "0.00"}, {12, 0, "12"}, {0, 0, "0"}, {-12, -2, "-1200"}, {0, -2, "0"},
	} {
		if got := string(appendScaled(nil, big.NewInt(c.unscaled), c.scale)); got != c.want {
			t.Errorf("%d of scale %d is %s, want %s", c.unscaled, c.scale, got, c.want)
		}
	}
}
