// Command sbom writes the bill of materials of a Go executable, as CycloneDX JSON on stdout:
//
//	go run ./deploy/sbom bin/fraudstream > bin/fraudstream.cdx.json
//
// It reads what the linker has noted in the executable itself: the modules that are really in it, their versions and the
// hashes that go.sum holds. So it cannot name what was left out, nor leave out what is there. The same executable gives the
// same bytes.
//
// # What is in it
//
// One component is the executable, with its SHA-256 and the settings that it was built with. The others are libraries: the
// standard library, under the name std that vulnerability databases know it by, and each module. A reader finds them by
// their package URLs. Who needs whom is not noted in an executable, so all of them hang on it directly.
//
// # What is not in it
//
// No licences and no authors, which an executable does not tell, and neither time nor serial number: the first would make
// two builds of the same source differ, and the second would name a file that its checksum names better.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// bill is the part of CycloneDX 1.6 that is filled in. A test holds what is written against the published schema.
type bill struct {
	Schema      string      `json:"$schema"`
	Format      string      `json:"bomFormat"`
	SpecVersion string      `json:"specVersion"`
	Version     int         `json:"version"`
	Metadata    metadata    `json:"metadata"`
	Components  []component `json:"components"`
	Uses        []uses      `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

// component is one part, by its package URL. Ref, which names it within the bill, is the same.
type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version,omitempty"`
	PURL       string     `json:"purl"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

// property is what CycloneDX has no field for: build settings (go:build:…), and go.sum's hash of a module's files (go:sum),
// which is no digest of a file and so no hash in the sense of the schema.
type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// uses says that the executable contains the modules. Which module needs which is not noted in it.
type uses struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sbom EXECUTABLE > FILE")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// write reads the executable and writes its bill, indented, so that two of them can be compared by eye.
func write(w io.Writer, path string) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	bytes, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(list(info, sha256.Sum256(bytes)))
}

// list names the executable, the standard library and every module; of a replaced one what stands in its place.
func list(info *debug.BuildInfo, sum [sha256.Size]byte) bill {
	program := component{
		Type: "application", Ref: purl(info.Main.Path, ""), Name: info.Main.Path, PURL: purl(info.Main.Path, ""),
		Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}},
	}
	for _, s := range info.Settings {
		program.Properties = append(program.Properties, property{"go:build:" + s.Key, s.Value})
	}
	b := bill{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: metadata{program},
	}
	add := func(c component) {
		b.Components = append(b.Components, c)
	}
	version := info.GoVersion[len("go"):]
	add(component{Type: "library", Ref: purl("std", version), Name: "std", Version: version, PURL: purl("std", version)})
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		add(component{
			Type: "library", Ref: purl(m.Path, m.Version), Name: m.Path, Version: m.Version, PURL: purl(m.Path, m.Version),
			Properties: []property{{"go:sum", m.Sum}},
		})
	}
	contains := uses{Ref: program.Ref}
	for _, c := range b.Components {
		contains.On = append(contains.On, c.Ref)
	}
	b.Uses = []uses{contains}
	return b
}

// purl is the package URL of a module: https://github.com/package-url/purl-spec, type golang.
func purl(path, version string) string {
	if version == "" {
		return "pkg:golang/" + path
	}
	return "pkg:golang/" + path + "@" + version
}
