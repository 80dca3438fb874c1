package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"fraudstream/cmd/fraudstream/batch"
	"fraudstream/cmd/fraudstream/web"
	"fraudstream/consumer/security"
	"fraudstream/scoring"
)

// HTTPConfig is the listener of /predict and all that is beside it. The zero value of each limit is refused by
// validate and not taken for the default, which stands in defaultHTTP.
type HTTPConfig struct {
	Listen         string          `yaml:"listen"`          // HOST:PORT; empty: none
	Token          security.Secret `yaml:"token"`           // that callers bear; empty: none is asked for. Write ${file:PATH}
	ProtectMetrics bool            `yaml:"protect_metrics"` // /metrics asks for the token as well
	TLS            web.TLS         `yaml:"tls"`
	MaxBody        int64           `yaml:"max_body"`       // bytes of a request
	MaxRows        int             `yaml:"max_rows"`       // events of a request
	MaxConcurrent  int             `yaml:"max_concurrent"` // requests to score that are under way at a time
}

// AdminConfig is the listener of the operators: profiles and the level of the log.
type AdminConfig struct {
	Listen string          `yaml:"listen"` // HOST:PORT, port 0 for any that is free, which the log then names; empty: none
	Token  security.Secret `yaml:"token"`  // needed where others than this machine can reach it
}

// defaultHTTP listens on loopback alone: whoever wants callers from elsewhere says so, and thinks of a token then.
func defaultHTTP() HTTPConfig {
	return HTTPConfig{Listen: "127.0.0.1:8080", MaxBody: web.DefaultBody, MaxRows: web.DefaultRows, MaxConcurrent: web.DefaultConcurrent}
}

// defaultAdmin is on, since whoever needs a profile needs it of the process that is slow now; on loopback, and on any
// free port, so that two processes of one machine do not fight for it.
func defaultAdmin() AdminConfig { return AdminConfig{Listen: "127.0.0.1:0"} }

// shortestToken keeps a token from being guessed: 16 letters are more than anybody tries through a network.
const shortestToken = 16

// The widest limits: a request must fit in memory beside those of others.
const (
	maxMaxBody = 64 << 20
	maxMaxRows = 100_000
)

// validate checks what the types cannot say. The flag --listen may change the address afterwards; none of these rules
// depends on it.
func (c *HTTPConfig) validate() error {
	switch {
	case c.Token != "" && len(c.Token) < shortestToken:
		return fmt.Errorf("http.token: it has fewer than %d characters", shortestToken)
	case c.ProtectMetrics && c.Token == "":
		return errors.New("http.protect_metrics: there is no http.token to protect them with")
	case c.TLS.Enabled() && (c.TLS.Cert == "" || c.TLS.Key == ""):
		return errors.New("http.tls: cert and key go together: name both files")
	case c.MaxBody < 1 || c.MaxBody > maxMaxBody:
		return fmt.Errorf("http.max_body: %d is not between 1 and %d bytes", c.MaxBody, maxMaxBody)
	case c.MaxRows < 1 || c.MaxRows > maxMaxRows:
		return fmt.Errorf("http.max_rows: %d is not between 1 and %d", c.MaxRows, maxMaxRows)
	case c.MaxConcurrent < 1 || c.MaxConcurrent > 10_000:
		return fmt.Errorf("http.max_concurrent: %d is not between 1 and 10000", c.MaxConcurrent)
	}
	return nil
}

// validate refuses a token that can be guessed, and a listener without one where others than this machine can reach it:
// a profile shows what is in memory.
func (c *AdminConfig) validate() error {
	if c.Token != "" && len(c.Token) < shortestToken {
		return fmt.Errorf("admin.token: it has fewer than %d characters", shortestToken)
	}
	if c.Listen == "" {
		return nil
	}
	if err := web.CheckAdmin(c.Listen, string(c.Token)); err != nil {
		return fmt.Errorf("admin.listen: %w", err)
	}
	return nil
}

// httpFlags are what run and serve have in common. A flag that is not given leaves the configuration in force; one that
// is empty switches the listener off.
type httpFlags struct {
	Listen      *string `help:"Address of the console, /predict, /v2, /metrics, /healthz, /readyz and /drift; empty for none. Default: 127.0.0.1:8080." placeholder:"HOST:PORT"`
	AdminListen *string `help:"Address of profiles and of the log level; empty for none. Default: a free port on 127.0.0.1." placeholder:"HOST:PORT"`
}

// over puts the flags over the configuration. The admin address is checked again, since the flag may have made it one
// that others can reach.
func (f *httpFlags) over(c *Config) error {
	if f.Listen != nil {
		c.HTTP.Listen = *f.Listen
	}
	if f.AdminListen != nil {
		c.Admin.Listen = *f.AdminListen
	}
	return c.Admin.validate()
}

// door makes the door of a process, with what the configuration says of it. The table of CSV reads the same model by
// flat names, and shares all of it but the mapping.
func (c *Config) door(o web.Options) (*web.Server, error) {
	if err := c.HTTP.complete(&o); err != nil {
		return nil, err
	}
	var err error
	if o.Table, err = csvTable(o.Scorer, c.Event.Mapping); err != nil {
		return nil, err
	}
	return web.New(o), nil
}

// complete gives the options what the section says: limits, token and certificates.
func (c *HTTPConfig) complete(o *web.Options) error {
	o.Limits = web.Limits{Body: c.MaxBody, Rows: c.MaxRows, Concurrent: c.MaxConcurrent}
	o.Token, o.ProtectMetrics = string(c.Token), c.ProtectMetrics
	if c.TLS.Enabled() {
		var err error
		if o.TLS, err = c.TLS.Config(o.Log); err != nil {
			return fmt.Errorf("http.%w", err)
		}
	}
	if c.Token != "" && !c.TLS.Enabled() && c.Listen != "" && web.CheckAdmin(c.Listen, "") != nil {
		o.Log.Warn("the token of callers goes over the network in clear text: set http.tls", "address", c.Listen)
	}
	return nil
}

// csvTable reads CSV over HTTP as `score` reads it from a file: columns have the names that the paths of the mapping
// are.
func csvTable(model *scoring.Scorer, m scoring.Mapping) (*web.Table, error) {
	flat := batch.Flatten(m)
	scorer, err := model.Remapped(flat)
	if err != nil {
		return nil, err
	}
	return &web.Table{Scorer: scorer, Open: func(body io.Reader) (func([]byte) ([]byte, *scoring.EventError, error), error) {
		return batch.Table(body, scorer, flat)
	}}, nil
}

// listeners are the door and the operators' listener, of which either may be off. They are opened before anything is
// served and closed by the end of the context that they serve in.
type listeners struct {
	doors []*web.Server
}

// listen opens both addresses, so that a wrong one is known before anything else starts. The log names the port that
// was chosen where 0 was asked for.
func (c *Config) listen(door *web.Server, level *slog.LevelVar, log *slog.Logger) (*listeners, error) {
	l := new(listeners)
	if c.HTTP.Listen != "" {
		if err := door.Listen(c.HTTP.Listen); err != nil {
			return nil, &exitError{exitConfig, fmt.Errorf("--listen: %w", err)}
		}
		scheme := "http://"
		if c.HTTP.TLS.Enabled() {
			scheme = "https://"
		}
		log.Info("listening", "address", scheme+door.Addr())
		l.doors = append(l.doors, door)
	}
	if c.Admin.Listen != "" {
		admin := web.NewAdmin(web.AdminOptions{Log: log, Level: level, Token: string(c.Admin.Token)})
		if err := admin.Listen(c.Admin.Listen); err != nil {
			return nil, &exitError{exitConfig, fmt.Errorf("admin.listen: %w", err)}
		}
		log.Info("admin listening", "address", "http://"+admin.Addr())
		l.doors = append(l.doors, admin)
	}
	return l, nil
}

// serve adds what listens to a group, whose context ends it.
func (l *listeners) serve(ctx context.Context, group *errgroup.Group) {
	for _, door := range l.doors {
		group.Go(func() error { return door.Serve(ctx) })
	}
}

// topics are the names that the AsyncAPI description tells of. A name that is empty is a topic that this process does
// not use.
func (c *Config) topics() web.Topics {
	return web.Topics{
		Input: c.Kafka.Input, Output: c.Kafka.Output, DeadLetter: c.Kafka.DeadLetter, Alerts: c.Kafka.Alerts,
		DriftState: c.Kafka.DriftState, DriftTicks: c.driftTicks(),
		Group: c.Kafka.Group, ExactlyOnce: c.Delivery == exactlyOnce,
		LetterMode: c.DLQ.Mode.String(),
	}
}

// driftTicks is the topic of the pool, which nobody uses without one.
func (c *Config) driftTicks() string {
	if !c.Drift.Pool {
		return ""
	}
	return c.Kafka.DriftTicks
}
