package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// readyCommand asks a process whether it is ready. It is for the health checks of containers, in whose image there is
// no shell and no other client. Given the configuration that the process was given, or by the same environment
// variables (FRAUDSTREAM_CONFIG, FRAUDSTREAM_LISTEN), it asks at the address of http.listen, and by TLS where
// http.tls is set.
//
// # Why the own machine need not prove who it is
//
// A certificate of the service is made out to the name that its callers use, and hardly ever to 127.0.0.1. The question
// holds no secret, and whoever could answer in the place of the process on its own address has the machine already; so
// there nothing is checked, as the kubelet does it. Any other host has to show a certificate of an authority: those of
// the system, or those of --ca.
type readyCommand struct {
	Config string  `help:"Configuration file of the process; http.listen and http.tls say where and how to ask it." type:"path" placeholder:"FILE"`
	Listen *string `help:"Address of the process, as it was given to run or serve. Default: that of the configuration." placeholder:"HOST:PORT"`
	URL    string  `help:"What to ask, in the place of all that." placeholder:"URL"`
	CA     string  `help:"Authorities (PEM) of whom the process must have its certificate." name:"ca" type:"path" placeholder:"FILE"`
	Cert   string  `help:"Certificate (PEM) to show where http.tls.client_ca asks for one." type:"path" placeholder:"FILE"`
	Key    string  `help:"Private key of --cert (PEM)." type:"path" placeholder:"FILE"`
}

// answersWithin is how long the answer may take: less than the 3 s that the image's health check has. A process that
// needs longer for a line of text is not ready for traffic.
const answersWithin = 2 * time.Second

// Run is silent where the answer is 200, and fails with the answer where it is not. A wrong command line is 2 and a
// wrong configuration 78; a process that does not answer, or answers no, is 1, which is what a health check asks for.
func (c *readyCommand) Run(ctx context.Context, _ streams) error {
	at, own, err := c.target()
	if err != nil {
		return err
	}
	trust, err := c.trust(own)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("--url: %w", err)}
	}
	transport := &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 200)) // what is left of it helps
		return fmt.Errorf("%s answers %s: %s", at, response.Status, text)
	}
	return nil
}

// target is what to ask, and whether that is this machine itself: by the configuration always, by a URL where its
// host is a loopback address. A listener on all addresses of IPv6 is asked by ::1, one on all of IPv4 or on no named
// one by 127.0.0.1.
func (c *readyCommand) target() (at string, own bool, err error) {
	if c.URL != "" {
		parsed, err := url.Parse(c.URL)
		if err != nil {
			return "", false, &exitError{exitUsage, fmt.Errorf("--url: %w", err)}
		}
		ip := net.ParseIP(parsed.Hostname())
		return c.URL, parsed.Hostname() == "localhost" || ip != nil && ip.IsLoopback(), nil
	}
	config, err := loadConfig(c.Config)
	if err != nil {
		return "", false, &exitError{exitConfig, err}
	}
	if c.Listen != nil {
		config.HTTP.Listen = *c.Listen
	}
	host, port, err := net.SplitHostPort(config.HTTP.Listen)
	if err != nil {
		return "", false, &exitError{exitUsage, fmt.Errorf("http.listen: %q is no HOST:PORT: the process has no address to ask, or give --listen", config.HTTP.Listen)}
	}
	switch ip := net.ParseIP(host); {
	case host == "", ip != nil && ip.Equal(net.IPv4zero): // every address of the machine, of which this one is sure to be there
		host = "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		host = "::1"
	}
	scheme := "http"
	if config.HTTP.TLS.Enabled() {
		scheme = "https"
	}
	return (&url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port), Path: "/readyz"}).String(), true, nil
}

// trust says whom to believe by TLS, and what to show of oneself. A certificate is shown only where both of its files
// are named; a container without them can still ask a listener that wants none.
func (c *readyCommand) trust(own bool) (*tls.Config, error) {
	trust := &tls.Config{InsecureSkipVerify: own && c.CA == ""}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		if trust.RootCAs = x509.NewCertPool(); !trust.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--ca: %s holds no certificate in PEM form", c.CA)
		}
	}
	if (c.Cert == "") != (c.Key == "") {
		return nil, errors.New("--cert and --key go together: name both files")
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("--cert, --key: %w", err)
		}
		trust.Certificates = []tls.Certificate{pair}
	}
	return trust, nil
}
