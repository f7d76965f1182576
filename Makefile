# Two commands for a newcomer: make run, make test. And a third that shows what it is for: make run-defect.

export CGO_ENABLED ?= 0
GO      ?= go
BIN     := bin/wreckon
VERSION := $(shell git describe --tags --always --dirty=+ 2>/dev/null)
RUNS    ?= 20
SEEDS   ?= 10
PROOF   ?= docs/proof.md
WITHIN  ?= 0
MANY    ?= 3000
SOAK    ?= 10m
CASES   ?= 1000000
EVENTS  ?= 100000000

.PHONY: build run run-defect run-docker test test-docker images race campaign prove bench differential fuzz soak stream clean
.DEFAULT_GOAL := build

build: ## the binary, with the reference system inside
	$(GO) build -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN) ./cmd/wreckon

run: build ## the default scenario: a verdict, the report's path, the command that repeats it
	$(BIN) run

run-defect: build ## the same scenario against a system with a bug: ends with a violation (and fails if it does not)
	@$(BIN) run --defect dedup-check-then-act; test $$? -eq 1

test: ## the ordinary test suite
	$(GO) vet ./...
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) test ./...

# PostgreSQL in a container: whatever the environment names, or what make images has made, or the public image.
run-docker test-docker: export WRECKON_IMAGE_POSTGRES ?= $(shell docker image inspect -f wreckon/postgres:15 wreckon/postgres:15 2>/dev/null)

run-docker: build ## the default scenario on PostgreSQL, each component in a container of its own (needs a Docker engine)
	$(BIN) run quick --env docker --target reference-postgres

images: ## the images of servers that targets name, made without a registry (needs root, debootstrap and a Docker engine; what is there is left alone)
	compose/images/build

test-docker: build images ## the container environment against a real engine, the canary in containers, and the tutorial
	WRECKON_REQUIRE_DOCKER=1 $(GO) test -count 1 ./internal/environment/containers
	WRECKON_REQUIRE_DOCKER=1 $(GO) test -count 1 -run 'InContainers|InAContainer' ./cmd/wreckon
	$(BIN) doctor --env docker
	$(BIN) run --env docker
	$(BIN) run compose/container-faults.yaml
	$(BIN) run postgres-crash --env docker
	@$(BIN) run --env docker --defect dedup-check-then-act; test $$? -eq 1

race: ## the packages in which goroutines meet, under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -p 1 ./history/... ./workloads/... ./faults/... ./checkers/... ./reports/... ./targets/... ./internal/...

campaign: build ## the smallest crash there is, three thousand times: make campaign MANY=300 for fewer
	$(GO) build -ldflags '-s -w' -o compose/tally/tally ./compose/tally
	$(BIN) campaign compose/tally/smallest-crash.yaml --runs $(MANY) --parallel 24

prove: build ## every defect is found by the checker that must find it; the correct system passes every scenario
	$(BIN) prove --runs $(RUNS) --seeds $(SEEDS) --within $(WITHIN) $(if $(PARALLEL),--parallel $(PARALLEL)) --write $(PROOF)

bench: ## the figures of docs/performance.md, each beside its baseline
	$(GO) test -run '^$$' -bench . -benchtime 1s ./history ./faults/... ./workloads ./checkers ./reports ./reference ./reference/telemetry ./internal/environment/... ./cmd/wreckon

differential: ## the checkers that are fast against slow ones that follow the definition: make differential CASES=20000 for less
	WRECKON_CASES=$(CASES) $(GO) test -run Agree -count 1 -timeout 24h ./checkers -rapid.checks $(CASES)

fuzz: ## every decoder, a minute each
	for t in $$(grep -rln --include='*_test.go' 'func Fuzz' .); do \
	  for f in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' $$t); do \
	    $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime 60s -fuzzminimizetime 10x ./$$(dirname $$t) || exit 1; done; done

soak: ## shapes and traps come and go under aborted connections: make soak SOAK=20s for less
	SOAK=$(SOAK) $(GO) test -run '^TestSoak$$' -count 1 -v -timeout 24h ./faults/proxy

stream: ## a long history is written to a file, judged block by block, and removed: make stream EVENTS=10000000 for less
	WRECKON_STREAM=$(EVENTS) $(GO) test -run '^TestStream$$' -count 1 -v -timeout 24h ./checkers

clean:
	rm -rf bin runs
