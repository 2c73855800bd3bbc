# Every target makes the environment it needs: .venv-<major.minor>, with .venv
# linked to the one of `python3`. `make test PYTHON=python3.12` has its own.

PYTHON ?= python3
RUNS ?= runs/demo/e0,runs/demo/postfix
ONLY ?= anchors,masking,heads,formula,linear,prime_waves,claims,report

version = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VERSION := $(call version,$(PYTHON))
ifeq ($(VERSION),)
$(error PYTHON=$(PYTHON) does not run; name a Python of version 3.11 or later)
endif
VENV := .venv-$(VERSION)
BIN := $(VENV)/bin
PEERS := .venv-peers

SETTINGS := published drift unordered permuted no_decay
comma := ,
empty :=
GAPS := a b c c_few shuffled cramer marginal gaussian constant logistic wide \
  mixed wide_mixed chaos chaos_c held_random held_tail flows context kernel \
  kernel_shuffled kernel_wide kernel_logistic kernel_logistic_wide
ADDERS := $(subst $(empty) $(empty),$(comma),$(SETTINGS:%=runs/addition_p10/%))
LEAKS := $(foreach mode,leaky_as_published memory_blind none,\
  $(foreach reads,spacings residuals,$(mode)-$(reads)-learned \
  $(mode)-$(reads)-rotary))
BANKS := $(subst $(empty) $(empty),$(comma),$(LEAKS:%=runs/zeros_leak/%))
GUIDES := none height ar adaptive waves100 waves1000 waves10000 waves all
GUIDED := $(subst $(empty) $(empty),$(comma),$(GUIDES:%=runs/zeros_guided/%))
SMALL := zeros shuffled cue primes
SMALLS := $(subst $(empty) $(empty),$(comma),$(SMALL:%=runs/zeros_small/%))
LONG := none memory_blind
LONGS := $(subst $(empty) $(empty),$(comma),$(LONG:%=runs/zeros_long/%))
PRIMES := $(subst $(empty) $(empty),$(comma),$(GAPS:%=runs/primes_small/%))

.PHONY: help demo addition primes leak controls waves guided test lint types bench \
  report venv wheel

help: ## these lines
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: venv ## trains two small models on the zeros, analyses them, writes a report
	$(BIN)/python train.py --config=configs/zeros_demo_e0.py --workdir=runs/demo/e0
	$(BIN)/python train.py --config=configs/zeros_demo_postfix.py --workdir=runs/demo/postfix
	$(BIN)/python analyze.py --workdir=runs/demo/e0,runs/demo/postfix --only=$(ONLY)
	@echo "The report: $(CURDIR)/runs/demo/report.html"

addition: venv ## trains the plain adders in five settings, reads them, writes a report
	for setting in $(SETTINGS); do \
	  $(BIN)/python train.py --config=addition_p10:$$setting \
	    --workdir=runs/addition_p10/$$setting || exit 1; \
	done
	$(BIN)/python analyze.py --workdir=$(ADDERS)
	@echo "The report: $(CURDIR)/runs/addition_p10/report.html"

primes: venv ## trains networks on gaps with all controls, reads them, writes a report
	for gaps in $(GAPS); do \
	  $(BIN)/python train.py --config=primes_small:$$gaps \
	    --workdir=runs/primes_small/$$gaps || exit 1; \
	done
	$(BIN)/python analyze.py --workdir=$(PRIMES)
	@echo "The report: $(CURDIR)/runs/primes_small/report.html"

leak: venv ## trains banks of slots under three masks, reads what they are told
	for run in $(LEAKS); do \
	  $(BIN)/python train.py --config=zeros_leak:$$(echo $$run | tr - ,) \
	    --workdir=runs/zeros_leak/$$run || exit 1; \
	done
	$(BIN)/python analyze.py --workdir=$(BANKS) \
	  --only=anchors,leak,claims,report
	@echo "The report: $(CURDIR)/runs/zeros_leak/report.html"

controls: venv ## trains one network on zeros and on what zeros are set beside
	for spacings in $(SMALL); do \
	  $(BIN)/python train.py --config=zeros_small:$$spacings \
	    --workdir=runs/zeros_small/$$spacings || exit 1; \
	done
	$(BIN)/python analyze.py --workdir=$(SMALLS) \
	  --only=anchors,prime_waves,kernels,claims,report
	@echo "The report: $(CURDIR)/runs/zeros_small/report.html"

waves: venv ## trains networks until they know primes, reads their waves
	for memory in $(LONG); do \
	  $(BIN)/python train.py --config=zeros_long:$$memory \
	    --workdir=runs/zeros_long/$$memory || exit 1; \
	done
	$(BIN)/python analyze.py --workdir=$(LONGS) \
	  --only=anchors,prime_waves,claims,report
	@echo "The report: $(CURDIR)/runs/zeros_long/report.html"

guided: venv ## trains networks beside guides, shows what each guide contributes
	for guide in $(GUIDES); do \
	  $(BIN)/python train.py --config=zeros_guided:$$guide \
	    --workdir=runs/zeros_guided/$$guide || exit 1; \
	done
	$(BIN)/python analyze.py --workdir=$(GUIDED) \
	  --only=anchors,claims,report
	@echo "The report: $(CURDIR)/runs/zeros_guided/report.html"

report: venv ## writes the report of RUNS again from their stored results
	$(BIN)/python analyze.py --workdir=$(RUNS) --only=report

# Compilation takes one core per process: as many processes as cores.
test: venv ## runs the tests; ARGS go to pytest
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

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
  %/reliability.py %/same_numbers.py,$(wildcard bench/*.py))

bench: venv $(PEERS)/installed ## measures us beside PyTorch, briefly
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
