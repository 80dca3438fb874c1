package deadletter

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Progress says which letters of one partition have been replayed: for each code, and for all codes together, ranges
// of offsets in which every letter has been. The zero value says none.
//
// As text it is CODE:FROM-TO,FROM-TO;CODE:…, with * for all codes and TO not included. It is kept as the metadata of
// a committed offset, which a broker allows 4,096 bytes.
type Progress struct{ done map[string][]span }

// span is the offsets from from up to but not including to.
type span struct{ from, to int64 }

const everyCode = "*"

// MaxText is what a broker takes as the metadata of an offset, unless told otherwise.
const MaxText = 4096

// ParseProgress reads the text; an empty one is the zero value.
func ParseProgress(text string) (Progress, error) {
	p := Progress{}
	if text == "" {
		return p, nil
	}
	if len(text) > MaxText {
		return p, errors.New("progress of the replay: too long")
	}
	for part := range strings.SplitSeq(text, ";") {
		code, ranges, ok := strings.Cut(part, ":")
		if !ok || code == "" {
			return Progress{}, fmt.Errorf("progress of the replay: %q is no code with ranges", part)
		}
		for one := range strings.SplitSeq(ranges, ",") {
			from, to, ok := strings.Cut(one, "-")
			a, err1 := strconv.ParseInt(from, 10, 64)
			b, err2 := strconv.ParseInt(to, 10, 64)
			if !ok || err1 != nil || err2 != nil || a < 0 || b < a {
				return Progress{}, fmt.Errorf("progress of the replay: %q is no range", one)
			}
			p.add(code, span{a, b})
		}
	}
	return p, nil
}

// String is the text.
func (p Progress) String() string {
	codes := make([]string, 0, len(p.done))
	for code := range p.done {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	var parts []string
	for _, code := range codes {
		var ranges []string
		for _, s := range p.done[code] {
			ranges = append(ranges, fmt.Sprintf("%d-%d", s.from, s.to))
		}
		parts = append(parts, code+":"+strings.Join(ranges, ","))
	}
	return strings.Join(parts, ";")
}

// Clone is a copy that shares nothing.
func (p Progress) Clone() Progress {
	c := Progress{done: map[string][]span{}}
	for code, spans := range p.done {
		c.done[code] = slices.Clone(spans)
	}
	return c
}

// Has tells whether a letter with the code has been replayed.
func (p Progress) Has(code string, offset int64) bool {
	return covers(p.done[everyCode], offset) || code != everyCode && covers(p.done[code], offset)
}

func covers(spans []span, offset int64) bool {
	for _, s := range spans {
		if s.from <= offset && offset < s.to {
			return true
		}
	}
	return false
}

// Add notes that every letter with one of the codes, or every letter if there is none, is done from one offset up to
// another. What lies before the first offset of the log is forgotten: retention has taken it.
func (p *Progress) Add(codes []string, from, to, logStart int64) {
	if len(codes) == 0 {
		codes = []string{everyCode}
	}
	for _, code := range codes {
		p.add(code, span{from, to})
	}
	p.trim(max(logStart, 0))
}

// add inserts a range and joins those that touch.
func (p *Progress) add(code string, s span) {
	if s.from >= s.to {
		return
	}
	if p.done == nil {
		p.done = map[string][]span{}
	}
	all := append(p.done[code], s)
	slices.SortFunc(all, func(a, b span) int { return int(min(max(a.from-b.from, -1), 1)) })
	joined := all[:1]
	for _, next := range all[1:] {
		last := &joined[len(joined)-1]
		if next.from <= last.to {
			last.to = max(last.to, next.to)
			continue
		}
		joined = append(joined, next)
	}
	p.done[code] = joined
}

// trim forgets what is before an offset, and what a range of all codes says already.
func (p *Progress) trim(logStart int64) {
	for code, spans := range p.done {
		p.done[code] = slices.DeleteFunc(spans, func(s span) bool {
			return s.to <= logStart || code != everyCode && p.inEvery(s)
		})
		if len(p.done[code]) == 0 {
			delete(p.done, code)
		}
	}
}

func (p *Progress) inEvery(s span) bool {
	return slices.ContainsFunc(p.done[everyCode], func(every span) bool { return every.from <= s.from && s.to <= every.to })
}

// End is the offset before which no letter is left to replay, from the given start of the log on. It is what is
// committed beside the text, so that the lag of the replay's group counts what may be left.
func (p Progress) End(logStart int64) int64 {
	for _, s := range p.done[everyCode] {
		if s.from <= logStart && logStart < s.to {
			return s.to
		}
	}
	return logStart
}
