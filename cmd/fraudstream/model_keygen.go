package main

import (
	"errors"
	"fmt"
	"os"

	"aead.dev/minisign"

	"fraudstream/scoring"
)

// modelKeygenCommand makes the pair of keys of someone who signs models. They are those of the minisign tool, which can
// use them as well. The secret one is encrypted with the password; the public one is printed as the lines of a
// configuration that trusts it.
//
// The password comes from --password-file, else from FRAUDSTREAM_KEY_PASSWORD, else from whoever sits at the
// terminal. A pipeline, which has none, has to give one of the first two. No flag takes the password itself:
// everybody who may list the processes of the machine would see it.
type modelKeygenCommand struct {
	Secret       string `help:"File for the secret key, encrypted with the password." default:"fraudstream.key" type:"path" placeholder:"FILE"`
	Public       string `help:"File for the public key." default:"fraudstream.pub" type:"path" placeholder:"FILE"`
	PasswordFile string `help:"File that holds the password; without one $$FRAUDSTREAM_KEY_PASSWORD, else it is asked for, which needs a terminal." type:"path" placeholder:"FILE"`
	JSON         bool   `help:"Print JSON." name:"json"`
}

// Run writes both keys and prints the public one. An existing file is never written over: what a lost key has signed
// cannot be signed again. The secret file can be read by its owner alone; where the public one cannot be written the
// secret one goes as well, so that no half of a pair is left.
func (c *modelKeygenCommand) Run(s streams) error {
	for _, path := range []string{c.Secret, c.Public} {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s exists, and is not written over", path)
		}
	}
	password, err := readPassword(c.PasswordFile, true, s)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	public, secret, err := minisign.GenerateKey(nil)
	if err != nil {
		return err
	}
	encrypted, err := minisign.EncryptKey(password, secret)
	if err != nil {
		return err
	}
	text, err := public.MarshalText()
	if err != nil {
		return err
	}
	if err := writeNew(c.Secret, append(encrypted, '\n'), 0o600); err != nil {
		return err
	}
	if err := writeNew(c.Public, append(text, '\n'), 0o644); err != nil {
		return errors.Join(err, os.Remove(c.Secret))
	}
	id := scoring.KeyID(public.ID())
	if c.JSON {
		return printJSON(s.out, map[string]string{
			"id": id, "public_key": public.String(), "public_file": c.Public, "secret_file": c.Secret,
		})
	}
	fmt.Fprintf(s.out, "key %s\nsecret key: %s (keep it, and its password, away from the machines that score)\n"+
		"public key: %s\n\nmodel:\n  require_signature: true\n  trusted_keys: [%s]\n", id, c.Secret, c.Public, public)
	return nil
}

// writeNew writes a file that must not exist yet. The check and the creation are one step of the system, whoever else
// is writing there.
func writeNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
