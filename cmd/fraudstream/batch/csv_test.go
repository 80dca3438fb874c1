package batch

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"fraudstream/scoring"
)

// TestCells writes cells as JSON, from columns of text and of anything else: null, numbers as they stand, numbers that only
// people write, and what is no number to a feature and must not become one.
func TestCells(t *testing.T) {
	for _, c := range []struct {
		cell string
		text bool
		want string
	}{
		{"", true, "null"},
		{"", false, "null"},
		{"007", true, `"007"`},
		{"007", false, "7"},
		{"true", true, `"true"`},
		{"True", false, "true"},
		{"false", false, "false"},
		{"-1.50e3", false, "-1.50e3"},
		{"12345678901234567890.125", false, "12345678901234567890.125"},
		{".5", false, "0.5"},
		{"+1", false, "1"},
		{"1e999", false, "1e999"}, // the corridor says that it is not finite
		{"NaN", false, `"NaN"`},
		{"inf", false, `"inf"`},
		{"NA", false, `"NA"`},
		{"null", false, `"null"`},
		{"a\"b\\c\n\xff", true, "\"a\\\"b\\\\c\\u000a\xff\""},
	} {
		if got := string(appendCell(nil, c.cell, c.text)); got != c.want {
			t.Errorf("cell %q (text %v) is %s, want %s", c.cell, c.text, got, c.want)
		}
	}
}

// TestFlattenNamesColumns makes one name of every path, whatever stands in it; one that is quoted already is one already,
// and a path that is not given stays the default.
func TestFlattenNamesColumns(t *testing.T) {
	m := Flatten(scoring.Mapping{
		ID:     scoring.Field{Path: "a.b"},
		Where:  &scoring.Where{Path: "mti"},
		Fields: map[string]scoring.Field{"x": {Path: `"DE.4"`}, "y": {Path: "c[1]"}},
	})
	if m.ID.Path != `"a.b"` || m.Time.Path != "" || m.Where.Path != `"mti"` || m.Fields["x"].Path != `"DE.4"` || m.Fields["y"].Path != `"c[1]"` {
		t.Errorf("flattened to %+v", m)
	}
}

// TestNDJSONRows parts lines: either ending, an empty line, a last one without an end, and one that is too large to be
// kept, of which enough is kept to be refused.
func TestNDJSONRows(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	next := Lines(strings.NewReader("{}\r\n\n" + long + "\nlast"))
	var rows []string
	for {
		row, err := next(nil)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, string(row))
	}
	if len(rows) != 4 || rows[0] != "{}" || rows[1] != "" || rows[3] != "last" {
		t.Fatalf("%d rows: %.80q", len(rows), rows)
	}
	if len(rows[2]) != maxRow {
		t.Errorf("a row of %d bytes was kept to %d, %d are enough to see that it is too large", len(long), len(rows[2]), maxRow)
	}
}

// TestProgress draws a bar where somebody looks and the size is known, and nothing where not.
func TestProgress(t *testing.T) {
	if p := newProgress(nil, 100); p.bar != nil {
		t.Error("there is a bar where nobody looks")
	}
	if p := newProgress(io.Discard, -1); p.bar != nil {
		t.Error("there is a bar over nobody knows how much")
	}
	var screen bytes.Buffer
	p := newProgress(&screen, 100)
	if _, err := p.Write(make([]byte, 50)); err != nil {
		t.Fatal(err)
	}
	p.rows(10)
	time.Sleep(150 * time.Millisecond) // the bar is drawn ten times a second
	if _, err := p.Write(make([]byte, 25)); err != nil {
		t.Fatal(err)
	}
	p.finish()
	for _, want := range []string{"10 rows", "rows/s", "75%"} {
		if !strings.Contains(screen.String(), want) {
			t.Errorf("%q is not in what is drawn: %q", want, screen.String())
		}
	}
}
