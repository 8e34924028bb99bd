# Everything a contributor types. `make help` lists it.
SHELL := /bin/sh
UV_VERSION := 0.13.9
PYTHON ?= python3
BIN := .venv/bin
CASES ?= ../shared/conformance

.PHONY: help run test check acceptance bench bench-deps conformance lock clean
.DEFAULT_GOAL := help

help: ## List the targets.
	@grep -E '^[a-z./-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

# ensurepip is missing on a bare Debian and pip refuses the system's own Python, so pip is
# pointed at the new environment from outside; uv then does the rest, from hashes only.
.venv/.ready: requirements-dev.lock pyproject.toml Makefile ## Make the environment in .venv.
	@echo "Preparing .venv (a few seconds) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip .venv
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

run: .venv/.ready ## Serve with a demo on an embedded PostgreSQL, with an Envoy beside it.
	@$(BIN)/controlplane serve --demo

test: .venv/.ready check ## Run every check and test.
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile $(ARGS)

check: .venv/.ready ## Lint, types and the direction of imports.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

acceptance: .venv/.ready ## Sell GitHub's whole REST API; run a TypeScript client (needs node and npm).
	cd tests/acceptance && npm ci --silent
	$(BIN)/python -m pytest -q --override-ini addopts= --strict-markers --import-mode=importlib tests/acceptance $(ARGS)

conformance: .venv/.ready ## Run the cases of CASES, a folder from outside the project.
	@if [ -d "$(CASES)" ]; then $(BIN)/python -m tests.conformance "$(CASES)"; \
	else echo "conformance: there is no folder $(CASES); name one with CASES=DIR"; fi

bench-deps: .venv/.ready ## Install what the benchmarks compare with, and what loads it (Debian).
	cd benchmarks && npm ci --silent --no-audit --no-fund
	@mkdir -p var/bench && cd var/bench && for version in 22.0.0 23.0.0 23.0.1; do \
		test -s github-$$version.json || { npm pack --silent @octokit/openapi@$$version >/dev/null && \
		tar -xzOf octokit-openapi-$$version.tgz package/generated/api.github.com.json > github-$$version.json && \
		rm octokit-openapi-$$version.tgz; } || exit 1; done
	@test -x var/bench/peer/bin/python || $(BIN)/uv venv --quiet var/bench/peer
	@$(BIN)/uv pip sync --quiet --python var/bench/peer/bin/python --require-hashes benchmarks/peers.lock
	@{ command -v nginx && command -v wrk && command -v etcd && command -v haproxy; } >/dev/null || apt-get install -y --no-install-recommends nginx-light wrk etcd-server haproxy

bench: bench-deps ## Run every benchmark; each prints one JSON line at its end.
	$(BIN)/python benchmarks/append.py
	$(BIN)/python benchmarks/rebuild.py
	$(BIN)/python benchmarks/catalogue.py
	$(BIN)/python benchmarks/mutation.py
	$(BIN)/python benchmarks/poll.py
	$(BIN)/python benchmarks/contract_diff.py
	$(BIN)/python benchmarks/gate.py
	$(BIN)/python benchmarks/wake.py
	$(BIN)/python benchmarks/delta.py
	$(BIN)/python benchmarks/propagation.py
	$(BIN)/python benchmarks/cold_gateway.py

lock: .venv/.ready ## Resolve the dependencies again into the two locks.
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links -c requirements.lock pyproject.toml --all-extras --group dev -o requirements-dev.lock

clean: ## Remove what was built; data under var/ stays.
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache node_modules
