# RaftKv. `make` alone lists the targets.

SIM_SEEDS ?= 200
SEEDS ?= 1000
GOLDEN_SUITES ?= RaftKv.Raft.Tests

simulator := artifacts/bin/RaftKv.Simulator/release/RaftKv.Simulator

export SIM_SEEDS
export DOTNET_NOLOGO = 1
export DOTNET_CLI_TELEMETRY_OPTOUT = 1

.DEFAULT_GOAL := help
.PHONY: help build up test faults sim golden mutants bench jepsen jepsen-all failover kill-table microbench fmt clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## Install librocksdb if it is missing, build, and start three nodes with eight shards in the foreground
	@tests/deps.sh run
	@$(MAKE) --no-print-directory build
	@exec bin/shardctl playground

build: ## Build everything in Release; the programs are in bin/
	dotnet build RaftKv.sln --configuration Release --verbosity quiet
	dotnet publish node/RaftKv.Node --configuration Release --verbosity quiet --property:AheadOfTime=true
	@mkdir -p bin
	@ln -sfn ../artifacts/ahead/publish/RaftKv.Node/release_linux-x64/RaftKv.Node bin/raftkv-node
	@ln -sfn ../artifacts/bin/shardctl/release/shardctl bin/shardctl
	@ln -sfn ../artifacts/bin/RaftKv.Harness/release/jepsen-style bin/jepsen-style

test: ## Build, check the format, run every test, SIM_SEEDS=200 simulations and the mutants; last line: N passed, N failed
	@tests/run.sh

faults: ## The tests of real nodes that are too long for make test: every sync and write made to fail, each in a life of its own; some ten minutes, needs strace
	@dotnet build tests/RaftKv.Node.Tests --configuration Release --verbosity quiet
	@artifacts/bin/RaftKv.Node.Tests/release/RaftKv.Node.Tests -explicit only -showLiveOutput

sim: ## Simulate SEEDS=1000 clusters, from START on if given; the same command goes on where it was stopped (FRESH=1: anew); SEED=n replays one with its trace
	@dotnet build tests/RaftKv.Simulator --configuration Release --verbosity quiet
	@$(simulator) $(if $(SEED),replay --seed $(SEED),run --seeds $(SEEDS) $(if $(START),--start $(START)) $(if $(FRESH),--fresh)) $(if $(THEME),--theme $(THEME))

golden: ## Rewrite the expected text of the scenario files; read the diff before you commit it
	@GOLDEN_REWRITE=1 tests/run.sh $(GOLDEN_SUITES)

mutants: ## Search SEEDS=1000 seeds for each deliberate fault of tests/mutants, and note which catch it
	@SEEDS=$(SEEDS) tests/mutants/run.sh --search

bench: ## Measure RaftKv beside etcd: BENCH="puts gets shards idle kills allocations", ROUNDS=5, DURATION=10 (s), ETCD=program
	@tests/deps.sh run
	@$(MAKE) --no-print-directory build
	@exec bin/shardctl bench compare $(BENCH) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(DURATION),--seconds $(DURATION)) $(if $(ETCD),--etcd $(ETCD))

jepsen: ## Break real nodes on purpose and check every answer: every workload once, the main faults; some ten minutes
	@tests/deps.sh run
	@$(MAKE) --no-print-directory build
	@exec bin/jepsen-style tour $(if $(SEED),--seed $(SEED))

jepsen-all: ## Every workload under every fault, some five hours; goes on where it was stopped
	@tests/deps.sh run
	@$(MAKE) --no-print-directory build
	@exec bin/jepsen-style matrix $(if $(SEED),--seed $(SEED))

failover: ## How long writes stop when a leader does, beside etcd: REPS=20, FAULTS=kill,pause,isolate,stop,hang; goes on where it was stopped (FRESH=1: anew)
	@tests/deps.sh test
	@$(MAKE) --no-print-directory build
	@exec bin/jepsen-style failover $(if $(REPS),--reps $(REPS)) $(if $(FAULTS),--faults $(FAULTS)) $(if $(SEED),--seed $(SEED)) $(if $(FRESH),--fresh)

kill-table: ## Nodes with deliberate faults must be convicted by jepsen-style: MUTANT="AckBeforeSync" for one of them
	@$(MAKE) --no-print-directory build
	@tests/mutants/kill-table.sh $(MUTANT)

microbench: ## Measure the stages of the write path, each alone; FILTER=*Persist* for one of them
	@dotnet build tests/RaftKv.Benchmarks --configuration Release --verbosity quiet
	@artifacts/bin/RaftKv.Benchmarks/release/RaftKv.Benchmarks --filter '$(or $(FILTER),*)'

fmt: ## Format the code
	dotnet format RaftKv.sln

clean: ## Delete what was built; data directories stay
	rm -rf artifacts bin
