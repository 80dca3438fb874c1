package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Proxied is a cluster with two ways to it: one through a [Network] that the test owns, for the clients that a test is
// about, and a direct one, [Cluster.Bootstrap], for the test's own. Brokers tell each client the addresses of the way it
// came by.
type Proxied struct {
	*Cluster
	Network  *Network
	Security *Secure // nil without: else the way through the network takes SASL_SSL, and an authorizer is asked
}

// Options of StartProxied.
type Options struct {
	Secure  bool
	Session time.Duration // without a heartbeat, after which a broker counts as dead; 0: see [Cluster.Session]
}

// StartProxied runs brokers (1 or 3) as [Start] does, with proxies before them on the ports that the brokers tell those
// clients which come that way. With Secure it makes an authority and a user, too, who is granted nothing yet.
func StartProxied(t testing.TB, brokers int, o Options) *Proxied {
	t.Helper()
	demand(t)
	c := &Cluster{scripts: scripts(t), dir: t.TempDir(), nodes: brokers, port: freePorts(t, brokers), proxied: true, session: o.Session}
	p := &Proxied{Cluster: c}
	if o.Secure {
		p.Security = &Secure{Cluster: c}
		p.Security.prepare(t)
	}
	var routes []Route
	for i := range brokers {
		routes = append(routes, Route{Listen: address(c.port + 16 + i), Broker: address(c.port + 13 + i)})
	}
	p.Network = NewNetwork(t, o.Secure, routes...)
	t.Cleanup(func() { c.stop(t) })
	c.bootstrap = c.StartNode(t)
	return p
}

// StopNode is that of [Cluster.StopNode]. The way to a broker that is gone is refused, as a host refuses it: a proxy that
// took the connection and hung up would look like a broker that is ill.
func (p *Proxied) StopNode(t testing.TB, i int, kill9 bool) {
	t.Helper()
	p.Cluster.StopNode(t, i, kill9)
	p.Network.Cut(i)
}

// StartNode is that of [Cluster.StartNode], and opens the ways to all brokers: whatever the network was told before is over.
func (p *Proxied) StartNode(t testing.TB) string {
	t.Helper()
	bootstrap := p.Cluster.StartNode(t)
	p.Network.Heal(t)
	return bootstrap
}

// Nodes is the number of brokers.
func (c *Cluster) Nodes() int { return c.nodes }

// Session is the time without a heartbeat after which the controller counts a broker as dead, and lets others lead what it
// led: 3 s here, unless the options or FRAUDSTREAM_KAFKA_SESSION, in milliseconds, say otherwise. Kafka's default is 9 s.
func (c *Cluster) Session() time.Duration {
	if c.session > 0 {
		return c.session
	}
	if ms, err := strconv.Atoi(os.Getenv("FRAUDSTREAM_KAFKA_SESSION")); err == nil {
		return time.Duration(ms) * time.Millisecond // the script takes it from there
	}
	return 3 * time.Second
}

// ShowCertificate makes every broker show a certificate that is valid until the given time, which may be past, to
// clients that come from now on. Connections that stand go on.
func (p *Proxied) ShowCertificate(t testing.TB, until time.Time) {
	t.Helper()
	certificate, key := p.Security.Authority.Issue(t, "broker", until)
	// A new name, so that the broker sees that there is something to read.
	name := fmt.Sprintf("server-%d.pem", time.Now().UnixNano())
	path := WriteFile(t, filepath.Join(p.dir, name), key, certificate, p.Security.Authority.PEM)
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(p.Bootstrap(), ",")...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := 1; i <= p.nodes; i++ {
		if err := alterBroker(t.Context(), client, i, "listener.name.proxied.ssl.keystore.location", path); err != nil {
			t.Fatalf("broker %d takes no other certificate: %v", i, err)
		}
	}
}

// alterBroker sets a dynamic property of one broker, and returns what the broker has against it.
func alterBroker(ctx context.Context, client *kgo.Client, broker int, name, value string) error {
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeBroker, strconv.Itoa(broker)
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = name, &value
	resource.Configs = append(resource.Configs, config)
	request := kmsg.NewPtrIncrementalAlterConfigsRequest()
	request.Resources = append(request.Resources, resource)
	// Each broker reads the file itself, so it must be asked itself.
	response, err := client.Broker(broker).RetriableRequest(ctx, request)
	if err != nil {
		return err
	}
	for _, r := range response.(*kmsg.IncrementalAlterConfigsResponse).Resources {
		if r.ErrorCode != 0 {
			text := fmt.Sprintf("code %d", r.ErrorCode)
			if r.ErrorMessage != nil {
				text += ": " + *r.ErrorMessage
			}
			return errors.New(text)
		}
	}
	return nil
}
