package consumer

import (
	"context"
	"errors"
	"io"
	"log/slog"
)

// Level is how bad a finding is.
type Level uint8

// The levels of a finding: as it should be, running but not as one would want it, and not running.
const (
	OK Level = iota
	Warn
	Fail
)

// String is the level's name.
func (l Level) String() string { return [...]string{"ok", "warn", "fail"}[l] }

// MarshalText is for JSON.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Finding is one line of what was found out about the cluster, and what to do about it.
type Finding struct {
	Level   Level  `json:"level"`
	Subject string `json:"subject"` // "brokers", "topic decisions", "group fraudstream"
	Detail  string `json:"detail"`
	Advice  string `json:"advice,omitempty"`
	Passing bool   `json:"passing,omitempty"` // a failure that may end by itself, such as a broker that is away
}

// findings collects the lines.
type findings []Finding

// ok, warn and fail add a line of their level. What is as it should be needs no advice.
func (f *findings) ok(subject, detail string) {
	*f = append(*f, Finding{Subject: subject, Detail: detail})
}

func (f *findings) warn(subject, detail, advice string) {
	*f = append(*f, Finding{Level: Warn, Subject: subject, Detail: detail, Advice: advice})
}

func (f *findings) fail(subject, detail, advice string) {
	*f = append(*f, Finding{Level: Fail, Subject: subject, Detail: detail, Advice: advice})
}

// failed turns an error into a line: what a restart cannot mend, or what may pass.
func (f *findings) failed(c *Consumer, subject, doing string, err error) {
	if setup, ok := errors.AsType[*SetupError](err); ok {
		f.fail(setup.Resource, setup.Detail, setup.Advice)
		return
	}
	if setup, ok := errors.AsType[*SetupError](c.setupError(err)); ok {
		f.fail(setup.Resource, setup.Detail, setup.Advice)
		return
	}
	advice := "see whether the brokers run and can be reached from here, then try again"
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		advice = "the broker hangs up: this port may want TLS (kafka.tls), a login (kafka.sasl), or neither"
	}
	*f = append(*f, Finding{Level: Fail, Subject: subject, Detail: doing + ": " + err.Error(), Advice: advice, Passing: true})
}

// say logs what was found, a line each. The first failure that no waiting mends is returned; one that may pass is in
// the log alone, and the stream waits for its end.
func (c *Consumer) say(ctx context.Context, all []Finding) error {
	for _, f := range all {
		level := slog.LevelInfo
		if f.Level != OK {
			level = slog.LevelWarn
		}
		attributes := []slog.Attr{slog.String("result", f.Level.String()), slog.String("subject", f.Subject), slog.String("detail", f.Detail)}
		if f.Advice != "" {
			attributes = append(attributes, slog.String("advice", f.Advice))
		}
		c.o.Log.LogAttrs(ctx, level, "preflight", attributes...)
	}
	for _, f := range all {
		if f.Level == Fail && !f.Passing {
			return &SetupError{Resource: f.Subject, Detail: f.Detail, Advice: f.Advice}
		}
	}
	return nil
}
