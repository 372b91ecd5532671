# make run     the whole study on the virtual screen; ends with the report's place
# make test    the fast test suite, with coverage
# make parity  the published model against closed forms: a table of the largest deviations
# make check   lint, fast suite, slow suite: what CI runs
# The first of them makes .venv and installs the project; Python 3.11 or newer is all that has to be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REPORT := data/08_reporting/virtual_screen/default/seed_0/report.html
# One test process per core, and one thread in each: torch would start as many threads as there are cores in every process.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto
# no telemetry, from Kedro or its plugins
export DO_NOT_TRACK := 1

.PHONY: run test parity lint slow check viz clean

$(BIN)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): about 7 GB, most of it PyTorch; minutes on a fast line."
	$(BIN)/pip install --quiet --editable '.[viz,anndata,index,dev]'
	touch $@

run: $(BIN)/.installed
	$(BIN)/kedro run
	@echo "The report: $(CURDIR)/$(REPORT)"

test: $(BIN)/.installed
	$(PYTEST) -m "not slow" --cov

parity: $(BIN)/.installed
	$(BIN)/pytest -q tests/test_parity.py

# tests of one file share a run of the project
slow: $(BIN)/.installed
	$(PYTEST) -m slow --dist loadfile

lint: $(BIN)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test slow

viz: $(BIN)/.installed
	$(BIN)/kedro viz build --include-previews

clean:
	rm -rf $(VENV) build .viz
