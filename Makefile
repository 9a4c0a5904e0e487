# `make` alone prints this help. Everything happens inside $(VENV); nothing else on the machine is changed.
.DEFAULT_GOAL := help
.PHONY: help demo demo-query test check lint types format bench wheel-check clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

help:  ## print this help
	@echo "stylesearch: a customer's photo in, the shop's matching products out"
	@echo
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16 | sed 's/^/  make /'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "stylesearch needs Python 3.11 or newer; choose one with: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "no virtual environment could be made; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PIP) install --quiet --upgrade pip

# Annoy is C++ source: without a compiler the search is exact, slower on large catalogs, and says so.
$(VENV)/.installed: setup.py constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[annoy]' || \
	  echo "Annoy could not be built (is a C++ compiler installed?): searches will be exact." >&2
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# Of the drawn products, the one that `make demo` looks for.
DEMO_PHOTO = $(firstword $(wildcard demo/street/dress-*.jpg))

demo: $(VENV)/.installed  ## draw a small shop, take it in, search it with a street photo, show the result
	$(BIN)/stylesearch demo demo --products 60 --seed 1 --overwrite
	$(BIN)/stylesearch --home demo/.stylesearch ingest demo/products.csv
	@$(MAKE) --no-print-directory demo-query

demo-query:
	$(BIN)/stylesearch --home demo/.stylesearch query $(DEMO_PHOTO) -k 10 --sheet demo/sheet.png
	@echo
	@echo "The photo and its hits are drawn in $(CURDIR)/demo/sheet.png"
	@echo "Search with another one:  $(BIN)/stylesearch --home demo/.stylesearch query demo/street/..."

test: $(VENV)/.installed-dev  ## run the tests
	$(BIN)/python -m pytest

check: lint types test  ## what continuous integration runs: lint, types, tests

lint: $(VENV)/.installed-dev  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev  ## mypy
	$(BIN)/mypy

format: $(VENV)/.installed-dev  ## let ruff rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev  ## measure speed and accuracy (see docs/benchmarks.md)
	$(BIN)/python -m benchmarks

wheel-check: $(VENV)/.installed-dev  ## build a wheel, install it into an empty environment and use it once
	$(BIN)/python .ci/wheel_check.py

clean:  ## remove what builds, tests and the demo left behind (not $(VENV))
	rm -rf build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
