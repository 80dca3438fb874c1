package deploy_test

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
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
	for _, overlay := range []string{"dev", "prod"} {
		text := output(t, "go", "run", kustomize, "build", "kubernetes/overlays/"+overlay)
		validate(t, dir, text)
		broken := strings.Replace(text, "terminationGracePeriodSeconds", "terminationGraceSeconds", 1)
		if said, err := validation(t, dir, broken).CombinedOutput(); err == nil {
			t.Errorf("%s: a misspelt field passes: %s", overlay, said)
		}
		assertRestricted(t, text)
		assertComplete(t, overlay, text)
	}
}

// TestComponents builds prod with TLS and traces, as an overlay of somebody's own would.
func TestComponents(t *testing.T) {
	needTools(t)
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "kubernetes"), os.DirFS("kubernetes")); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "kubernetes", "overlays", "own")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(own, "kustomization.yaml"), "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"+
		"resources: [../prod]\ncomponents: [../../components/https, ../../components/tracing]\n")
	text := output(t, "go", "run", kustomize, "build", own)
	validate(t, dir, text)
	assertRestricted(t, text)
	assertComplete(t, "prod", text)
	built := resources(t, text)
	for path, want := range map[string]string{
		"Deployment spec.template.spec.containers.0.startupProbe.httpGet.scheme":   "HTTPS",
		"Deployment spec.template.spec.containers.0.readinessProbe.httpGet.scheme": "HTTPS",
		"Deployment spec.template.spec.containers.0.livenessProbe.httpGet.scheme":  "HTTPS",
		"Deployment spec.template.spec.volumes.2.secret.secretName":                "fraudstream-http",
		"ServiceMonitor spec.endpoints.0.scheme":                                   "https",
		"ServiceMonitor spec.endpoints.0.tlsConfig.ca.secret.key":                  "ca.crt",
		"NetworkPolicy spec.egress.2.ports.0.port":                                 "4318",
	} {
		kind, path, _ := strings.Cut(path, " ")
		if got := fmt.Sprint(at(built[kind], path)); got != want {
			t.Errorf("%s: %s is %s, want %s", kind, path, got, want)
		}
	}
}

// validate gives manifests to the API server's own validation, with the schemas of the kinds that Kubernetes itself does
// not know. It keeps them, and the schemas, in dir.
func validate(t *testing.T, dir, manifests string) {
	t.Helper()
	if said, err := validation(t, dir, manifests).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

// validation is the command that does it.
func validation(t *testing.T, dir, manifests string) *exec.Cmd {
	t.Helper()
	definitions, path := filepath.Join(dir, "definitions"), filepath.Join(dir, "built.yaml")
	copyFiles(t, filepath.Join(module(t, kedaModule), "config/crd/bases"), definitions, "keda.sh_scaledobjects.yaml", "keda.sh_triggerauthentications.yaml")
	copyFiles(t, filepath.Join(module(t, operatorModule), "example/prometheus-operator-crd"), definitions,
		"monitoring.coreos.com_servicemonitors.yaml", "monitoring.coreos.com_prometheusrules.yaml")
	write(t, path, manifests)
	return exec.CommandContext(t.Context(), "go", "run", validator, "--version", "1.30", "--local-crds", definitions, path)
}

// promised are the parts of a deployment, by overlay: what is looked up by path in the resource of the kind must say what
// stands beside it. "*" is any value that there is.
var promised = map[string]map[string]map[string]string{
	"both": {
		"Deployment": {
			"spec.template.spec.containers.0.startupProbe.httpGet.path":                 "/healthz",
			"spec.template.spec.containers.0.readinessProbe.httpGet.path":               "/readyz",
			"spec.template.spec.containers.0.livenessProbe.httpGet.path":                "/healthz",
			"spec.template.spec.containers.0.env.0.name":                                "GOMEMLIMIT",
			"spec.template.spec.containers.0.env.0.valueFrom.resourceFieldRef.resource": "requests.memory",
			"spec.template.spec.containers.0.resources.requests.cpu":                    "*",
			"spec.template.spec.containers.0.resources.requests.memory":                 "*",
			"spec.template.spec.containers.0.resources.limits.memory":                   "*",
			"spec.template.spec.containers.0.securityContext.readOnlyRootFilesystem":    "true",
			"spec.template.spec.containers.0.securityContext.allowPrivilegeEscalation":  "false",
			"spec.template.spec.securityContext.runAsNonRoot":                           "true",
			"spec.template.spec.securityContext.seccompProfile.type":                    "RuntimeDefault",
			"spec.template.spec.automountServiceAccountToken":                           "false",
			"spec.template.spec.terminationGracePeriodSeconds":                          "45",
		},
		"NetworkPolicy":       {"spec.policyTypes.0": "Ingress", "spec.policyTypes.1": "Egress", "spec.egress.1.ports.0.port": "9092"},
		"PodDisruptionBudget": {"spec.maxUnavailable": "1"},
		"Service":             {"spec.ports.0.port": "8080"},
		"ServiceAccount":      {"automountServiceAccountToken": "false"},
		"ConfigMap":           {"data": "*"},
		"Namespace":           {"metadata.labels.pod-security.kubernetes.io/enforce": "restricted"},
	},
	"prod": {
		"ScaledObject":          {"spec.scaleTargetRef.name": "fraudstream", "spec.triggers.0.type": "kafka", "spec.triggers.0.metadata.lagThreshold": "50000"},
		"TriggerAuthentication": {"spec.secretTargetRef.0.name": "fraudstream-kafka"},
		"ServiceMonitor":        {"spec.endpoints.0.port": "http", "spec.endpoints.0.path": "/metrics"},
		"PrometheusRule":        {"spec.groups.0.name": "*"},
	},
}

// assertComplete wants each promised part in what Kustomize has built, and that whatever picks the pods by a label picks
// those of the deployment.
func assertComplete(t *testing.T, overlay, manifests string) {
	t.Helper()
	built := resources(t, manifests)
	for _, of := range []string{"both", overlay} {
		for kind, paths := range promised[of] {
			resource, ok := built[kind]
			if !ok {
				t.Errorf("%s has no %s", overlay, kind)
				continue
			}
			for path, want := range paths {
				if got := at(resource, path); got == nil || want != "*" && fmt.Sprint(got) != want {
					t.Errorf("%s, %s: %s is %v, want %s", overlay, kind, path, got, want)
				}
			}
		}
	}
	labels := fmt.Sprint(at(built["Deployment"], "spec.template.metadata.labels"))
	for kind, path := range map[string]string{
		"Deployment": "spec.selector.matchLabels", "Service": "spec.selector", "NetworkPolicy": "spec.podSelector.matchLabels",
		"PodDisruptionBudget": "spec.selector.matchLabels",
	} {
		if got := fmt.Sprint(at(built[kind], path)); got != labels {
			t.Errorf("%s, %s picks %s, the pods have %s", overlay, kind, got, labels)
		}
	}
}

// resources are the documents of a file by their kinds, of which none comes twice.
func resources(t *testing.T, manifests string) map[string]any {
	t.Helper()
	built := map[string]any{}
	for decoder := yaml.NewDecoder(strings.NewReader(manifests)); ; {
		var m map[string]any
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			return built
		} else if err != nil {
			t.Fatal(err)
		}
		kind := m["kind"].(string)
		if built[kind] != nil {
			t.Errorf("there are two of the kind %s", kind)
		}
		built[kind] = m
	}
}

// at follows a path of names and numbers. A name may have dots in it: the longest that fits is taken.
func at(node any, path string) any {
	if path == "" {
		return node
	}
	switch n := node.(type) {
	case []any:
		first, rest, _ := strings.Cut(path, ".")
		if i, err := strconv.Atoi(first); err == nil && i < len(n) {
			return at(n[i], rest)
		}
	case map[string]any:
		for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '.') {
			if value, ok := n[path[:end]]; ok {
				return at(value, strings.TrimPrefix(path[end:], "."))
			}
		}
	}
	return nil
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

// TestComposeBuildsEachImageOnce wants one service at most to build what has a name: with two, which are built side by
// side, the second may find the name taken.
func TestComposeBuildsEachImageOnce(t *testing.T) {
	t.Parallel()
	var project struct {
		Services map[string]struct {
			Image string
			Build any
		}
	}
	if err := yaml.Unmarshal([]byte(file(t, "compose.yaml")), &project); err != nil {
		t.Fatal(err)
	}
	built := map[string]string{}
	for name, s := range project.Services {
		if other := built[s.Image]; s.Build != nil && other != "" {
			t.Errorf("%s and %s both build %s", name, other, s.Image)
		} else if s.Build != nil {
			built[s.Image] = name
		}
	}
	if built["fraudstream"] == "" || built["fraudstream-generator"] == "" {
		t.Errorf("only these are built: %v", built)
	}
}

// TestExecutablesOfTheImagesAreStatic runs the line of the Dockerfile that builds them, under the variables that it sets
// and a C compiler, if there is one: what asks for a dynamic linker does not start in an image that is empty but for it.
func TestExecutablesOfTheImagesAreStatic(t *testing.T) {
	image := file(t, "Dockerfile")
	_, stage, _ := strings.Cut(image, " AS build\n")
	if variables, _, _ := strings.Cut(stage, "\nRUN make binary"); !strings.Contains(variables, "\nENV CGO_ENABLED=0\n") {
		t.Error("the Dockerfile builds without CGO_ENABLED=0")
	}
	needTools(t)
	line := regexp.MustCompile(`(?m)^RUN (.*go build .*)$`).FindStringSubmatch(image)
	if line == nil {
		t.Fatal("the Dockerfile builds nothing")
	}
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "sh", "-c", strings.NewReplacer("=/fraudstream", "="+dir+"/fraudstream", " /generate", " "+dir+"/generate").Replace(line[1]))
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=1", "GOOS=linux")
	for _, set := range regexp.MustCompile(`(?m)^ENV (\S+=\S+)$`).FindAllStringSubmatch(image, -1) {
		build.Env = append(build.Env, set[1])
	}
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for _, name := range []string{"fraudstream", "generate"} {
		executable, err := elf.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range executable.Progs {
			if part.Type == elf.PT_INTERP {
				t.Errorf("/%s asks for a dynamic linker", name)
			}
		}
		if err := executable.Close(); err != nil {
			t.Error(err)
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
