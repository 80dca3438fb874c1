package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"aead.dev/minisign"

	"fraudstream/scoring"
)

// modelSignCommand signs a bundle: its metadata.json, which holds the hashes of the other files. One signature over one
// small file so vouches for the model, its golden rows, its baseline and its thresholds together; no part can be
// exchanged for that of another bundle.
type modelSignCommand struct {
	Path         string `arg:"" help:"Bundle folder." type:"path"`
	Secret       string `help:"File of the secret key." default:"fraudstream.key" type:"path" placeholder:"FILE"`
	PasswordFile string `help:"File that holds the password; without one $$FRAUDSTREAM_KEY_PASSWORD, else it is asked for, which needs a terminal." type:"path" placeholder:"FILE"`
	JSON         bool   `help:"Print JSON." name:"json"`
}

// Run writes metadata.json.minisig. The bundle passes the whole gate first, so that nobody vouches for a model that
// would not load; the new signature is then checked through the same gate. The bytes that are signed are those that
// were read before the gate; if the file has changed in between, the last check fails. Until that has passed the
// signature has another name, so that one that would not hold never takes the place of one that does.
func (c *modelSignCommand) Run(s streams) error {
	metadata, err := os.ReadFile(filepath.Join(c.Path, "metadata.json"))
	if err != nil {
		return &exitError{exitFindings, fmt.Errorf("only a bundle can be signed: %w", err)}
	}
	model, err := scoring.Load(c.Path, scoring.Options{})
	if err != nil {
		return &exitError{exitFindings, err}
	}
	key, err := c.key(s)
	if err != nil {
		return err
	}
	signature := sign(key, metadata, time.Now())
	const unchecked = scoring.SignatureFile + ".new"
	path, fresh := filepath.Join(c.Path, scoring.SignatureFile), filepath.Join(c.Path, unchecked)
	if err := os.WriteFile(fresh, signature, 0o644); err != nil {
		return err
	}
	// What was written is held against the gate as any process would, by the key that made it and by no other.
	public, _ := key.Public().(minisign.PublicKey)
	trust := scoring.Trust{Keys: []minisign.PublicKey{public}, Required: true, File: unchecked}
	if _, err := scoring.Load(c.Path, scoring.Options{Trust: trust}); err != nil {
		return &exitError{exitFindings, errors.Join(err, os.Remove(fresh))}
	}
	if err := os.Rename(fresh, path); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	if c.JSON {
		return printJSON(s.out, map[string]string{
			"file": path, "key": scoring.KeyID(key.ID()), "name": model.Bundle.Name, "version": model.Bundle.Version,
			"metadata_sha256": model.Bundle.MetadataSHA256,
		})
	}
	fmt.Fprintf(s.out, "%s %s signed by key %s: %s\n", model.Bundle.Name, model.Bundle.Version, scoring.KeyID(key.ID()), path)
	return nil
}

// key reads the secret key. One that was written without a password needs none. That a password is wrong and that the
// key is damaged look alike from here, and the message says the likelier.
func (c *modelSignCommand) key(s streams) (key minisign.PrivateKey, err error) {
	data, err := os.ReadFile(c.Secret)
	if err != nil {
		return key, fmt.Errorf("--secret: %w; fraudstream model keygen makes a key", err)
	}
	if !minisign.IsEncrypted(data) {
		if key.UnmarshalText(bytes.TrimSpace(data)) != nil {
			return key, fmt.Errorf("--secret: %s holds no minisign secret key", c.Secret)
		}
		return key, nil
	}
	password, err := readPassword(c.PasswordFile, false, s)
	if err != nil {
		return key, &exitError{exitUsage, err}
	}
	if key, err = minisign.DecryptKey(password, bytes.TrimSpace(data)); err != nil {
		return key, fmt.Errorf("--secret: %s does not open with this password", c.Secret)
	}
	return key, nil
}

// sign makes the signature that the minisign tool would: over the BLAKE2b digest, with time and file name in the
// signed comment. The tool's own verification takes it, so whoever trusts no other binary than that one can check a
// bundle with it.
func sign(key minisign.PrivateKey, metadata []byte, now time.Time) []byte {
	r := minisign.NewReader(bytes.NewReader(metadata))
	// Reading from memory into nothing cannot fail.
	_, _ = io.Copy(io.Discard, r)
	comment := fmt.Sprintf("timestamp:%d\tfile:metadata.json\thashed", now.Unix())
	return r.SignWithComments(key, comment, "signature from fraudstream secret key "+scoring.KeyID(key.ID()))
}
