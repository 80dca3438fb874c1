package scoring

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestCodesListsAll reads the constants from the source, so that a new one cannot be forgotten.
func TestCodesListsAll(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []Code
	for _, match := range regexp.MustCompile(`(?m)^\t\w+ +Code = "(\w+)"`).FindAllSubmatch(text, -1) {
		declared = append(declared, Code(match[1]))
	}
	listed := Codes()
	slices.Sort(declared)
	slices.Sort(listed)
	if len(declared) < 10 || !slices.Equal(declared, listed) {
		t.Errorf("declared %v\nlisted   %v", declared, listed)
	}
}
