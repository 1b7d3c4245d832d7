# Every target sets up its own environment in .venv; Python 3.11+ with venv and pip is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: setup setup-dev demo test lint bench bench-intake bench-line bench-peers fuzz hostile-intake check-peers kill-test tampering quality breaks docs clean

$(VENV)/.run: requirements/run.txt requirements/build.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Isthmus needs Python 3.11 or newer; set PYTHON=python3.x") if sys.version_info < (3, 11) else None'
	@echo "Setting up $(VENV) (once; a minute or two, longer on a busy machine)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/run.txt -r requirements/build.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.lab: $(VENV)/.run requirements/lab.txt
	@echo "Setting up the simulated company (once)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/lab.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.lab requirements/dev.txt
	@echo "Setting up what tests need (once)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

setup: $(VENV)/.run

setup-dev: $(VENV)/.dev

## The product on its defaults against a simulated company. `make demo ARGS=--once` exits by itself.
demo: $(VENV)/.lab
	@$(BIN)/isthmus demo $(ARGS)

## Everything that needs only Python.
test: $(VENV)/.dev
	@$(BIN)/python -m pytest $(ARGS)

## Style, types, floors, generated pages.
lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python docs/generate.py --check

## Alerts per second and memory, as a multiple of decoding the same bytes.
bench: $(VENV)/.dev
	@$(BIN)/python bench/triage.py $(ARGS)

## 20,000 mutated payloads; a lane of its own.
fuzz: $(VENV)/.dev
	@PYTHONPATH=. $(BIN)/python bench/mutations.py $(ARGS)

## Deliveries acknowledged a second beside a bare floor, at 1, 16 and 64 connections.
bench-intake: $(VENV)/.dev
	@$(BIN)/python bench/intake.py $(ARGS)

## The whole line, each figure beside its target: intake, cases, growth, ledger, kill switch (twenty minutes or more).
bench-line: $(VENV)/.dev
	@PYTHONPATH=. $(BIN)/python bench/line.py $(ARGS)

## The same deliveries to n8n and Node-RED from npm, and to us; by hand (two gigabytes of npm packages, once).
bench-peers: $(VENV)/.dev
	@PYTHONPATH=. $(BIN)/python bench/peers.py $(ARGS)

## 200,000 deliveries nobody should send, and 500 slow clients, beside honest ones; a lane of its own.
hostile-intake: $(VENV)/.dev
	@$(BIN)/python bench/deliveries.py $(ARGS)

## Each vendor's official client against our simulated server; a lane of its own.
check-peers: $(VENV)/.dev
	@$(BIN)/python peers/run.py $(ARGS)

## Kill the service, its database and its neighbours wherever it hurts, and resume; a lane of its own.
kill-test: $(VENV)/.dev
	@$(BIN)/python bench/kills.py $(ARGS)

## The lab over thirty seeds, beside a plain severity sort.
quality: $(VENV)/.dev
	@$(BIN)/python bench/quality.py $(ARGS)

## Break the code on purpose, in copies, and see what catches it.
breaks: $(VENV)/.dev
	@$(BIN)/python bench/breaks.py

## Rebuild the reference pages from the code.
docs: $(VENV)/.dev
	@$(BIN)/python docs/generate.py

## 10,000 tamperings of the database, against a checkpoint held elsewhere; a lane of its own.
tampering: $(VENV)/.dev
	@PYTHONPATH=. $(BIN)/python bench/tampering.py $(ARGS)

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis
