# Everything sets itself up: the first call makes .venv and installs the exact versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One thread per test worker: two processes with two threads each starve one another.
SINGLE := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1

# Where cifar10 lies.
DATA ?= data

.PHONY: install paper desk test test-all lint format docs bench golden golden-check clean

install: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(READY)
	@echo "ready: source $(BIN)/activate makes it the python of this shell"

paper: $(READY)
	$(BIN)/python run.py experiment=paper

# The paper's networks trained on all of CIFAR-10, three seeds, the first whole before the second. What is finished stays:
# called again, it goes on where it was stopped. Keep one by: python -m results.keep paper outputs/desk/0
desk: $(READY)
	for seed in 0 1 2; do $(BIN)/python run.py experiment=paper scale=desk data=cifar10 data.root=$(DATA) seed=$$seed \
	  outputs=outputs/desk/$$seed || exit 1; done

test: $(READY)
	$(SINGLE) $(BIN)/python -m pytest -n 2 -m "not slow"

test-all: $(READY)
	$(SINGLE) $(BIN)/python -m pytest -n 2

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The site in build/site; a warning is an error. DOCS_EXECUTE=false leaves the notebook as it was committed.
docs: $(VENV)/.docs
	$(BIN)/python -m docs.pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/.docs: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@

bench: $(READY)
	for script in $(basename $(notdir $(filter-out %/__init__.py %/timing.py,$(wildcard benchmarks/*.py)))); do $(BIN)/python -m benchmarks.$$script || exit 1; done

# Digests of everything that the smoke jobs draw, from the code of commit REV; and whether the code at hand gives the same.
golden: $(READY)
	$(BIN)/python -m tests.golden record $(REV)

golden-check: $(READY)
	$(BIN)/python -m tests.golden check

clean:
	rm -rf $(VENV) outputs build *.egg-info .pytest_cache .mypy_cache .ruff_cache
