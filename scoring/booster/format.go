package booster

import (
	"bytes"
	"strings"
)

// Format tells the format of a bare file by its content, in the words of model.format; empty for what no booster
// writes. It looks for names in the file and parses nothing.
//
// JSON and UBJSON both begin with a brace; a name follows it, in JSON behind a quotation mark, in UBJSON behind
// the type of its length. Sixty-four bytes are looked at for the beginning, the whole file for the names: a JSON
// writer may put a great deal before them.
func Format(data []byte) string {
	head := bytes.TrimLeft(data[:min(len(data), 64)], " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte("tree\n")), bytes.HasPrefix(head, []byte("tree\r\n")):
		return "lightgbm-text"
	case len(head) < 2 || head[0] != '{':
		return ""
	case head[1] != '"' && !isSpace(head[1]):
		return "xgboost-ubj"
	case bytes.Contains(data, []byte(`"learner"`)):
		return "xgboost-json"
	case bytes.Contains(data, []byte(`"features_info"`)):
		return "catboost-json"
	}
	return ""
}

// isSpace tells what JSON takes for white space.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// SameName compares a feature with the name that a booster keeps for it: LightGBM writes a space as "_".
func SameName(feature, kept string) bool {
	return feature == kept || strings.ReplaceAll(feature, " ", "_") == kept
}
