# `make demo` and `make test` are all that a fresh clone needs: each installs first.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# Each of the two test workers computes on one thread, and an idle thread sleeps at once instead
# of spinning: on busy cores spinning threads make toy models many times slower.
ONE_THREAD := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive KMP_BLOCKTIME=0
OFFLINE := HF_HUB_OFFLINE=1

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow errors-update settings-update lint docs format clean

help: ## show what there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED) ## make .venv with the command and all that the tests need

# torch goes first and exactly: a looser request, resolved among the other packages, can fetch
# gigabytes of CUDA packages before it settles.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("expected Python 3.11 or newer, found %d.%d; run make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install torch==2.13.0
	$(BIN)/python -m pip install -e ".[dev]" -c constraints.txt
	touch $@

demo: install ## what each strategy is worth, on the embedded model and reviews
	$(BIN)/thawline demo --out runs/demo

lint: install ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test: lint docs ## lint, types, pages and every test that takes seconds
	$(ONE_THREAD) $(OFFLINE) $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-slow: install ## the tests that take minutes
	OMP_WAIT_POLICY=passive KMP_BLOCKTIME=0 $(OFFLINE) $(BIN)/python -m pytest -m slow --timeout=3600

errors-update: install ## rewrite docs/errors.md from what wrong input prints; review the diff
	$(ONE_THREAD) $(OFFLINE) $(BIN)/python -m pytest -q --update-errors \
		tests/e2e/test_wrong_inputs.py -k "leaves_nothing or the_page"

settings-update: install ## rewrite the tables of docs/configuration.md from the settings
	$(BIN)/python -m tests.support.settings_page

# Not --quiet: what is not logged is not counted by --strict either.
docs: install ## build the pages into site/; a broken link or docstring fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: install ## let ruff fix what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove .venv, caches and builds (runs/ stays)
	rm -rf .venv build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf src/*.egg-info
