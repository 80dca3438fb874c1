package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// A password is text, whatever it looks like, and is seen by the broker alone.
func TestPasswordIsTextAndSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	for _, password := range []string{"hunter2", "0123456", "1e5", "true", "12", "#: {x", `a"b`} {
		t.Setenv("FRAUD_TEST_PASSWORD", password)
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, from := range []string{"${env:FRAUD_TEST_PASSWORD}", "${file:" + file + "}", `"${env:FRAUD_TEST_PASSWORD}"`} {
			c, err := loadConfig(writeConfig(t, "kafka:\n  sasl:\n    mechanism: PLAIN\n    username: ann\n    password: "+from+"\n"))
			if err != nil {
				t.Errorf("%q from %s: %v", password, from, err)
				continue
			}
			if string(c.Kafka.SASL.Password) != password {
				t.Errorf("read %q, want %q", string(c.Kafka.SASL.Password), password)
			}
			asJSON, _ := json.Marshal(c)
			asYAML, _ := yaml.Marshal(c)
			var log strings.Builder
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c.Kafka, "p", c.Kafka.SASL.Password)
			for _, shown := range []string{string(asJSON), string(asYAML), log.String(), fmt.Sprintf("%v %+v %#v", c, c, c)} {
				if !strings.Contains(shown, "[secret]") || len(password) > 4 && strings.Contains(shown, password) {
					t.Errorf("the password %q shows, or its place does not: %s", password, shown)
				}
			}
		}
	}
}
