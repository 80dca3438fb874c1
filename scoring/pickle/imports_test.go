package pickle

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestImports holds the promise that reading a model runs nothing: the package could not if it wanted to. It knows
// neither files nor processes, network, reflection, plugins nor unsafe memory.
func TestImports(t *testing.T) {
	allowed := map[string]bool{
		"bytes": true, "compress/bzip2": true, "encoding/binary": true, "errors": true, "fmt": true, "io": true,
		"math": true, "math/big": true, "slices": true, "strconv": true, "strings": true, "unicode/utf8": true,
		"github.com/klauspost/compress/gzip": true, "github.com/klauspost/compress/zlib": true,
		"github.com/pierrec/lz4/v4": true, "github.com/ulikunitz/xz": true, "github.com/ulikunitz/xz/lzma": true,
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source files: %v", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range source.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err != nil || !allowed[path] {
				t.Errorf("%s imports %s, which is not on the list", file, spec.Path.Value)
			}
		}
	}
}
