# make run    the dashboard, the REST API and the scheduler
# make demo   the same, with a sample CRM and sample data
# make test   everything: linters and tests
# make soak   many links, several schedulers and kill -9, for five minutes
PYTHON ?= $(shell command -v python3.11 || command -v python3)
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
BIN := .venv/bin

.PHONY: run demo test lint soak bench bench-dashboard bench-webhooks bench-search bench-quality
.PHONY: bench-sync bench-memory bench-links bench-start bench-api screenshots clean

run: .venv/.installed
	@exec $(BIN)/python -m core run

demo: .venv/.installed
	@exec $(BIN)/python -m core demo

test: lint chromium databases
	$(BIN)/python -m pytest

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml

# 200 links, 3 schedulers, random kills, five minutes (prints figures)
soak: .venv/.installed-dev
	$(BIN)/python -m benchmarks.soak

# How long screens and clicks take with 1,000 links and 10,000 runs, in a real browser
bench-dashboard: .venv/.installed-dev chromium
	$(BIN)/python -m benchmarks.dashboard

# How fast webhook events are taken in, and how soon they can be found
bench-webhooks: .venv/.installed-dev
	$(BIN)/python -m benchmarks.webhooks

# How long a search takes from 1,000 to 100,000 vectors, and what it finds
bench-search: .venv/.installed-dev
	$(BIN)/python -m benchmarks.search

# How long a sync takes, and one after a change, beside LangChain and LlamaIndex
bench-sync: .venv/.installed-dev
	$(BIN)/python -m benchmarks.sync

# How much memory a sync of 100,000 records takes
bench-memory: .venv/.installed-dev
	$(BIN)/python -m benchmarks.memory

# How soon many due links are synced, by 1, 2 and 4 schedulers, and from slow CRMs
bench-links: .venv/.installed-dev
	$(BIN)/python -m benchmarks.links

# How soon the processes answer after their start, and their memory
bench-start: .venv/.installed-dev
	$(BIN)/python -m benchmarks.start

# Requests a second of the REST API
bench-api: .venv/.installed-dev wrk
	$(BIN)/python -m benchmarks.api

# Everything that is measured, one after the other (an hour and a half)
bench: bench-start bench-api bench-search bench-quality bench-sync bench-memory bench-links
bench: bench-webhooks bench-dashboard

# How good retrieval and replies are, beside LangChain's and LlamaIndex's defaults
bench-quality: .venv/.installed-dev
	$(BIN)/python -m benchmarks.quality

# The pictures in docs/screenshots, of a fresh demo
screenshots: .venv/.installed-dev chromium
	$(BIN)/python -m docs.take_screenshots

.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || { \
	  echo "Installing Chromium for the browser tests (Debian's package)…"; \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; }

.PHONY: wrk
wrk:
	@command -v wrk >/dev/null || { \
	  echo "Installing wrk (Debian's package)…"; \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq wrk; }

# Real servers for the tests of database links (Debian's packages)
.PHONY: databases
databases:
	@[ -d /usr/lib/postgresql ] && [ -x /usr/sbin/mariadbd ] || { \
	  echo "Installing PostgreSQL and MariaDB for the tests (Debian's packages)…"; \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	    --no-install-recommends postgresql mariadb-server; }

# Debian's python3 comes without the parts that make a virtual environment.
.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 is needed: apt-get install python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Installing python3-venv (Debian's package)…"; \
	  $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq python3-venv; }
	@echo "Creating .venv…"
	@$(PYTHON) -m venv .venv

.venv/.installed: requirements.lock | .venv/bin/python
	@echo "Installing requirements (once; two to five minutes, most of it PyTorch)…"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -r requirements.lock
	@touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.installed
	@echo "Installing what tests and linters need…"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -q -r requirements-dev.lock
	@touch $@

clean:
	rm -rf .venv
