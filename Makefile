# The chores of this repository. `make demo` is the place to start.
CARGO ?= cargo
ROUNDS ?= 30

# Built in these groups and no others: another choice of packages is another choice of features, for which cargo
# would build the AWS SDK a second time (minutes).
PROVIDER = --package consistent-aws --package terraform-provider-consistent
STAGE = --package lab --package acceptance

# Where install.sh puts a Python with the AWS clients, if the machine has none.
export PATH := $(PATH):$(CURDIR)/.cache/python/bin

.PHONY: demo test lint unit conformance lab scenarios every-scenario bench binaries install install-demo clean

demo: install-demo ## a proven image beside a plain one, of a live PostgreSQL, in the lab
	@echo "Building (cold: some ten minutes, most of it the AWS SDK; later: seconds)"
	@$(CARGO) build --quiet $(PROVIDER)
	@$(CARGO) build --quiet $(STAGE)
	@$(CARGO) run --quiet --package acceptance --bin demo

test: install lint unit conformance lab scenarios ## everything but the benchmark, as CI runs it

lint: ## formatting, clippy, layers, claims
	$(CARGO) fmt --all --check
	$(CARGO) xtask layers
	$(CARGO) xtask claims
	$(CARGO) clippy --workspace --all-targets -- -D warnings

unit: ## the proof, the guest scripts on real servers, the adapters, the provider, its schema and docs
	$(CARGO) test --package quiesce
	$(CARGO) test --package xtask
	$(CARGO) build $(PROVIDER)
	$(CARGO) test $(PROVIDER)
	$(CARGO) xtask schema --check
	$(CARGO) xtask docs --check

conformance: ## tfplug under the real terraform
	$(CARGO) test --package tfplug --package tfplug-derive --package terraform-provider-disk

# They mostly wait, and each has a lab of its own: more of them at a time than there are cores.
lab: ## the lab's own tests: what it believes about AWS, volumes, instances, the agent
	$(CARGO) test --package lab -- --test-threads=3

scenarios: binaries ## the real terraform against the lab, with a real database under load
	$(CARGO) test $(STAGE) --lib --bins
	$(CARGO) test $(STAGE) --test scenarios -- --test-threads=3

every-scenario: install binaries ## those too that `scenarios` leaves out: databases that are nearly others
	$(CARGO) test $(STAGE) --test scenarios -- --include-ignored

bench: install binaries ## clean images by count, holds in ms; ROUNDS=n a row; writes acceptance/bench/RESULTS.md
	$(CARGO) run --package acceptance --bin bench -- --rounds $(ROUNDS)

binaries:
	$(CARGO) build $(PROVIDER)
	$(CARGO) build $(STAGE)

install: ## what the tests need from Debian and pip
	@acceptance/install.sh test

install-demo:
	@acceptance/install.sh

clean: ## remove what was built
	$(CARGO) clean
