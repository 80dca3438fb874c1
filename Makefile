# The one entry is `make check`: what CI runs, and what should pass before a commit.

# Pinned here and nowhere else; `go run` builds it once and keeps the executable in Go's build cache.
LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: build test format format-check lint check newest bench release

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

bench:
	go test -run '^$$' -bench . -benchmem ./...

# A static executable that is the same, byte for byte, from the same source and Go.
release:
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o bin/fraudstream ./cmd/fraudstream
