package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"fraudstream/cmd/fraudstream/privacy"
)

// No card number is in what the HTTP door shows to others than the caller whose event it was.
func TestNoCardNumberOverHTTP(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stderr, ended := &logLines{}, make(chan error, 1)
	listen, off := "127.0.0.1:0", ""
	command := &serveCommand{Model: "demo/bundle"}
	command.Listen, command.AdminListen = &listen, &off
	go func() {
		ended <- command.Run(ctx, streams{strings.NewReader(""), io.Discard, privacy.New(privacy.Options{}).Writer(stderr)})
	}()
	address := regexp.MustCompile(`"listening","address":"([^"]+)"`)
	for deadline := time.Now().Add(20 * time.Second); !address.MatchString(stderr.String()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not listen: %s", stderr.String())
		}
	}
	url := address.FindStringSubmatch(stderr.String())[1]
	ask := func(method, path, body string) string {
		request, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Card", examplePANs[0])
		request.Header.Set("X-Request-Id", examplePANs[0])
		return answerTo(t, request)
	}
	good, bad := panEvents()
	for _, event := range good {
		if answer := ask("POST", "/predict", event); !strings.Contains(answer, `"status":"success"`) {
			t.Errorf("%s is answered by %s", event, answer)
		}
	}
	for _, event := range bad {
		if answer := ask("POST", "/predict", event); len(leaks(answer)) > 0 || !strings.Contains(answer, `"error"`) {
			t.Errorf("%q is answered by %s", event, answer)
		}
	}
	shown := []string{
		ask("POST", "/predict?reasons=4111111111111111", good[0]), ask("GET", "/v2/models/4111111111111111", ""),
		ask("POST", "/v2/models/card-fraud/infer", `{"inputs":[{"name":"4111111111111111","shape":[1],"datatype":"BYTES","data":["4111111111111111"]}]}`),
	}
	// The page sets a decision aside only while somebody looks.
	state := ""
	for began := time.Now(); !strings.Contains(state, `"decisions":[{`) || !strings.Contains(state, `"refused":[{`); {
		if time.Since(began) > time.Minute {
			t.Fatalf("the console shows no decision or no refused event: %.600s", state)
		}
		state = ask("GET", "/console/state", "")
		ask("POST", "/predict", good[0])
		ask("POST", "/predict", bad[0])
		time.Sleep(50 * time.Millisecond)
	}
	shown = append(shown, state)
	for _, path := range []string{"/metrics", "/drift", "/console/state", "/openapi.json", "/"} {
		shown = append(shown, ask("GET", path, ""))
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, text := range append(shown, stderr.String()) {
		if found := leaks(text); len(found) > 0 {
			t.Errorf("%v in %.600s", found, text)
		}
	}
}
