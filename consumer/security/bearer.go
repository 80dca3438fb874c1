package security

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/sasl"
)

// Token is where the bearer token of OAUTHBEARER comes from: a file that something else keeps fresh, read at every
// login, or a command that prints one. The command is run as it stands, without a shell; what it prints is used until
// a minute before the token's own end if it is a JWT that has one, else for one login.
type Token struct {
	File    string   `yaml:"file"`
	Command []string `yaml:"command"`
}

func (t Token) given() bool { return t.File != "" || len(t.Command) > 0 }

const (
	commandTimeout = 10 * time.Second
	renewBefore    = time.Minute
	maxToken       = 64 << 10 // bytes; no broker takes a larger one
)

// bearer is the SASL mechanism OAUTHBEARER (RFC 7628), which the Kafka library lacks.
type bearer struct {
	token      Token
	extensions string // encoded

	mu    sync.Mutex // one run of the command serves all connections that wait for it
	cache string
	until time.Time
}

func newBearer(t Token, extensions map[string]string) (*bearer, error) {
	if (t.File != "") == (len(t.Command) > 0) {
		return nil, errors.New("sasl: OAUTHBEARER needs sasl.token.file or sasl.token.command, one of them")
	}
	var encoded strings.Builder
	for _, key := range slices.Sorted(maps.Keys(extensions)) {
		value := extensions[key]
		if key == "" || key == "auth" || strings.ContainsAny(key+value, "\x00\x01") || strings.Contains(key, "=") {
			return nil, fmt.Errorf("sasl.extensions: %q is no extension", key)
		}
		encoded.WriteString("\x01" + key + "=" + value)
	}
	return &bearer{token: t, extensions: encoded.String()}, nil
}

// Name is the mechanism's name in Kafka.
func (b *bearer) Name() string { return "OAUTHBEARER" }

// Start sends the token: a GS2 header without an identity of its own, then pairs that end with the byte 1.
func (b *bearer) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	token, err := b.current(ctx)
	if err != nil {
		return nil, nil, err
	}
	return exchange{}, []byte("n,,\x01auth=Bearer " + token + b.extensions + "\x01\x01"), nil
}

// exchange is one login. A broker that takes the token answers with nothing. One that does not says why, and wants
// the byte 1 before it says that the login has failed.
type exchange struct{}

func (exchange) Next(_ context.Context, challenge []byte) (done bool, response []byte, err error) {
	if len(challenge) == 0 {
		return true, nil, nil
	}
	return false, []byte{1}, nil
}

// current is the token to log in with now.
func (b *bearer) current(ctx context.Context) (string, error) {
	if b.token.File != "" {
		text, err := readToken(b.token.File)
		if err != nil {
			return "", fmt.Errorf("sasl.token.file: %w", err)
		}
		return checked(text, "sasl.token.file "+b.token.File)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().Before(b.until) {
		return b.cache, nil
	}
	text, err := b.run(ctx)
	if err != nil {
		return "", err
	}
	token, err := checked(text, "sasl.token.command "+b.token.Command[0])
	if err != nil {
		return "", err
	}
	b.cache, b.until = token, expiry(token).Add(-renewBefore)
	return token, nil
}

func readToken(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxToken+1))
}

// run runs the command. What it says on standard error is not shown: it may hold the token.
func (b *bearer) run(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, b.token.Command[0], b.token.Command[1:]...)
	command.WaitDelay = time.Second // a child of the command may hold its output open
	text, err := command.Output()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("sasl.token.command %s did not end in time", b.token.Command[0])
	case err != nil:
		return nil, fmt.Errorf("sasl.token.command %s: %w", b.token.Command[0], err)
	}
	return text, nil
}

// checked refuses what cannot be a token: it would break out of its place in the message.
func checked(text []byte, from string) (string, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || len(text) > maxToken {
		return "", fmt.Errorf("%s gives %d bytes, which is no token", from, len(text))
	}
	for _, c := range text {
		if c <= ' ' || c >= 0x7f {
			return "", fmt.Errorf("%s gives no token: it holds spaces or control characters", from)
		}
	}
	return string(text), nil
}

// expiry reads the claim exp of a JWT, in Unix seconds; the zero time where there is none.
func expiry(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) < 2 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expires <= 0 || claims.Expires > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Expires), 0)
}
