# `make` alone prints this help. Everything happens inside $(VENV); nothing else on the machine is changed.
.DEFAULT_GOAL := help
.PHONY: help demo demo-query serve test test-all check lint types format docs bench campaign fuzz package-check sdist-check test-nightly clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Of an editable install setuptools says in ten lines that folders of the same name may take precedence: here
# they are what is installed. Every other warning, and every error, is shown.
PIP := PYTHONWARNINGS='ignore:Editable installation' $(BIN)/python -m pip --disable-pip-version-check

help:  ## print this help
	@echo "stylesearch: a customer's photo in, the shop's matching products out"
	@echo
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16 | sed 's/^/  make /'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "stylesearch needs Python 3.11 or newer; choose one with: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 14))' || \
	  echo "no TensorFlow for Python 3.14 is known; if pip fails, rm -r $(VENV), then: make PYTHON=python3.13" >&2
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "no virtual environment could be made; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) install --quiet --upgrade pip

# Annoy is C++ source: without a compiler the search is exact, slower on large catalogs, and says so. The files
# that find persons in photos (9 MB, docs/persons.md) go into the user's cache; a failure says how to get them.
$(VENV)/.installed: setup.py constraints.txt | $(BIN)/python
	@echo "installing into $(VENV); the first time this takes some minutes"
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[serve]'
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[annoy]' || \
	  echo "Annoy could not be built (is a C++ compiler installed?): searches will be exact." >&2
	@$(BIN)/stylesearch weights fetch --quiet || \
	  echo "without these files persons are not looked for in photos; searches work as before." >&2
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing what the tests need into $(VENV)"
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# Of the drawn products, the one that `make demo` looks for: `make demo-query DEMO_PRODUCT=coat-000011` another.
DEMO_PRODUCT = dress-000006
DEMO_PHOTO = demo/street/$(DEMO_PRODUCT)_1.jpg

demo: $(VENV)/.installed  ## draw a small shop, take it in, search it with a street photo, show the result
	$(BIN)/stylesearch --home demo/.stylesearch demo demo --products 60 --overwrite
	$(BIN)/stylesearch --home demo/.stylesearch ingest demo/products.csv
	@$(MAKE) --no-print-directory demo-query

demo-query:
	$(BIN)/stylesearch --home demo/.stylesearch query $(DEMO_PHOTO) -k 10 --expect $(DEMO_PRODUCT) --sheet demo/sheet.png
	@echo
	@echo "The photo and its hits are drawn in $(CURDIR)/demo/sheet.png"
	@echo "A photo's name, and demo/street.csv, say which product it shows. Search with another one:"
	@echo "  $(BIN)/stylesearch --home demo/.stylesearch query demo/street/shorts-000056_1.jpg --expect shorts-000056"
	@echo "Or on a page: make serve, and open http://127.0.0.1:8000"

serve: $(VENV)/.installed  ## serve the shop that `make demo` drew: a page to search with, and the API
	$(BIN)/stylesearch --home demo/.stylesearch serve

# Two processes, each with whole files of tests, those with slow tests first (tests/conftest.py): xdist itself would
# put files of few tests last. More processes would want memory, up to 5 GB each, rather than cores.
PYTEST_OPTIONS = -n 2 --dist loadfile --no-loadscope-reorder --durations 15

test: $(VENV)/.installed-dev  ## run the quick tests; at the end it names the files of the slow ones, which it leaves out
	$(BIN)/python -m pytest $(PYTEST_OPTIONS) -m "not slow"

test-all: $(VENV)/.installed-dev  ## run all tests but the nightly ones, also those with a browser, TensorFlow or processes of their own
	$(BIN)/python -m pytest $(PYTEST_OPTIONS) -m "not nightly"

test-nightly: $(VENV)/.installed-dev  ## run what takes minutes: many trials of one kind (see CONTRIBUTING.md)
	$(BIN)/python -m pytest $(PYTEST_OPTIONS) -m nightly

check: lint types docs test-all  ## what continuous integration runs: lint, types, docs, all tests

lint: $(VENV)/.installed-dev  ## ruff, and who may import whom (import-linter)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(VENV)/.installed-dev  ## mypy
	$(BIN)/mypy

format: $(VENV)/.installed-dev  ## let ruff rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-dev  ## build the documentation into build/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "The documentation is in $(CURDIR)/build/site/index.html"

bench: $(VENV)/.installed-dev  ## measure speed and accuracy (see docs/benchmarks.md)
	$(BIN)/python -m benchmarks

# Each campaign for so long: `make campaign CAMPAIGN_MINUTES=60 CAMPAIGN_SEED=7`. What was run is not run again.
CAMPAIGN_MINUTES = 5
CAMPAIGN_SEED = 1
CAMPAIGN_OPTIONS = --seed $(CAMPAIGN_SEED) --minutes $(CAMPAIGN_MINUTES)

campaign: $(VENV)/.installed-dev  ## kill, fill, damage, attack and flood, five minutes each (see docs/reliability.md)
	$(BIN)/python -m campaigns all --trials 100000 $(CAMPAIGN_OPTIONS)

fuzz: $(VENV)/.installed-dev  ## fuzz what reads files and requests, five minutes each, with Atheris
	$(PIP) install --quiet --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python -m campaigns fuzz all $(CAMPAIGN_OPTIONS)

package-check: $(VENV)/.installed-dev  ## build wheel and sdist, check them, use the wheel in an empty environment
	$(BIN)/python .ci/package_check.py

sdist-check: $(VENV)/.installed-dev  ## the same, then some tests in the unpacked sdist
	$(BIN)/python .ci/package_check.py --sdist-tests

clean:  ## remove what builds, tests and the demo left behind (not the virtual environment)
	rm -rf build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
