package kafkatest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Secure is a cluster that demands logins and asks an authorizer; its nodes do so of each other, too. The addresses of the
// embedded Cluster take no login and may do everything.
type Secure struct {
	*Cluster
	SASL      string // address of the first node's listener with TLS and SASL
	MTLS      string // address of the first node's listener with TLS and client certificates
	Authority *Authority
	CA        string // file with the certificate of Authority
}

// User and Password are who may log in by PLAIN and SCRAM. By OAUTHBEARER anybody may, see [Token], and by
// certificate whoever has one of the Authority, under its common name. None of them is granted anything yet.
const (
	User     = "ann"
	Password = "ann-has-a-secret"
)

// StartSecure runs one node on free ports, as Start does.
func StartSecure(t testing.TB) *Secure {
	t.Helper()
	demand(t)
	s := &Secure{Cluster: &Cluster{scripts: scripts(t), dir: t.TempDir(), nodes: 1, port: freePorts(t, 1)}}
	s.prepare(t)
	t.Cleanup(func() { s.stop(t) })
	s.bootstrap = s.StartNode(t)
	return s
}

// prepare puts keys and users where the cluster's script looks for them: the brokers' certificate with its key and the
// authority's, and the one user with the password.
func (s *Secure) prepare(t testing.TB) {
	t.Helper()
	s.secure, s.Authority = true, NewAuthority(t)
	certificate, key := s.Authority.Issue(t, "broker", time.Now().Add(time.Hour))
	WriteFile(t, filepath.Join(s.dir, "server.pem"), key, certificate, s.Authority.PEM)
	WriteFile(t, filepath.Join(s.dir, "users"), []byte(User+":"+Password+"\n"))
	s.CA = WriteFile(t, filepath.Join(s.dir, "ca.pem"), s.Authority.PEM)
	s.SASL, s.MTLS = address(s.port+3), address(s.port+6)
}

// address is a port on the loopback.
func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Token is a token of the kind that Kafka's own unsecured validator takes: nobody has signed it. It was issued an hour
// before it expires, so one that has expired was valid once.
func Token(user string, until time.Time) string {
	claims := fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, user, until.Add(-time.Hour).Unix(), until.Unix())
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(claims)) + "."
}

// A Grant allows one operation on one resource, or on all whose names begin alike, from any host. Nothing is allowed
// without one.
type Grant struct {
	Type      kafka.ResourceType
	Name      string
	Operation kafka.ACLOperationType
	Prefix    bool // on all whose names begin so
}

// pattern is how the grant's name is meant.
func (g *Grant) pattern() kafka.PatternType {
	if g.Prefix {
		return kafka.PatternTypePrefixed
	}
	return kafka.PatternTypeLiteral
}

// Allow grants to a user, and returns when every broker has it. It is asked for without a login, by the way on which one
// may do everything.
func (s *Secure) Allow(t testing.TB, user string, grants ...Grant) {
	t.Helper()
	s.admin(t, func(ctx context.Context, client *kafka.Client) error {
		request := &kafka.CreateACLsRequest{}
		for _, g := range grants {
			request.ACLs = append(request.ACLs, kafka.ACLEntry{
				ResourceType: g.Type, ResourceName: g.Name, ResourcePatternType: g.pattern(),
				Principal: "User:" + user, Host: "*", Operation: g.Operation, PermissionType: kafka.ACLPermissionTypeAllow,
			})
		}
		response, err := client.CreateACLs(ctx, request)
		if err != nil {
			return err
		}
		return errors.Join(response.Errors...)
	})
	s.await(t, user, grants, true)
}

// Withdraw takes back what Allow has granted, and returns when every broker knows. What was not granted cannot be
// withdrawn, and ends the test: a fault that takes nothing away would be survived by anybody.
func (s *Secure) Withdraw(t testing.TB, user string, grants ...Grant) {
	t.Helper()
	s.admin(t, func(ctx context.Context, client *kafka.Client) error {
		request := &kafka.DeleteACLsRequest{}
		for _, g := range grants {
			request.Filters = append(request.Filters, kafka.DeleteACLsFilter{
				ResourceTypeFilter: g.Type, ResourceNameFilter: g.Name, ResourcePatternTypeFilter: g.pattern(),
				PrincipalFilter: "User:" + user, HostFilter: "*", Operation: g.Operation, PermissionType: kafka.ACLPermissionTypeAllow,
			})
		}
		response, err := client.DeleteACLs(ctx, request)
		if err != nil {
			return err
		}
		for _, r := range response.Results {
			if r.Error != nil {
				return r.Error
			}
			if len(r.MatchingACLs) == 0 {
				return errors.New("nothing to withdraw")
			}
		}
		return nil
	})
	s.await(t, user, grants, false)
}

// await returns when the authorizer of every broker has the grants, or none of them. The controller knows first, and
// the brokers follow it, each in its own time. After 30 s without that the test ends.
func (s *Secure) await(t testing.TB, user string, grants []Grant, there bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(s.bootstrap, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := 1; i <= s.nodes; i++ {
		for _, g := range grants {
			for {
				response, err := client.Broker(i).RetriableRequest(ctx, g.question(user))
				if err != nil {
					t.Fatalf("broker %d and the right to %+v: %v", i, g, err)
				}
				if (len(response.(*kmsg.DescribeACLsResponse).Resources) > 0) == there {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
	}
}

// question asks a broker whether it knows a grant. The numbers of kafka-go's types are those of the protocol.
func (g *Grant) question(user string) *kmsg.DescribeACLsRequest {
	principal, host := "User:"+user, "*"
	request := kmsg.NewPtrDescribeACLsRequest()
	request.ResourceType, request.ResourceName = kmsg.ACLResourceType(g.Type), &g.Name
	request.ResourcePatternType = kmsg.ACLResourcePatternType(g.pattern())
	request.Principal, request.Host = &principal, &host
	request.Operation, request.PermissionType = kmsg.ACLOperation(g.Operation), kmsg.ACLPermissionTypeAllow
	return request
}

// admin does something as super user, which is whoever comes without a login, within 30 s; what fails ends the test.
func (s *Secure) admin(t testing.TB, do func(context.Context, *kafka.Client) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(strings.Split(s.bootstrap, ",")...), Transport: transport}
	if err := do(ctx, client); err != nil {
		t.Fatal(err)
	}
}
