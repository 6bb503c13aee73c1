# Every target sets up what it needs: python3 (3.11 or newer), make and a package index.
#
#   make demo    experts -> demonstrations -> every algorithm -> one HTML report
#   make test    the whole gate, as CI runs it
#   make lint types tests docs wheel    one part of the gate
#   make clean   remove everything made here, .venv included
#
# Settings: PYTHON=python3.12, VENV=.venv, PIP_ARGS="--index-url ..." (any pip option),
# PYTEST_ARGS="--runslow -k bc" (with make tests), DEMO_ARGS="--seed 1" (with make demo).

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
PYTEST_ARGS ?=
DEMO_ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTEST_ARGS

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq $(PIP_ARGS)
STAGES := lint types tests docs wheel

.PHONY: help demo test $(STAGES) clean
.DEFAULT_GOAL := help

help:
	@sed -n '3,6s/^# *//p' Makefile

demo: $(VENV)/.core
	@$(BIN)/imitation demo $(DEMO_ARGS)

test: $(VENV)/.dev
	@$(BIN)/python tools/gate.py $(STAGES)

$(STAGES): $(VENV)/.dev
	@$(BIN)/python tools/gate.py $@

# The stamps: a second run installs nothing unless the dependencies changed.
$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing imitation and its dependencies into $(VENV) (minutes, once)"
	@$(PIP) -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing imitation, its dependencies and its tools into $(VENV) (minutes, once)"
	@$(PIP) -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.core $@

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	    echo "Python 3.11 or newer is needed and '$(PYTHON)' was not found; run: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or newer is needed and '$(PYTHON)' is $$($(PYTHON) -V 2>&1); run: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "'$(PYTHON)' cannot create virtual environments; on Debian or Ubuntu run: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip || { rm -rf $(VENV); exit 1; }

clean:
	rm -rf $(VENV) build dist docs/_build docs/api .mypy_cache .pytest_cache .ruff_cache src/*.egg-info
