package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestReadyCommand asks a process that is ready, one that is not and says why, and one that is not there.
func TestReadyCommand(t *testing.T) {
	t.Parallel()
	ready := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !ready {
			http.Error(w, "the group was not joined yet", http.StatusServiceUnavailable)
		}
	}))
	command := &readyCommand{URL: server.URL}
	if err := command.Run(t.Context(), streams{}); err != nil {
		t.Errorf("a ready process: %v", err)
	}
	ready = false
	if err := command.Run(t.Context(), streams{}); err == nil || !strings.Contains(err.Error(), "the group was not joined yet") {
		t.Errorf("a process that is not ready: %v", err)
	}
	server.Close()
	if err := command.Run(t.Context(), streams{}); err == nil {
		t.Error("nobody is there, and the command says ready")
	}
}
