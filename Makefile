# `make corpus` and `make test` do all set-up on a fresh machine; both can be run again at will.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORPUS ?= corpus
RUN ?= runs/tiny
STEPS ?= 1100

# More processes than cores: tests wait for Ray, browsers and servers much of the time. A file's
# tests stay together, because they share what was built for them.
PARALLEL ?= -n 3 --dist loadfile --no-loadscope-reorder

# PaddleOCR's pins collide with ours: it lives in an environment of its own.
PADDLE := .venv-paddle

.PHONY: help setup paddle corpus test lint clean

help:
	@echo "make corpus   set up, fetch demo inputs, build a corpus, train a tiny model on it"
	@echo "make test     set up, then lint, type-check and run all tests"
	@echo "make setup    only make $(VENV) with all that both need"
	@echo "make paddle   make $(PADDLE), which the second OCR engine and its tests need"
	@echo "make clean    remove $(VENV), the corpus and the run; caches stay"

setup: $(VENV)/.ready

# The mark is made last: a set-up that broke off is done again.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make setup PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "no venv module: install it (on Debian: python3-venv), then try again"; exit 1; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
# Their own requirement, torchvision, must match torch to the digit and is not needed here.
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps lpips piq
	@touch $@

paddle: $(PADDLE)/.ready

$(PADDLE)/.ready: filters/ocr/paddle-requirements.txt
	@test -x $(PADDLE)/bin/python || $(PYTHON) -m venv $(PADDLE)
	$(PADDLE)/bin/python -m pip install --quiet --requirement $<
	@touch $@

corpus: setup
	$(BIN)/python pipelines/build_corpus.py --out $(CORPUS)
	$(BIN)/python vae_training/train.py --config vae_training/recipes/tiny-cpu.yaml \
	  --corpus $(CORPUS) --steps $(STEPS) --out $(RUN)
	@echo
	@echo "corpus         $(CORPUS)/report/index.html and $(CORPUS)/shards"
	@echo "training grid  $(RUN)"

test: setup lint
	if test -e $(PADDLE)/.ready; then \
	  export VAE_CORPUS_PADDLE_PYTHON=$(CURDIR)/$(PADDLE)/bin/python; fi; $(BIN)/python -m pytest $(PARALLEL)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) $(PADDLE) $(CORPUS) $(RUN)
