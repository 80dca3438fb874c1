package kafkatest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"testing"
	"time"
)

// Authority signs certificates for tests. It is made anew for each test, so no key lies in the repository.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	PEM         []byte // its own certificate
}

// NewAuthority makes an authority that is valid for an hour, longer than any test, with a key on the curve P-256.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	key := newKey(t)
	a := &Authority{key: key}
	template := template("Test Authority", time.Now().Add(time.Hour))
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	var der []byte
	der, a.PEM = sign(t, template, template, &key.PublicKey, key)
	var err error
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// Issue makes a certificate for the name, valid for 127.0.0.1 and localhost, until a time that may be past. It serves
// brokers and clients alike: between brokers each is both. Both are returned as PEM. The key is PKCS #8, which both Go and
// Java read.
func (a *Authority) Issue(t testing.TB, name string, until time.Time) (certificate, key []byte) {
	t.Helper()
	template := template(name, until)
	template.IPAddresses, template.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	private := newKey(t)
	_, certificate = sign(t, template, a.certificate, &private.PublicKey, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// template is what all certificates have in common. One that is to have expired must have been valid before, so validity
// begins two days before it ends.
func template(name string, until time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

// sign makes a certificate for a public key, as DER and as PEM. Where the parent is the template itself, it is signed by
// its own key.
func sign(t testing.TB, template, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) (der, text []byte) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return der, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// newKey makes a key on the curve P-256, which takes no time worth mentioning, and which Java reads.
func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// WriteFile writes a file that only its owner reads, with the data one after the other, and returns its path.
func WriteFile(t testing.TB, path string, data ...[]byte) string {
	t.Helper()
	var all []byte
	for _, d := range data {
		all = append(all, d...)
	}
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
