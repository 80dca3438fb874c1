package scoring

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"

	"aead.dev/minisign"
)

// Trust is the policy on signatures. Its zero value asks for none.
//
// A bundle is signed by a minisign signature of metadata.json, which in turn holds the hashes of the model and of the
// golden rows; so one signature of a small file vouches for the whole folder.
//
// A minisign file has four lines: a comment that nobody vouches for, an Ed25519 signature with the eight bytes
// of its key's id before it, a trusted comment, and a second signature over the first one and that comment. The
// trusted keys come from whoever runs the service and never from the bundle, which could bring any key along.
type Trust struct {
	Keys     []minisign.PublicKey // who is believed; a signature by anyone else counts as a wrong one
	Required bool                 // refuse whatever no trusted key has signed; else that is a warning
	File     string               // of the signature, in the bundle; empty: [SignatureFile]
}

// SignatureFile is the name of the signature beside metadata.json, as the minisign tool chooses it.
const SignatureFile = metadataFile + ".minisig"

// maxSignature is more than the longest trusted comment that the minisign tool writes. It is read before
// anything is verified, hence the bound.
const maxSignature = 16 << 10

// checkSignature compares the signature of a bundle with the trusted keys, before any byte of the bundle is believed.
// A signature that is there must be right even where none is required. The id in the signature is a hint and
// decides nothing: every trusted key is tried, and the id only makes the message say whether the bytes were
// changed or the signer is a stranger.
func (s *source) checkSignature(t Trust) error {
	if len(t.Keys) == 0 && !t.Required {
		return nil
	}
	if s.bundle == nil {
		return s.withoutSignature(t, "only a bundle can be signed: its metadata.json holds the hashes of the other files")
	}
	text, err := s.read(cmp.Or(t.File, SignatureFile), maxSignature)
	if errors.Is(err, fs.ErrNotExist) {
		return s.withoutSignature(t, "there is no "+SignatureFile+"; fraudstream model sign writes it")
	}
	if err != nil {
		return refuse(badSignature, SignatureFile, "%v", err)
	}
	var signature minisign.Signature
	if signature.UnmarshalText(text) != nil {
		return refuse(badSignature, SignatureFile, "is no minisign signature")
	}
	known := false
	for _, key := range t.Keys {
		if minisign.Verify(key, s.bundle, text) {
			s.signedBy = KeyID(key.ID())
			return nil
		}
		known = known || key.ID() == signature.KeyID
	}
	if known {
		return refuse(badSignature, SignatureFile, "the key %s has not signed this %s: one of the two was changed",
			KeyID(signature.KeyID), metadataFile)
	}
	return refuse(badSignature, SignatureFile, "is by the key %s, which is none of the %d trusted ones",
		KeyID(signature.KeyID), len(t.Keys))
}

// withoutSignature refuses a model that has no signature, or warns where none is required. That warning stands
// in the log of every start, so an unsigned model is never in use unnoticed.
func (s *source) withoutSignature(t Trust, why string) error {
	if t.Required {
		return refuse(unsigned, "", "a signature by a trusted key is required: %s", why)
	}
	s.warnings = append(s.warnings, "not signed: "+why)
	return nil
}

// checkReach refuses a signed bundle whose metadata leaves out a hash: the signature would not reach that file.
// Without the hash, whoever can write into the folder could put another model beside metadata that is still
// rightly signed.
func (s *source) checkReach(m *metadata) error {
	const advice = "is missing, so the signature says nothing of %s; write the hash and sign again"
	switch {
	case s.signedBy == "":
		return nil
	case m.Model.SHA256 == "":
		return refuse(unsigned, "model.sha256", advice, m.Model.File)
	case m.Golden != nil && m.Golden.SHA256 == "":
		return refuse(unsigned, "golden.sha256", advice, m.Golden.File)
	}
	return nil
}

// KeyID is the name of a key as the minisign tool prints it. It helps people to find a key and proves nothing.
func KeyID(id uint64) string { return fmt.Sprintf("%016X", id) }
