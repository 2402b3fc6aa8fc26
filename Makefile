# What to type. Every target works on a bare Debian with git, make and python3 (3.11 or newer, with venv).
PORT ?= 8000
PYTHON ?= python3
LONG ?=
VENV := .venv
BIN := $(VENV)/bin
PARALLEL ?= -n 2 --dist worksteal
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint check bench faults lock messages clean services

help:  ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */make \1\t/' | expand -t 16

demo: $(VENV)/.runtime  ## The whole product on http://127.0.0.1:8000/ (PORT=8000); Ctrl-C stops it, the data stays
	@exec $(BIN)/python manage.py serve --port $(PORT)

test: $(VENV)/.development services  ## The whole suite, on SQLite and on PostgreSQL with Redis and a browser
	TEST_DB=sqlite $(BIN)/pytest $(PARALLEL) -q -m "not browser and (not slow or alike)"
	TEST_DB=postgres $(BIN)/pytest $(PARALLEL) -m "not alike"

lint: $(VENV)/.development  ## Format, lint, types, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/djlint --quiet --lint templates
	$(BIN)/mypy
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/pip check

check: lint  ## The same, and the fast tests
	TEST_DB=sqlite $(BIN)/pytest $(PARALLEL) -q -m "not browser and not processes and not slow"

bench: $(VENV)/.development services  ## The measurements, one JSON line per target
	@$(BIN)/python -m tests.bench

faults: $(VENV)/.development services  ## Races at barriers, then faults with real processes (LONG=1 for the long set)
	@RACE_ROUNDS=30 TEST_DB=postgres $(BIN)/pytest $(PARALLEL) -q tests/races
	@[ -z "$(LONG)" ] || MODEL_EXAMPLES=50 TEST_DB=postgres $(BIN)/pytest $(PARALLEL) -q tests/model
	@LONG=$(LONG) $(BIN)/python -m tests.faults

lock: $(VENV)/.development  ## Locks the requirements anew from the .in files
	$(BIN)/uv pip compile $(LOCK) requirements.in -o requirements.txt
	$(BIN)/uv pip compile $(LOCK) -c requirements.txt requirements-dev.in -o requirements-dev.txt

messages: $(VENV)/.development  ## Collects the texts to translate anew and compiles what is translated (needs gettext)
	$(BIN)/python manage.py makemessages --all --no-wrap --no-obsolete --no-location -i .venv -i var -i tests -i docs
	$(BIN)/python manage.py compilemessages -v 0

clean:  ## Removes .venv and var/
	rm -rf $(VENV) var

services:
	@.ci/services

$(BIN)/pip:  # comes last in a new environment: an interrupted one is made again
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "PYTHON: $(PYTHON) must be Python 3.11 or newer with venv: apt-get install -y python3 python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A stamp is older than its requirements when those have changed: then pip runs again.
$(VENV)/.runtime: requirements.txt | $(BIN)/pip
	$(BIN)/pip install --quiet --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt | $(BIN)/pip
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime
