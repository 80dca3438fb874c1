# The one entry is `make check`: what CI runs, and what should pass before a commit.

# Pinned here and nowhere else; `go run` builds it once and keeps the executable in Go's build cache.
LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BENCHSTAT = go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

BINARY = bin/fraudstream
GOOS = $(shell go env GOOS)
GOARCH = $(shell go env GOARCH)

BENCH = .
COUNT = 6

.PHONY: build test format format-check lint check newest bench delivery nemesis nemesis-table release binary reproduce

build:
	go build -o bin/fraudstream ./cmd/fraudstream

test:
	go test ./...

format:
	$(LINT) fmt

format-check:
	$(LINT) fmt --diff

lint:
	$(LINT) run

# Format, vet, lint, race tests, fuzz smoke, and the tiers on real Kafka, scikit-learn and Prometheus where Java, Python
# and promtool are there. It says at its end what it skipped; with CI=true a skipped tier fails.
check:
	@.ci/check

# Every family of models trained afresh with the newest releases of their libraries, and compared.
newest:
	FRAUDSTREAM_PYTHON=$$(.ci/python newest) go test ./scoring -run '^TestFresh$$' -count=1 -v

# Speed on one core, per row, event and so on, beside the plain loops: each benchmark COUNT times, summed up by
# benchstat. The figures stay in bin/bench.txt, to be compared with those of another commit. Wants a quiet machine.
bench:
	@mkdir -p bin
	go test -run '^$$' -bench '$(BENCH)' -benchtime 0.5s -count $(COUNT) -cpu 1 -timeout 1h ./... >bin/bench.txt
	$(BENCHSTAT) bin/bench.txt

# The bad day on three brokers of Apache Kafka behind proxies, both modes and the plain loop beside them: every fault once,
# and more of them until NEMESIS is over, then those of rights and certificates on brokers with logins. The seed is printed,
# and FRAUDSTREAM_SEED=… replays its schedule; FAULTS=cut,SIGKILL keeps the rows with one of the words. Results and logs
# stay in bin/nemesis; nemesis-table adds up the results there into the table of the README: one table for each version of
# Kafka, of the runs that came to a good end; it names those that did not.
NEMESIS = 10m
KAFKA = 4.4.0
FAULTS =
NEMESIS_TESTS = ^TestNemesis(Secure)?$$

nemesis:
	@mkdir -p bin/nemesis
	FRAUDSTREAM_REAL_KAFKA=1 FRAUDSTREAM_KAFKA_VERSION=$(KAFKA) FRAUDSTREAM_NEMESIS=$(NEMESIS) FRAUDSTREAM_NEMESIS_FAULTS='$(FAULTS)' \
		FRAUDSTREAM_NEMESIS_DIR=$(CURDIR)/bin/nemesis go test ./cmd/fraudstream -run '$(NEMESIS_TESTS)' -count=1 -v -timeout 3h

nemesis-table:
	@go run ./cmd/fraudstream/nemesis/table bin/nemesis/results.jsonl

# What is handed out: the executable, its bill of materials and its checksums; then whether something is known against it.
# It fails where something is, and where the database of vulnerabilities cannot be asked (GOVULNDB=file:///… is a copy).
release: binary
	go run ./deploy/sbom $(BINARY) >$(BINARY).cdx.json
	cd $(dir $(BINARY)) && sha256sum $(notdir $(BINARY)) $(notdir $(BINARY)).cdx.json >$(notdir $(BINARY)).sha256
	@.ci/vulnerabilities

# Both deliveries on one Apache Kafka (needs Java 17): throughput, latency, CPU of client and broker. Seven rounds take
# about three minutes on a quiet machine, and mean little on another.
delivery:
	FRAUDSTREAM_REAL_KAFKA=1 go test ./consumer -run '^$$' -bench '^BenchmarkDelivery$$' -benchtime 7x -timeout 15m

# A static executable that is the same, byte for byte, from the same source and Go, wherever it is built.
binary:
	CGO_ENABLED=0 GOOS=$(GOOS) GOARCH=$(GOARCH) go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o $(BINARY) ./cmd/fraudstream

# Builds it twice, the second time elsewhere and with nothing compiled before, and compares.
reproduce:
	@.ci/reproduce
