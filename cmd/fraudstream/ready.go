package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// readyCommand asks a process whether it is ready. It is for the health checks of containers, in whose image there is
// no shell and no other client.
type readyCommand struct {
	URL string `help:"What to ask." default:"http://127.0.0.1:8080/readyz" placeholder:"URL"`
}

// Run is silent where the answer is 200, and fails with the answer where it is not.
func (c *readyCommand) Run(ctx context.Context, _ streams) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("--url: %w", err)}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 200)) // what is left of it helps
		return fmt.Errorf("%s answers %s: %s", c.URL, response.Status, text)
	}
	return nil
}
