package privacy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
)

// handler masks what passes on its way to another one.
type handler struct{ next slog.Handler }

// Handler returns a handler that masks messages and attributes, keys too, and passes them on.
func (m *Masker) Handler(next slog.Handler) slog.Handler { return handler{next} }

// Enabled is what the next one says.
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle masks a record. Time and source are the program's own.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	masked := slog.NewRecord(r.Time, r.Level, maskCards(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		masked.AddAttrs(maskAttr(a))
		return true
	})
	return h.next.Handle(ctx, masked)
}

// WithAttrs masks what will stand in every line.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.next.WithAttrs(maskAttrs(attrs))}
}

// WithGroup passes the name on.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.next.WithGroup(maskCards(name))}
}

func maskAttrs(attrs []slog.Attr) []slog.Attr {
	masked := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		masked[i] = maskAttr(a)
	}
	return masked
}

func maskAttr(a slog.Attr) slog.Attr {
	return slog.Attr{Key: maskCards(a.Key), Value: maskValue(a.Value)}
}

// maskValue keeps the kind of what holds no card number; what does becomes text.
func maskValue(v slog.Value) slog.Value {
	switch v = v.Resolve(); v.Kind() {
	case slog.KindGroup:
		return slog.GroupValue(maskAttrs(v.Group())...)
	case slog.KindString, slog.KindInt64, slog.KindUint64:
		return maskAs(v, v.String())
	case slog.KindFloat64:
		// A figure such as 0.4111111111111111 is none; a card number that became a float64 on the way is whole.
		if f := v.Float64(); f == math.Trunc(f) {
			return maskAs(v, strconv.FormatFloat(f, 'f', -1, 64))
		}
		return v
	case slog.KindAny:
		return maskAny(v)
	default: // booleans, durations and times
		return v
	}
}

// maskAs returns the value itself, or its text with the card numbers cut short.
func maskAs(v slog.Value, text string) slog.Value {
	if masked := maskCards(text); masked != text {
		return slog.StringValue(masked)
	}
	return v
}

// maskAny looks at both forms in which handlers write what they do not know: an error or a Stringer as its text, and
// anything as JSON.
func maskAny(v slog.Value) slog.Value {
	if text, ok := v.Any().([]byte); ok {
		return maskAs(v, string(text))
	}
	text := fmt.Sprintf("%+v", v.Any())
	if masked := maskCards(text); masked != text {
		return slog.StringValue(masked)
	}
	if _, isError := v.Any().(error); isError {
		return v
	}
	if text, err := json.Marshal(v.Any()); err == nil {
		return maskAs(v, string(text))
	}
	return v
}

// A Writer masks the text that is written to it. A number is seen where it is within one write, as every line that fmt
// prints and every log line is.
type Writer struct{ to io.Writer }

// Writer returns a writer that masks on the way to another.
func (m *Masker) Writer(to io.Writer) *Writer { return &Writer{to} }

// Unwrap is where the text goes: who must know whether that is a terminal asks there.
func (w *Writer) Unwrap() io.Writer { return w.to }

// Write reports the length of what it was given, though a masked text may have another.
func (w *Writer) Write(text []byte) (int, error) {
	if !manyDigits(string(text)) {
		return w.to.Write(text)
	}
	if _, err := w.to.Write([]byte(maskCards(string(text)))); err != nil {
		return 0, err
	}
	return len(text), nil
}
