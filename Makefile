# The chores of this repository. `make demo` is the place to start.
CARGO ?= cargo
ROUNDS ?= 30

.PHONY: demo test lint unit conformance lab scenarios bench install clean

demo: install ## a proven image beside a plain one, of a live PostgreSQL, in the lab
	@$(CARGO) build --quiet --package terraform-provider-consistent --package lab --package acceptance
	@$(CARGO) run --quiet --package acceptance --bin demo

test: install lint unit conformance lab scenarios ## everything, as CI runs it

lint: ## formatting, clippy, layers, guest scripts
	$(CARGO) fmt --all --check
	$(CARGO) xtask layers
	$(CARGO) clippy --workspace --all-targets -- -D warnings

unit: ## the libraries: seconds once built
	$(CARGO) test --package quiesce --package consistent-aws --package xtask --package terraform-provider-consistent

conformance: ## tfplug under the real terraform
	$(CARGO) test --package tfplug --package tfplug-derive

lab: ## the lab's own tests: what it believes about AWS, volumes, instances, the agent
	$(CARGO) test --package lab -- --test-threads=1

scenarios: ## the real terraform against the lab, with a real database under load
	$(CARGO) build --package terraform-provider-consistent --package lab
	$(CARGO) test --package acceptance -- --test-threads=1

bench: install ## clean images by count, holds in ms; ROUNDS=n a row; writes acceptance/bench/RESULTS.md
	$(CARGO) build --package terraform-provider-consistent --package lab --package acceptance
	$(CARGO) run --package acceptance --bin bench -- --rounds $(ROUNDS)

install: ## what demo and test need from Debian, pip and npm
	@acceptance/install.sh

clean: ## tear down a lab that was left, and remove what was built
	-$(CARGO) run --quiet --package lab -- down
	$(CARGO) clean
