# make demo   edit the bundled piece (installs the runtime alone)
# make test   install what the tests need, and pass them, two files at a time (PROCESSES=), then those marked `alone`
# make check  lint, format, types; the page's too, and that the built page is that of its source
# make studio open the studio (installs the runtime alone)
# make docs   build the documentation into build/site
# make page   build the studio's page (needs Node)
# make locked install what the tests need at the versions and hashes of requirements.lock
# make bench  timings on one core
# make paper-gpu train and measure all models as the paper has them on one accelerator, nine minutes a call; installs
#             nothing: PYTHON=, DATA=, OUT=, CHECKPOINTS=, MINUTES=, DEVICE= (docs/how-to/cluster.md)
# make torture attack all of it for half an hour; make test holds a slice of this

PYTHON ?= python3
PROCESSES ?= 2
TESTS := not shared and not slow and not bench
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: locked demo studio test check docs bench torture paper-gpu page check-page check-code clean

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/runtime: pyproject.toml | $(BIN)/python
	$(BIN)/pip install -q -c constraints.txt -e .
	@touch $@

.venv/test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install -q -c constraints.txt -e '.[train,test,docs]'
	@touch $@ .venv/runtime

# What CI and containers install: each file by its hash (scripts/lock_requirements.py writes the lock).
locked: requirements.lock | $(BIN)/python
	$(BIN)/pip install -q --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install -q --no-deps -e .
	@touch .venv/test .venv/runtime

demo: .venv/runtime
	$(BIN)/fadernets demo demo

studio: .venv/runtime
	$(BIN)/fadernets studio

.venv/browser: .venv/test
	$(BIN)/python scripts/browser.py
	@touch $@

test: .venv/test .venv/browser $(if $(shell command -v npm),studio/node_modules)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m '$(TESTS) and not alone' -n $(PROCESSES) --dist loadfile \
		--no-loadscope-reorder
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m '$(TESTS) and alone'

studio/node_modules: studio/package-lock.json
	cd studio && npm ci --no-audit --no-fund
	@touch $@

page: studio/node_modules
	cd studio && npm run -s build

check-page: studio/node_modules
	cd studio && npm run -s check && npm run -s test
	cd studio && npm run -s build -- --outDir ../build/page --emptyOutDir
	diff -r build/page src/fadernets/page

docs: .venv/test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

check: check-page docs check-code

check-code: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -s -m bench --benchmark-columns=median,min,rounds --benchmark-sort=name

DATA ?= data/performances
OUT ?= runs/paper-figures
CHECKPOINTS ?= runs/paper
MINUTES ?= 9
DEVICE ?= cuda

paper-gpu:
	PYTHONPATH=src $(PYTHON) scripts/paper_gpu.py $(DATA) $(OUT) --checkpoints $(CHECKPOINTS) --minutes $(MINUTES) \
		--device $(DEVICE) $(MORE)

torture: .venv/test
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m torture --out build/torture.md

clean:
	rm -rf .venv demo build dist studio/node_modules
