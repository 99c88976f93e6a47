# make demo and make test are the door; everything runs in .venv and changes nothing outside this folder and MEBENCH_HOME.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TREE := build/tree
STAMP := $(VENV)/.installed.stamp
SOURCES := $(shell find mebench baselines lam protocols -name '*.py' -o -name '*.toml' -o -name '*.css' -o -name '*.j2' -o -name '*.tex')

.PHONY: help demo test test-slow check lint types imports gates guards fuzz faults bench readme clean

help:
	@echo 'make demo       synthetic corpora -> models -> leaderboard; needs no licence'
	@echo 'make test       lint, types, import rules, tests'
	@echo 'make test-slow  the tests that take longer'
	@echo 'make guards     remove each guard in turn; a named test must turn red'
	@echo 'make fuzz       thousands of damaged and hostile inputs per reader; prints what became of them'
	@echo 'make faults     kill, starve and corrupt commands some five hundred times; prints what was lost'
	@echo 'make bench      speed, as ratios measured side by side'
	@echo 'make readme     write the table of the demo into README.md'

$(STAMP): pyproject.toml constraints.txt
	@test "$$(df -Pk . | awk 'NR == 2 {print $$4}')" -gt 4194304 || \
	  { echo 'Less than 4 GiB are free here: the environment takes 2.2, the demonstration 1.3.'; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'setuptools>=77' wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
	touch $@

demo: $(STAMP)
	$(BIN)/mebench demo

test: check
	$(BIN)/python -m pytest -q -n auto --dist loadfile
	$(BIN)/mebench --home build/readme demo --fresh > build/readme.txt
	$(BIN)/python docs/readme_table.py build/readme
	rm -rf build/readme

test-slow: $(STAMP)
	$(BIN)/python -m pytest -q -m slow

check: lint types imports gates

lint: $(STAMP)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .

# The folder mapping blinds tools that read the source folders, so types and imports are checked on an installed tree.
$(TREE)/.installed.stamp: $(STAMP) $(SOURCES)
	rm -rf $(TREE) build/lib build/bdist.*
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --target $(TREE) .
	touch $@

types: $(TREE)/.installed.stamp
	cd $(TREE) && MYPYPATH=. $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache -p mebench

imports: $(TREE)/.installed.stamp
	cd $(TREE) && PYTHONPATH=. $(CURDIR)/$(BIN)/lint-imports --config $(CURDIR)/.importlinter --no-cache

gates: $(TREE)/.installed.stamp
	$(BIN)/python tests/gates.py $(TREE)

guards: $(TREE)/.installed.stamp
	$(BIN)/python tests/guards.py $(TREE)

fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz

faults: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults

bench: $(STAMP)
	$(BIN)/python -m benchmarks

readme: $(STAMP)
	$(BIN)/mebench --home build/readme demo --fresh
	$(BIN)/python docs/readme_table.py build/readme --write

clean:
	rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
