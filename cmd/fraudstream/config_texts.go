package main

import (
	_ "embed"
	"regexp"
	"strings"
)

// initFile is the file that init writes. It is also where the descriptions of the JSON Schema are from: what an editor
// shows beside a key is what stands above it there.
//
//go:embed init.yaml
var initFile string

// keyLine is a line with a key: in force, or with a # directly before it. Prose has a blank behind the #.
var keyLine = regexp.MustCompile(`^( *)(#?)([a-z_]+):(.*)$`)

// A keyText is what init.yaml says of a key.
type keyText struct {
	description string
	example     string // the value, in force or not; empty where keys follow
	commented   bool
}

// keyTexts reads init.yaml: the comment above a key, by the path of the key. The names below event.fields and
// drift.features are examples of a feature and stand for any.
func keyTexts() map[string]keyText {
	texts := map[string]keyText{}
	var (
		names   []string // of the keys around, by depth
		comment []string
	)
	for line := range strings.Lines(initFile) {
		line = strings.TrimRight(line, "\n")
		parts := keyLine.FindStringSubmatch(line)
		if parts == nil {
			text, isComment := strings.CutPrefix(strings.TrimSpace(line), "# ")
			if !isComment {
				comment = nil
				continue
			}
			comment = append(comment, text)
			continue
		}
		depth, name := len(parts[1])/2, parts[3]
		if depth > 0 && (pathOf(names[:depth]) == "event.fields" || pathOf(names[:depth]) == "drift.features") {
			name = "*"
		}
		names = append(names[:depth], name)
		texts[pathOf(names)] = keyText{strings.Join(comment, " "), strings.TrimSpace(parts[4]), parts[2] == "#"}
		comment = nil
	}
	return texts
}

// pathOf joins the names of nested keys.
func pathOf(names []string) string { return strings.Join(names, ".") }
