# Every target makes the environment it needs: .venv-<major.minor>, with .venv
# linked to the one of `python3`. `make test PYTHON=python3.12` has its own.

PYTHON ?= python3
RUNS ?= runs/demo/e0,runs/demo/postfix
# What decides most in minutes, shared out between the two: questions of the zeros are asked once.
OF_E0 = anchors,heads,formula,linear,form_factor,prime_lines,predictors
OF_POSTFIX = anchors,rollout,calibration,kernels,hermiticity,slots,operators,gue

version = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VERSION := $(call version,$(PYTHON))
ifeq ($(VERSION),)
$(error PYTHON=$(PYTHON) does not run; name a Python of version 3.11 or later)
endif
VENV := .venv-$(VERSION)
BIN := $(VENV)/bin
PEERS := .venv-peers

.PHONY: help map demo demo-e0 demo-postfix addition primes leak controls waves guided results test \
  lint types bench report venv wheel

help: ## these lines
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: venv ## trains two small models on the zeros, analyses them, writes a report
	$(BIN)/python train.py --config=zeros_demo:all --workdir=runs/demo
	$(MAKE) --no-print-directory -j2 demo-e0 demo-postfix
	$(BIN)/python analyze.py --workdir=$(RUNS) --only=claims,report
	@echo "The report: $(CURDIR)/runs/demo/report.html"
	@echo "What decides more: make results (hours), or analyze.py --workdir=$(RUNS)"

# Much of an analysis runs on one core: the two runs are read side by side.
demo-e0:
	$(BIN)/python analyze.py --workdir=runs/demo/e0 --only=$(OF_E0)

demo-postfix:
	$(BIN)/python analyze.py --workdir=runs/demo/postfix --only=$(OF_POSTFIX)

# Each trains every variant of a family into a folder of its own, and reads them all.
addition: venv ## trains the plain adders in six settings, reads them, writes a report
	$(BIN)/python train.py --config=addition:p10_all --workdir=runs/addition_p10
	$(BIN)/python analyze.py --workdir=runs/addition_p10

primes: venv ## trains networks on gaps with all controls, reads them, writes a report
	$(BIN)/python train.py --config=primes:small_all --workdir=runs/primes_small
	$(BIN)/python analyze.py --workdir=runs/primes_small

leak: venv ## trains slots that see the future, slots that do not, and none
	$(BIN)/python train.py --config=zeros_bank:leak_all --workdir=runs/zeros_leak
	$(BIN)/python analyze.py --workdir=runs/zeros_leak --only=anchors,leak,claims,report

controls: venv ## trains one network on zeros and on what zeros are set beside
	$(BIN)/python train.py --config=zeros_small:all --workdir=runs/zeros_small
	$(BIN)/python analyze.py --workdir=runs/zeros_small \
	  --only=anchors,prime_waves,prime_response,prime_places,kernels,claims,report

waves: venv ## trains networks for long, reads which primes they know
	$(BIN)/python train.py --config=zeros_small:long_all --workdir=runs/zeros_long
	$(BIN)/python analyze.py --workdir=runs/zeros_long \
	  --only=anchors,prime_waves,prime_response,prime_places,claims,report

guided: venv ## trains networks beside guides, shows what each guide contributes
	$(BIN)/python train.py --config=zeros_guided:all --workdir=runs/zeros_guided
	$(BIN)/python analyze.py --workdir=runs/zeros_guided --only=anchors,claims,report

# The plan, and what is of it: make results ARGS=--dry_run. Runs lie in runs/results.
results: venv ## trains and reads all that two cores can, hours; STUDIES=addition,text for a part
	$(BIN)/python bench/results.py $(if $(STUDIES),--studies=$(STUDIES)) \
	  $(if $(REFERENCE),--reference=$(REFERENCE)) $(ARGS)

report: venv ## writes the report of RUNS again from their stored results
	$(BIN)/python analyze.py --workdir=$(RUNS) --only=report

map: ## every file of the package, with its first line
	@for file in $$(git ls-files 'tasks/*.py' 'models/*.py' 'analyses/*.py' 'lens/*.py' \
	  'studies/*.py' 'configs/*.py'); do \
	  printf '%-34s %s\n' $$file "$$(head -1 $$file | tr -d '"')"; \
	done

# Compilation takes one core per process: as many processes as cores. Files go out in the order of
# tests/conftest.py, the long ones first, and not by their numbers of tests.
test: venv ## runs the tests; ARGS go to pytest
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: venv ## checks format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) types

# mypy follows the package mapping only in an installed wheel.
types: wheel
	cd $(VENV)/site && MYPYPATH=. $(CURDIR)/$(BIN)/mypy \
	  --config-file=$(CURDIR)/pyproject.toml --package=primelens

# The wheel, and its content under $(VENV)/site. An old build/ would put
# modules into it that no longer exist.
wheel: venv ## builds the wheel into $(VENV)/wheel
	rm -rf build $(VENV)/wheel $(VENV)/site
	$(BIN)/python -m build --wheel --no-isolation --outdir $(VENV)/wheel . \
	  > $(VENV)/wheel.log || (cat $(VENV)/wheel.log; false)
	rm -rf build
	$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)/site \
	  $(VENV)/wheel/primelens-*.whl

# Those that measure speed beside a peer.
BENCHES = $(filter-out %_peer.py %/side_by_side.py %/bad_inputs.py %/hostile.py \
  %/reliability.py %/same_numbers.py %/results.py %/result_pages.py,$(wildcard bench/*.py))

bench: venv $(PEERS)/installed ## measures speed beside other libraries, briefly
	for script in $(BENCHES); do \
	  $(BIN)/python $$script --quick || exit 1; \
	done

venv: $(VENV)/installed
	@if [ "$(VENV)" = ".venv-$(call version,python3)" ]; then \
	  if [ -L .venv ] || [ ! -e .venv ]; then ln -sfn $(VENV) .venv; fi; \
	fi

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --editable '.[zeros,certify,test]'
	touch $@

$(PEERS)/installed: bench/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --requirement bench/peers.txt
	touch $@
