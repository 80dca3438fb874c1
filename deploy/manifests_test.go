package deploy_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// The tools that check the manifests, built by the Go command, and the modules that carry the schemas of the kinds that
// Kubernetes itself does not know.
const (
	kustomize = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
	validator = "sigs.k8s.io/kubectl-validate@v0.0.4"
	compose   = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"

	kedaModule     = "github.com/kedacore/keda/v2@v2.21.0"
	operatorModule = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
)

// needTools skips what needs the Go module proxy, or modules that it gave before.
func needTools(t *testing.T) {
	t.Helper()
	if os.Getenv("FRAUDSTREAM_MANIFESTS") == "" {
		t.Skip("FRAUDSTREAM_MANIFESTS is not set: 1 lets the Go command build kustomize, kubectl-validate and compose-go")
	}
}

// TestManifestsAgreeWithTheirSchemas builds both overlays and gives them to the API server's own validation, with the
// schemas of Kubernetes 1.30, KEDA and the Prometheus operator: an unknown field is an error too.
func TestManifestsAgreeWithTheirSchemas(t *testing.T) {
	needTools(t)
	dir := t.TempDir()
	definitions := filepath.Join(dir, "definitions")
	copyFiles(t, filepath.Join(module(t, kedaModule), "config/crd/bases"), definitions, "keda.sh_scaledobjects.yaml", "keda.sh_triggerauthentications.yaml")
	copyFiles(t, filepath.Join(module(t, operatorModule), "example/prometheus-operator-crd"), definitions,
		"monitoring.coreos.com_servicemonitors.yaml", "monitoring.coreos.com_prometheusrules.yaml")
	for _, overlay := range []string{"dev", "prod"} {
		built := filepath.Join(dir, overlay+".yaml")
		text := output(t, "go", "run", kustomize, "build", "kubernetes/overlays/"+overlay)
		write(t, built, text)
		output(t, "go", "run", validator, "--version", "1.30", "--local-crds", definitions, built)

		broken := filepath.Join(dir, "broken.yaml")
		write(t, broken, strings.Replace(text, "terminationGracePeriodSeconds", "terminationGraceSeconds", 1))
		if said, err := exec.CommandContext(t.Context(), "go", "run", validator, "--version", "1.30", "--local-crds", definitions, broken).CombinedOutput(); err == nil {
			t.Errorf("%s: a misspelt field passes: %s", overlay, said)
		}
		assertRestricted(t, text)
	}
}

// TestComposeFile gives it to the loader that docker compose uses.
func TestComposeFile(t *testing.T) {
	needTools(t)
	output(t, "go", "run", compose, "compose.yaml")
	for _, path := range regexp.MustCompile(`(?m)\./[^:"\n]+|\.\./cmd[^:"\n]+`).FindAllString(file(t, "compose.yaml"), -1) {
		if _, err := os.Stat(path); err != nil && !strings.HasPrefix(path, "./bundle") {
			t.Errorf("compose.yaml mounts %s: %v", path, err)
		}
	}
}

// TestPrometheusRuleIsTheRules holds the operator's resource and the rule file together.
func TestPrometheusRuleIsTheRules(t *testing.T) {
	t.Parallel()
	rules := readYAML(t, "prometheus/fraudstream.rules.yml")
	resource := readYAML(t, "kubernetes/overlays/prod/prometheusrule.yaml")
	if !reflect.DeepEqual(resource["spec"], any(rules)) {
		t.Error("prometheusrule.yaml is not what the rules say: run deploy/kubernetes/prometheusrule.sh")
	}
}

// TestManifestsHoldWhatTheyPromise reads the base for what no schema asks for.
func TestManifestsHoldWhatTheyPromise(t *testing.T) {
	t.Parallel()
	deployment := file(t, "kubernetes/base/deployment.yaml")
	for _, wanted := range []string{
		"startupProbe:", "readinessProbe:", "livenessProbe:", "path: /readyz", "path: /healthz",
		"topologySpreadConstraints:", "terminationGracePeriodSeconds: 45", "GOMEMLIMIT", "resourceFieldRef",
	} {
		if !strings.Contains(deployment, wanted) {
			t.Errorf("deployment.yaml lacks %s", wanted)
		}
	}
	for _, overlay := range []string{"dev", "prod"} {
		patch := file(t, "kubernetes/overlays/"+overlay+"/kustomization.yaml")
		if !regexp.MustCompile(`requests: \{cpu: .+, memory: .+\}\n +limits: \{memory: .+\}`).MatchString(patch) {
			t.Errorf("%s gives no resources", overlay)
		}
	}
	image := file(t, "Dockerfile")
	last := image[strings.Index(image, "FROM scratch AS scorer"):]
	for _, wanted := range []string{"USER 65532:65532", "ca-certificates.crt", `ENTRYPOINT ["/fraudstream"]`, "HEALTHCHECK"} {
		if !strings.Contains(last, wanted) {
			t.Errorf("the image lacks %s", wanted)
		}
	}
}

// assertRestricted holds the pods against Pod Security's profile "restricted", which the namespaces enforce.
func assertRestricted(t *testing.T, manifests string) {
	t.Helper()
	decoder, deployments := yaml.NewDecoder(strings.NewReader(manifests)), 0
	for {
		var m struct {
			Kind string
			Spec struct {
				Template struct {
					Spec struct {
						SecurityContext struct {
							RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
							SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
						} `yaml:"securityContext"`
						Containers []struct {
							Name            string
							Resources       struct{ Requests, Limits map[string]string }
							SecurityContext struct {
								AllowPrivilegeEscalation *bool                   `yaml:"allowPrivilegeEscalation"`
								ReadOnlyRootFilesystem   bool                    `yaml:"readOnlyRootFilesystem"`
								Capabilities             struct{ Drop []string } `yaml:"capabilities"`
							} `yaml:"securityContext"`
						}
					}
				}
			}
		}
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil && m.Kind != "" {
			t.Fatal(err)
		}
		if m.Kind != "Deployment" {
			continue
		}
		deployments++
		pod := m.Spec.Template.Spec
		if !pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.SeccompProfile.Type != "RuntimeDefault" {
			t.Errorf("the pod: %+v", pod.SecurityContext)
		}
		for _, c := range pod.Containers {
			s := c.SecurityContext
			if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
				t.Errorf("container %s: %+v", c.Name, s)
			}
			if c.Resources.Requests["memory"] == "" || c.Resources.Limits["memory"] == "" || c.Resources.Requests["cpu"] == "" {
				t.Errorf("container %s: %+v", c.Name, c.Resources)
			}
		}
	}
	if deployments != 1 {
		t.Errorf("%d deployments", deployments)
	}
}

// module returns the folder of a module, whose files carry its schemas.
func module(t *testing.T, version string) string {
	t.Helper()
	var about struct{ Dir string }
	if err := json.Unmarshal([]byte(output(t, "go", "mod", "download", "-json", version)), &about); err != nil || about.Dir == "" {
		t.Fatalf("%s cannot be had: %v", version, err)
	}
	return about.Dir
}

func copyFiles(t *testing.T, from, to string, names ...string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		write(t, filepath.Join(to, name), file(t, filepath.Join(from, name)))
	}
}

func file(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
