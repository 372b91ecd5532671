# The first target that is made creates .venv. Python 3.11 or newer is all that must be installed.
# `make help` lists the targets. `make run` installs what the study needs; the other targets also install all extras.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(BIN)/.installed
INSTALLED_ALL := $(BIN)/.installed-all
RUN := virtual_screen/random/default/seed_0
INDEX := data/07_model_output/$(RUN)/cloome/index/index.json
# One test process per core, and one thread in each: torch would start as many threads as there are cores in every process.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto
# Otherwise each test process and each command that it runs would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE
# no telemetry, from Kedro or its plugins
export DO_NOT_TRACK := 1
.DEFAULT_GOAL := install

.PHONY: help install run serve docs viz bench test coverage parity lint slow check clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV): about 6.7 GB, most of it PyTorch; minutes on a fast line."
	$(BIN)/pip install --quiet --editable .
	touch $@

$(INSTALLED_ALL): pyproject.toml | $(INSTALLED)
	@echo "Installing the extras into $(VENV): tests, documentation, kedro-viz, index, page, tracking."
	$(BIN)/pip install --quiet --editable '.[all]'
	touch $(INSTALLED) $@

install: $(INSTALLED) ## Make .venv and install what a study needs.

run: $(INSTALLED) ## Run the whole study on the virtual screen; print the place of the report.
	$(BIN)/kedro run

# made again after a new training
$(INDEX): $(wildcard data/06_models/$(RUN)/cloome/checkpoint/config.json) | $(INSTALLED_ALL)
	$(BIN)/kedro run --pipelines index

serve: $(INSTALLED_ALL) $(INDEX) ## Open the page that asks the model, after `make run`.
	$(BIN)/cloome serve

docs: $(INSTALLED_ALL) ## Build the documentation as a site.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The documentation: $(CURDIR)/site/index.html"

viz: $(INSTALLED_ALL) ## Build the graph of the pipelines as a site, with previews of results.
	$(BIN)/kedro viz build --include-previews
	@echo "The graph: $(BIN)/python -m http.server --directory build, then http://localhost:8000"

bench: $(INSTALLED_ALL) ## Measure speed against plain references: one table.
	$(BIN)/python benchmarks/table.py

test: $(INSTALLED_ALL) ## Run the fast tests.
	$(PYTEST) -m "not slow"

coverage: $(INSTALLED_ALL) ## Run the fast tests, and list the lines that they do not run.
	$(PYTEST) -m "not slow" --cov

parity: $(INSTALLED_ALL) ## Compare the published model with closed forms: a table of the largest deviations.
	$(BIN)/pytest -q tests/test_parity.py

# Tests of one file share a run of the project. The longest files begin first: tests/conftest.py.
slow: $(INSTALLED_ALL) ## Run the slow tests: whole studies.
	$(PYTEST) tests -m slow --dist loadfile --no-loadscope-reorder

lint: $(INSTALLED_ALL) ## Check format, style, types and imports.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test slow ## Everything that CI runs: lint, test, slow.

clean: ## Remove .venv and what was built; keep data.
	rm -rf $(VENV) build site .viz
