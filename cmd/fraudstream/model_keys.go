package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"aead.dev/minisign"
	"golang.org/x/term"

	"fraudstream/scoring"
)

// trustOf reads the keys that a configuration trusts. They are read at the start and not at the first model, and one
// that cannot be read is an error: to trust fewer people than was asked for would refuse models for no visible cause.
// The keys themselves are public and may stand in the configuration as they are.
func trustOf(c ModelConfig) (scoring.Trust, error) {
	trust := scoring.Trust{Required: c.RequireSignature}
	for i, text := range c.TrustedKeys {
		key, err := publicKey(text)
		if err != nil {
			return trust, fmt.Errorf("model.trusted_keys[%d]: %w", i, err)
		}
		trust.Keys = append(trust.Keys, key)
	}
	return trust, nil
}

// publicKey takes a minisign public key, or the path of a file that holds one. What is neither is repeated in the
// error, but where it is longer than any public key: it may be a secret one. The key is tried first, so that a file
// which happens to be called like one changes nothing.
func publicKey(text string) (key minisign.PublicKey, err error) {
	if key.UnmarshalText([]byte(strings.TrimSpace(text))) == nil {
		return key, nil
	}
	data, err := os.ReadFile(text)
	if err != nil && len(text) > 60 {
		return key, fmt.Errorf("what stands there, of %d characters, is no minisign public key, and no file with one", len(text))
	}
	if err != nil {
		return key, fmt.Errorf("%q is no minisign public key, and no file with one: %w", text, err)
	}
	if key.UnmarshalText(data) != nil {
		return key, fmt.Errorf("%s holds no minisign public key", text)
	}
	return key, nil
}

// passwordVariable is the environment variable of the password of a secret key. A flag would show it to everyone
// who may list the processes of the machine.
const passwordVariable = "FRAUDSTREAM_KEY_PASSWORD"

// readPassword takes the password of a secret key from a file, else from the environment, else from the terminal.
// Where it is a new one, the terminal asks twice. Line endings behind it are left out, as of any ${file:…}. An empty
// one is an error from each of the three.
func readPassword(file string, fresh bool, s streams) (string, error) {
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("--password-file: %w", err)
		}
		return notEmpty(strings.TrimRight(string(text), "\r\n"))
	}
	if text, ok := os.LookupEnv(passwordVariable); ok {
		return notEmpty(text)
	}
	terminal, ok := s.in.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", fmt.Errorf("no password, and no terminal to ask for it: give --password-file FILE or set %s", passwordVariable)
	}
	password, err := ask(terminal, s.err, "Password of the secret key: ")
	if err != nil || !fresh {
		return password, err
	}
	again, err := ask(terminal, s.err, "The same again: ")
	if err == nil && again != password {
		err = errors.New("the two passwords differ")
	}
	return password, err
}

// ask reads one line that the terminal does not show. The question goes to standard error, where no script looks for
// the result.
func ask(terminal *os.File, prompt io.Writer, question string) (string, error) {
	fmt.Fprint(prompt, question)
	text, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(prompt)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	return notEmpty(string(text))
}

// notEmpty refuses the empty password, which would encrypt nothing.
func notEmpty(password string) (string, error) {
	if password == "" {
		return "", errors.New("the password is empty")
	}
	return password, nil
}
