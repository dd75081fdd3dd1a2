# `make` lists the targets. PYTHON chooses the interpreter the environment is built on.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# For pytest: make test ARGS="-k month". -n auto costs 2.5 s of start on two cores: worth it past 10 s.
ARGS := -n auto

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench format lock clean

help: ## these lines
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.ready ## the environment in .venv, from the hash-checked lock

run: setup ## the demo: eight contracts over five years, billed, collected and chased every month
	$(BIN)/billing demo

test: setup ## every test, on SQLite and on a real PostgreSQL
	$(BIN)/python -m pytest $(ARGS)

check: setup ## style, types, who imports whom, the published series
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m indices

bench: setup ## contracts, events, money, documents, entries, projections, requests a second, on this machine
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.money
	$(BIN)/python -m tests.bench.bank
	$(BIN)/python -m tests.bench.documents --times 1
	$(BIN)/python -m tests.bench.ledger 20000
	$(BIN)/python -m tests.bench.projections
	$(BIN)/python -m tests.bench.api

format: setup ## lay the code out, sort imports
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command 'make lock' $(UPGRADE)
lock: setup ## requirements*.txt from pyproject.toml; UPGRADE=--upgrade for newer versions
	$(COMPILE) pyproject.toml --output-file requirements.txt
	$(COMPILE) pyproject.toml --group dev --constraints requirements.txt \
		--output-file requirements-dev.txt

clean: ## remove the environment and the caches
	rm -rf $(VENV) dist .schemathesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Without uv, pip brings the locked one first: it installs the rest in a tenth of the time.
PIP = $(BIN)/python -m pip install -qq --no-input --disable-pip-version-check --require-hashes

# Compiled once, here: a process of the tests starts in a second less, also where Python is told to
# write no bytecode of its own.
# The stamps come last, so an environment left half made is made again, from nothing.
$(VENV)/.locked: requirements-dev.txt
	@command -v $(PYTHON) >/dev/null || { echo 'No $(PYTHON) here: make PYTHON=/path/to/python3.11'; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else \
		"billing needs Python 3.11 or later, $(PYTHON) is %d.%d: make PYTHON=/path/to/python3.11" % v)'
	rm -rf $(VENV)
	@if uv --version >/dev/null 2>&1; then set -ex; \
		uv venv --quiet --no-project --no-python-downloads --python "$$(command -v $(PYTHON))" $(VENV); \
		uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.txt; \
	else set -ex; \
		$(PYTHON) -m venv $(VENV); \
		awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements-dev.txt > $(VENV)/uv.txt; \
		if $(PIP) -r $(VENV)/uv.txt; \
		then $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.txt; \
		else $(PIP) -r requirements-dev.txt; fi; \
	fi
	@touch $@

# hatchling and uv are in the lock: nothing is downloaded here.
$(VENV)/.ready: $(VENV)/.locked pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src projections indices tests
	@touch $@
