# Everything here works from a bare checkout with Python 3.11 or newer alone; `make help` lists it.
#
#   make run                         the daemon on this checkout's inbox/
#   make test ARGS='-k settle -x'    ARGS goes to pytest (to the benchmarks with `make bench`)
#   make check PYTHON=python3.12     another Python for .venv (after `make clean`)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

#: The Python that makes .venv; empty: the first on PATH that is new enough.
PYTHON ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
#: Newer than what it was made from: the environment is as pyproject.toml and constraints.txt say.
STAMP := $(VENV)/installed.stamp
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)
#: Each distribution of this checkout is installed editable.
EDITABLE := $(foreach project,$(PROJECTS),--editable ./$(patsubst %/,%,$(dir $(project))))

# The wheel of Node.js that comes with pyright, not whichever node the machine has.
export PYRIGHT_PYTHON_GLOBAL_NODE := 0
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: $(STAMP) ## Run the daemon on this checkout: inbox/ is its inbox, .inboxd/ its state
	@$(BIN)/inboxd run --config config/dev.toml $(ARGS)

.PHONY: test
test: $(STAMP) ## Run all tests, two at a time
	$(BIN)/pytest -n 2 $(ARGS)

.PHONY: check
check: lint types layers ## Lint, format, types (mypy and pyright), layers

.PHONY: lint types layers
lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
types: $(STAMP)
	$(BIN)/mypy
	$(BIN)/pyright
layers: $(STAMP)
	$(BIN)/lint-imports

.PHONY: format
format: $(STAMP) ## Mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(STAMP) ## Measure; minutes, and only worth it on a quiet machine
	$(BIN)/python -m tests.benchmarks $(ARGS)

.PHONY: docs
docs: $(STAMP) ## Render what is rendered from code again, then test the docs
	$(BIN)/python docs/render.py
	$(BIN)/pytest tests/docs

.PHONY: build
build: $(STAMP) ## Make the sdist and the wheel in dist/
	$(BIN)/python -m build --no-isolation

.PHONY: constraints
constraints: ## Write constraints.txt anew, with the newest versions that fit pyproject.toml
	@$(find-python); \
	scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	"$$python" -m venv "$$scratch"; \
	"$$scratch/bin/python" -m pip install --quiet --upgrade pip; \
	"$$scratch/bin/python" -m pip install --quiet $(EDITABLE) --group dev; \
	{ sed -n '/^#/p' constraints.txt; \
	  "$$scratch/bin/python" -m pip freeze --quiet --all --exclude-editable \
	    | grep -E '^[A-Za-z0-9._-]+==[^ ]+$$' | grep -v '^setuptools=='; } >constraints.new; \
	mv constraints.new constraints.txt

.PHONY: clean
clean: ## Remove what make made; the state in .inboxd/ and the files in inbox/ stay
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -f .coverage .coverage.*
	find . -path ./.git -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

# Sets $$python. pyenv leaves names on PATH that run nothing, so each is asked for its version.
define find-python
python=; \
for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
  then python=$$candidate; break; fi; \
done; \
if [ -z "$$python" ]; then \
  echo 'inboxd needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …' >&2; exit 1; \
fi
endef

# Two makes at once: the second waits for the lock, then finds the work done.
$(STAMP): $(PROJECTS) constraints.txt
	@exec 9<constraints.txt; flock 9; \
	for file in $^; do if [ ! -e $@ ] || [ "$$file" -nt $@ ]; then stale=yes; fi; done; \
	if [ -z "$${stale:-}" ]; then exit 0; fi; \
	$(find-python); \
	echo "making $(VENV) with $$("$$python" --version) …"; \
	if command -v uv >/dev/null; then \
	  [ -x $(BIN)/python ] || uv venv --quiet --python "$$python" $(VENV); \
	  uv pip install --quiet --python $(BIN)/python --constraint constraints.txt \
	    --build-constraint constraints.txt $(EDITABLE) --group dev; \
	else \
	  [ -x $(BIN)/python ] || "$$python" -m venv $(VENV); \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --upgrade pip; \
	  $(BIN)/python -m pip install --quiet --constraint constraints.txt \
	    --build-constraint constraints.txt $(EDITABLE) --group dev; \
	fi; \
	touch $@
