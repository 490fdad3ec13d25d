# Two commands for a fresh machine: `make demo` and `make test`.  They need
# Python 3.10 or later; everything else goes into a virtual environment in .venv.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SCRIPT := build/agentdb.sql

.PHONY: demo test check clean

demo: .venv/installed
	$(BIN)/python -m agentdb demo $(ARGS)

test: .venv/installed
	$(BIN)/python -m pytest -n 2 $(ARGS)

# What must hold before a commit.  PS002 and PS015 of pgspot are about extension
# scripts, which run in databases that somebody hostile may have prepared.
check: .venv/checkers test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	mkdir -p build
	$(BIN)/python -m agentdb install --sql > $(SCRIPT)
	$(BIN)/pgspot --ignore PS002 --ignore PS015 $(SCRIPT)
	$(BIN)/squawk --assume-in-transaction $(SCRIPT)

clean:
	rm -rf .venv build dist

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

.venv/checkers: .venv/installed
	$(PIP) --editable '.[check]'
	touch $@
