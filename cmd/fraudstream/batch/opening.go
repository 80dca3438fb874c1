package batch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// signatures are how files begin that are no text, by what they are. What has an extension is read under it; the
// others are named all the same, so that the message can say what the file is.
var signatures = []struct{ begins, name, ext string }{
	{"\x1f\x8b", "gzip", ".gz"},
	{"\x28\xb5\x2f\xfd", "zstd", ".zst"},
	{"\x04\x22\x4d\x18", "lz4", ".lz4"},
	{"BZh91AY", "bzip2", ".bz2"}, // the digit is the block size, which nobody sets
	{"\xfd7zXZ\x00", "xz", ""},
	{"PK\x03\x04", "zip", ""},
}

// byteOrderMark is U+FEFF in UTF-8. To JSON and to the name of a first column it would be a character like any other.
const byteOrderMark = "\xef\xbb\xbf"

// opening looks at how a text begins before a row is made of it. The byte order mark that Windows programs put in
// front of UTF-8 is taken off. What is no UTF-8 text at all is refused as a whole, with what to do: row by row it
// would be a million errors, none of which names the cause. The reader that is returned begins at the first character
// of the text. An empty text is none of all this, and passes.
func opening(r io.Reader) (*bufio.Reader, error) {
	text := bufio.NewReaderSize(r, 1<<16)
	begin, err := text.Peek(8)
	if err != nil && !errors.Is(err, io.EOF) { // a short text is one
		return nil, err
	}
	for _, s := range signatures {
		switch {
		case !bytes.HasPrefix(begin, []byte(s.begins)):
		case s.ext == "":
			return nil, fmt.Errorf("it is %s-compressed, which is not read: decompress it first", s.name)
		default:
			return nil, fmt.Errorf("it is %s-compressed: decompress it first, or give it as a file whose name ends with %s", s.name, s.ext)
		}
	}
	switch {
	case bytes.HasPrefix(begin, []byte("PAR1")):
		return nil, errors.New("it is a Parquet file: say --format parquet")
	case isUTF16(begin):
		return nil, errors.New("its text is UTF-16, not UTF-8: convert it, such as with iconv -f UTF-16 -t UTF-8")
	case bytes.HasPrefix(begin, []byte(byteOrderMark)):
		_, err := text.Discard(len(byteOrderMark))
		return text, err
	}
	return text, nil
}

// isUTF16 tells UTF-16 by its byte order mark, or by every second byte of four being zero, as with Latin letters,
// digits and brackets; no JSON and no header of a table holds a zero byte.
func isUTF16(begin []byte) bool {
	if bytes.HasPrefix(begin, []byte("\xff\xfe")) || bytes.HasPrefix(begin, []byte("\xfe\xff")) {
		return true
	}
	if len(begin) < 4 {
		return false
	}
	little, big := begin[1] == 0 && begin[3] == 0, begin[0] == 0 && begin[2] == 0
	return little && begin[0] != 0 && begin[2] != 0 || big && begin[1] != 0 && begin[3] != 0
}

// severalLines says what is odd about a file of which the first line is no event of its own; "" where nothing is. Its
// rows are refused one by one all the same: a line is a row, whatever stands in it. It looks at what is in the
// buffer, 64 KiB at most, and takes nothing out of it.
func severalLines(text *bufio.Reader) string {
	if _, err := text.Peek(1); err != nil {
		return "" // for the reading to say
	}
	begin, _ := text.Peek(text.Buffered()) // all of it is there
	line, _, whole := bytes.Cut(begin, []byte("\n"))
	line = bytes.TrimSpace(line)
	switch {
	case bytes.HasPrefix(line, []byte("[")):
		return "it begins with [, and NDJSON has one event a line: jq -c '.[]' makes lines of an array"
	case whole && string(line) == "{":
		return "its first event goes over several lines, and NDJSON has one event a line: jq -c . writes it so"
	}
	return ""
}
