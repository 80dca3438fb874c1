package deploy_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// cycloneDX is the schema of CycloneDX 1.6 with the two that it takes in, as the OWASP Foundation publishes them under the
// Apache License 2.0.
func cycloneDX(t *testing.T) *jsonschema.Schema {
	t.Helper()
	const published = "http://cyclonedx.org/schema/"
	compiler := jsonschema.NewCompiler()
	for _, name := range []string{"bom-1.6.schema.json", "spdx.schema.json", "jsf-0.82.schema.json"} {
		packed, err := os.Open(filepath.Join("testdata", name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer packed.Close()
		text, err := gzip.NewReader(packed)
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource(published+name, document); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile(published + "bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// bill is what the tests look at of a bill of materials, beside its schema.
type bill struct {
	BomFormat, SpecVersion string
	Metadata               struct {
		Component struct{ Hashes []struct{ Content string } }
	}
	Components []struct{ Name, Version, PURL string }
}

// assertBill holds a bill against the schema, and that it names what the executable says of itself.
func assertBill(t *testing.T, text, executable string) {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := cycloneDX(t).Validate(document); err != nil {
		t.Error(err)
	}
	var b bill
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, c := range b.Components {
		named[c.PURL] = c.PURL == "pkg:golang/"+c.Name+"@"+c.Version
	}
	about := output(t, "go", "version", "-m", executable)
	linked := regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`).FindAllStringSubmatch(about, -1)
	linked = append(linked, []string{"", "std", regexp.MustCompile(`: go(\S+)`).FindStringSubmatch(about)[1]})
	for _, m := range linked {
		if !named["pkg:golang/"+m[1]+"@"+m[2]] {
			t.Errorf("the bill does not name %s %s", m[1], m[2])
		}
	}
	if len(linked) != len(b.Components) || len(linked) < 3 {
		t.Errorf("the bill names %d modules, %d are linked", len(b.Components), len(linked))
	}
	sum, _, _ := strings.Cut(output(t, "sha256sum", executable), " ")
	if hashes := b.Metadata.Component.Hashes; len(hashes) != 1 || hashes[0].Content != sum {
		t.Errorf("the bill is of an executable with the hashes %v, and not %s", hashes, sum)
	}
}

// TestBillOfMaterials writes that of the generator, the smallest program here that links a library.
func TestBillOfMaterials(t *testing.T) {
	needTools(t)
	program := filepath.Join(t.TempDir(), "generate")
	output(t, "go", "build", "-o", program, "../cmd/fraudstream/demo/generate")
	text := output(t, "go", "run", "./sbom", program)
	assertBill(t, text, program)
	schema := cycloneDX(t)
	for right, wrong := range map[string]string{
		`"bomFormat": "CycloneDX"`: `"bomFormat": "SPDX"`, `"type": "library"`: `"type": "book"`, `"bom-ref"`: `"ref"`, `"SHA-256"`: `"SHA256"`,
	} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(text, right, wrong, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(document) == nil {
			t.Errorf("a bill with %s is valid", wrong)
		}
	}
}

// vulnerabilityDatabase is a folder in the form of vuln.go.dev. It knows of one vulnerability, in a function of a package
// that is a module.
func vulnerabilityDatabase(t *testing.T, module, symbol string) (address string) {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"index", "ID"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const id, modified = "GO-2026-0001", "2026-11-01T00:00:00Z"
	write(t, filepath.Join(dir, "ID", id+".json"), `{"schema_version": "1.3.1", "id": "`+id+`", "modified": "`+modified+`", "published": "`+modified+`",
		"summary": "Made up for a test", "details": "Made up for a test.", "database_specific": {"url": "https://pkg.go.dev/vuln/`+id+`"},
		"affected": [{"package": {"name": "`+module+`", "ecosystem": "Go"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
		"ecosystem_specific": {"imports": [{"path": "`+module+`", "symbols": ["`+symbol+`"]}]}}]}`)
	write(t, filepath.Join(dir, "index", "db.json"), `{"modified": "`+modified+`"}`)
	write(t, filepath.Join(dir, "index", "modules.json"), `[{"path": "`+module+`", "vulns": [{"id": "`+id+`", "modified": "`+modified+`"}]}]`)
	write(t, filepath.Join(dir, "index", "vulns.json"), `[{"id": "`+id+`", "modified": "`+modified+`"}]`)
	return "file://" + dir
}

// TestRelease runs `make release` with a database that knows of a function of a module which the program leaves out, with
// one that knows of a function which it calls, and with one that cannot be reached. Only the first is a release; what is
// made by then is the same.
func TestRelease(t *testing.T) {
	needTools(t)
	const kafka = "github.com/segmentio/kafka-go"
	for _, c := range []struct {
		name, database string
		fails          bool
		said           []string
	}{
		{"not in it", vulnerabilityDatabase(t, kafka, "NewReader"), false, []string{"vulnerabilities: none known"}},
		{"in it", vulnerabilityDatabase(t, kafka, "Client.Metadata"), true, []string{"vulnerabilities: FOUND", "GO-2026-0001", "kafka.Client.Metadata"}},
		{"no database", "http://127.0.0.1:1", true, []string{"vulnerabilities: NOT CHECKED, the database http://127.0.0.1:1 cannot be read"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			executable := filepath.Join(t.TempDir(), "fraudstream")
			command := exec.CommandContext(t.Context(), "make", "-C", "..", "release", "BINARY="+executable)
			command.Env = append(os.Environ(), "GOVULNDB="+c.database)
			said, err := command.CombinedOutput()
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || (err != nil) != c.fails {
				t.Fatalf("make release: %v, want a failure: %v\n%s", err, c.fails, said)
			}
			for _, words := range c.said {
				if !strings.Contains(string(said), words) {
					t.Errorf("make release does not say %q:\n%s", words, said)
				}
			}
			assertBill(t, file(t, executable+".cdx.json"), executable)
			check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "fraudstream.sha256")
			check.Dir = filepath.Dir(executable)
			if said, err := check.CombinedOutput(); err != nil || strings.Count(string(said), ": OK") != 2 {
				t.Errorf("%v: %s", err, said)
			}
		})
	}
}
