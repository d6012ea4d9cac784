# make demo   edit the bundled piece (installs the runtime alone)
# make test   install what the tests need, and pass them
# make check  lint, format, types
# make bench  timings on one core

PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test check bench clean

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/runtime: pyproject.toml | $(BIN)/python
	$(BIN)/pip install -q -c constraints.txt -e .
	@touch $@

.venv/test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install -q -c constraints.txt -e '.[train,test]'
	@touch $@ .venv/runtime

demo: .venv/runtime
	$(BIN)/fadernets demo demo

test: .venv/test
	$(BIN)/python -m pytest -q

check: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m bench --benchmark-columns=median,min,rounds --benchmark-sort=name

clean:
	rm -rf .venv demo build dist
