package scoring

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aead.dev/minisign"
)

// signedBundle copies the sound bundle into a folder of the test, lets edit change its metadata, and signs it. A nil
// key leaves it unsigned.
func signedBundle(t *testing.T, key *minisign.PrivateKey, edit func(string) string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("testdata/refuse/bundle-control")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, metadataFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		text = []byte(edit(string(text)))
		write(t, path, text)
	}
	if key != nil {
		write(t, filepath.Join(folder, SignatureFile), minisign.Sign(*key, text))
	}
	return folder
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func newKey(t *testing.T) (minisign.PublicKey, *minisign.PrivateKey) {
	t.Helper()
	public, secret, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return public, &secret
}

func TestSignatureOfATrustedKey(t *testing.T) {
	public, secret := newKey(t)
	other, _ := newKey(t)
	trust := Trust{Keys: []minisign.PublicKey{other, public}, Required: true}
	s, err := Load(signedBundle(t, secret, nil), Options{Trust: trust})
	if err != nil {
		t.Fatal(err)
	}
	if s.Bundle.SignedBy != KeyID(public.ID()) || len(s.Bundle.SignedBy) != 16 || len(s.Bundle.Warnings) != 0 {
		t.Errorf("signed by %q, warnings %q", s.Bundle.SignedBy, s.Bundle.Warnings)
	}
}

func TestWrongSignaturesAreRefused(t *testing.T) {
	public, secret := newKey(t)
	_, stranger := newKey(t)
	after := func(change func(folder string)) string {
		folder := signedBundle(t, secret, nil)
		change(folder)
		return folder
	}
	for name, c := range map[string]struct{ folder, reason, field string }{
		"none":       {signedBundle(t, nil, nil), "unsigned", ""},
		"a stranger": {signedBundle(t, stranger, nil), "bad-signature", SignatureFile},
		"a bare file": {
			filepath.Join(signedBundle(t, secret, nil), "model.joblib"), "unsigned", "",
		},
		"no text of minisign": {
			after(func(f string) { write(t, filepath.Join(f, SignatureFile), []byte("signed, me\n")) }), "bad-signature", SignatureFile,
		},
		"too long": {
			after(func(f string) { write(t, filepath.Join(f, SignatureFile), make([]byte, maxSignature+1)) }), "bad-signature", SignatureFile,
		},
		"metadata that are no JSON": {
			after(func(f string) { write(t, filepath.Join(f, metadataFile), []byte("{")) }), "bad-signature", SignatureFile,
		},
		"free-form metadata": {
			after(func(f string) { write(t, filepath.Join(f, metadataFile), []byte("{}")) }), "unsigned", "",
		},
		"another model": {
			after(func(f string) { write(t, filepath.Join(f, "model.joblib"), []byte("\x80\x04N.")) }), "hash-mismatch", "model.sha256",
		},
		"a model without a hash":     {signedBundle(t, secret, without(`, "sha256": "27008`)), "unsigned", "model.sha256"},
		"golden rows without a hash": {signedBundle(t, secret, without(`, "sha256": "e7175`)), "unsigned", "golden.sha256"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Load(c.folder, Options{Trust: Trust{Keys: []minisign.PublicKey{public}, Required: true}})
			if s != nil || Reason(err) != c.reason {
				t.Fatalf("reason %q (%v), want %q", Reason(err), err, c.reason)
			}
			if bundle, ok := errors.AsType[*BundleError](err); !ok || bundle.Field != c.field {
				t.Errorf("%v: want the field %q", err, c.field)
			}
		})
	}
}

// without cuts the hash that begins so out of the metadata.
func without(begin string) func(string) string {
	return func(text string) string {
		head, tail, _ := strings.Cut(text, begin)
		_, tail, _ = strings.Cut(tail, `"`)
		return head + tail
	}
}

func TestSignatureThatIsNotRequired(t *testing.T) {
	public, secret := newKey(t)
	trust := Trust{Keys: []minisign.PublicKey{public}}
	s, err := Load(signedBundle(t, nil, nil), Options{Trust: trust})
	if err != nil || len(s.Bundle.Warnings) != 1 || !strings.HasPrefix(s.Bundle.Warnings[0], "not signed") {
		t.Errorf("unsigned: %v, want a warning", err)
	}
	folder := signedBundle(t, secret, nil)
	text, err := os.ReadFile(filepath.Join(folder, metadataFile))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, metadataFile), append(text, '\n'))
	if _, err := Load(folder, Options{Trust: trust}); Reason(err) != "bad-signature" {
		t.Errorf("changed by a byte: %v", err)
	}
	if _, err := Load(folder, Options{Trust: Trust{Required: true}}); Reason(err) != "bad-signature" {
		t.Errorf("nobody is trusted: %v", err)
	}
	if _, err := Load(folder, Options{}); err != nil {
		t.Errorf("without a policy no signature is looked at: %v", err)
	}
}
