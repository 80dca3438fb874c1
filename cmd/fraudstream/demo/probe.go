package demo

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// glance is how long the show waits for an answer of a worker's HTTP door: it never holds up the stream for it.
const glance = 300 * time.Millisecond

// These, and those of the console, are the only questions that the show asks the program it shows. They decorate: the summary does not need them,
// and where no answer comes the show goes on without.

// amountPSI is the largest PSI of the amount that the workers show in their metrics; false where none shows one.
func amountPSI(ctx context.Context, workers []*worker) (float64, bool) {
	largest, found := 0.0, false
	for _, w := range workers {
		if x, ok := gauge(ctx, w.listen, `fraudstream_drift_psi{feature="amount"}`); ok {
			largest, found = max(largest, x), true
		}
	}
	return largest, found
}

// gauge reads one sample from the metrics at an address. sample is a line of the Prometheus text format up to
// its value, labels included. A gauge that is NaN, as one without data is, counts as none.
func gauge(ctx context.Context, address, sample string) (float64, bool) {
	ctx, cancel := context.WithTimeout(ctx, glance)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return 0, false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, false
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), sample+" "); ok {
			x, err := strconv.ParseFloat(value, 64)
			return x, err == nil && x == x
		}
	}
	return 0, false
}

// predicts tells whether an event that is posted to a worker is answered with a decision. The status is enough;
// what the answer says is for the person who asks the same question.
func predicts(ctx context.Context, address string, event []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, glance)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/predict", bytes.NewReader(event))
	if err != nil {
		return false
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}
