package batch

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"fraudstream/scoring"
)

// tableOf is the beginning of a file of card payments.
const tableOf = "amount,country,mcc\n12.5,GB,5411\n"

// wide is text as UTF-16, high byte first or last.
func wide(text string, high int) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		pair := [2]byte{}
		pair[high], pair[1-high] = byte(unit>>8), byte(unit)
		b.Write(pair[:])
	}
	return b.String()
}

// TestWrongFiles gives files that are not what their names say: each is refused as a whole, in words that tell what to do.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	model, dir := demoModel(t), t.TempDir()
	gz := string(packed(t, "x.gz", []byte(tableOf)))
	for _, c := range []struct{ name, text, want string }{
		{"empty.csv", "", "the text is empty"},
		{"semicolons.csv", strings.ReplaceAll(tableOf, ",", ";"), "separated by semicolons"},
		{"tabs.csv", strings.ReplaceAll(tableOf, ",", "\t"), "separated by tabs"},
		{"headless.csv", "12.5,GB,5411\n", "no column is one of the model's"},
		{"other.csv", "a,b\n1,2\n", "no column is one of the model's"},
		{"twice.csv", "amount,amount\n1,2\n", `column "amount" comes twice`},
		{"windows.csv", "\xff\xfe" + wide(tableOf, 1), "UTF-16"},
		{"windows.ndjson", "\xfe\xff" + wide(`{"amount":1}`, 0), "UTF-16"},
		{"unmarked.ndjson", wide(`{"amount":1}`, 1), "UTF-16"},
		{"unmarked.csv", wide(tableOf, 0), "UTF-16"},
		{"packed.csv", gz, "gzip-compressed"},
		{"packed.ndjson", string(packed(t, "x.zst", []byte("{}"))), "whose name ends with .zst"},
		{"xz.csv", "\xfd7zXZ\x00\x00\x04", "decompress it first"},
		{"table.ndjson", "PAR1\x15\x04\x15\x10", "--format parquet"},
		{"text.parquet", tableOf, "--format"},
		{"text.csv.gz", tableOf, "no .gz data at all"},
		{"text.csv.zst", tableOf, "no .zst data at all"},
		{"text.csv.lz4", tableOf, "no .lz4 data at all"},
		{"text.csv.bz2", tableOf, "no .bz2 data at all"},
		{"cut.csv.gz", gz[:len(gz)/2], "ends in the middle"},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		format, _ := FormatOf(path)
		in, err := Open(path, model, Options{Format: format})
		if err == nil {
			err = in.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.name+": ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := Open(dir, model, Options{Format: CSV}); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
	for text, want := range map[string]string{
		"[\n{}\n]\n": "begins with [", " [{}]": "begins with [", "{\n\"a\":1}\n": "over several lines", "{}\n": "", "{": "", "": "",
	} {
		in, err := Open("-", model, Options{Format: NDJSON, Stdin: strings.NewReader(text)})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(in.Warnings, "; "); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%q is warned of by %q, want %q", text, got, want)
		}
	}
}

// TestCutShort reads files that end in the middle of their compression: the rows before that count, and the error names
// file and row.
func TestCutShort(t *testing.T) {
	t.Parallel()
	model, dir := demoModel(t), t.TempDir()
	text := bytes.Join(generated()[:400], nil)
	for _, ext := range []string{".gz", ".zst", ".lz4"} {
		path := filepath.Join(dir, "in.ndjson"+ext)
		whole := packed(t, path, text)
		if err := os.WriteFile(path, whole[:len(whole)-9], 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := Open(path, model, Options{Format: NDJSON})
		row := ": "
		if err == nil { // of the first block, which is all of a short lz4 file, nothing is read
			row = ": row "
			_, err = Each(t.Context(), model, in, func(int64, *scoring.Result) error { return nil })
			if err := in.Close(); err != nil {
				t.Error(err)
			}
		}
		if err == nil || !strings.Contains(err.Error(), "in.ndjson"+ext+row) || !strings.Contains(err.Error(), "ends in the middle") {
			t.Errorf("%s: %v", ext, err)
		}
	}
}

// TestMarks reads what Windows programs write: a byte order mark, CR LF, line feeds within quotes.
func TestMarks(t *testing.T) {
	t.Parallel()
	model := demoModel(t)
	for format, text := range map[Format]string{
		NDJSON: byteOrderMark + "{\"amount\":1}\r\n{\"amount\":2}",
		CSV:    byteOrderMark + "amount,country\r\n1,\"G\r\nB\"\r\n2,GB\r\n",
	} {
		in, err := Open("-", model, Options{Format: format, Stdin: strings.NewReader(text)})
		if err != nil {
			t.Fatal(err)
		}
		tally, err := Each(t.Context(), model, in, func(n int64, r *scoring.Result) error {
			if r.Err.Code != scoring.MissingField || r.X[0] != float64(n) {
				t.Errorf("%s: row %d has the amount %v and ends with %v", format, n, r.X[0], r.Err.Error())
			}
			return nil
		})
		if err != nil || tally.Rows() != 2 {
			t.Errorf("%s: %v %v", format, tally, err)
		}
	}
}

// TestOpenQuote has a quote that takes the rest of a file along: what it takes is said, and it may not be more than fits
// into memory.
func TestOpenQuote(t *testing.T) {
	t.Parallel()
	model := demoModel(t)
	rows, _, err := csvRows(strings.NewReader(tableOf+"13,\"GB,5411\n14,GB,5411\n"), model.Places(scoring.Mapping{}))
	if err != nil {
		t.Fatal(err)
	}
	c := &chunk{limit: 9}
	if err := rows.read(c); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	rows.render(c)
	if len(c.bad) != 2 || c.bad[0] != nil || c.bad[1] == nil || !strings.Contains(c.bad[1].Message, "lines 3 to 4") {
		t.Errorf("the rows are refused by %v", c.bad)
	}
	endless := io.MultiReader(strings.NewReader(tableOf+"13,\""), zeros{})
	if rows, _, err = csvRows(endless, model.Places(scoring.Mapping{})); err != nil {
		t.Fatal(err)
	}
	if err := rows.read(c); err == nil || !strings.Contains(err.Error(), "a quote that is not closed") {
		t.Errorf("an endless row: %v", err)
	}
}

// zeros has no end and no line feed.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '0'
	}
	return len(b), nil
}
