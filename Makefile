# Everything runs in .venv, which the first target that needs it makes. Options for a run: make train ARGS="..."
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo train test bench check format lock tensorboard clean

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
UV_VERSION := 0.13.9
ARGS ?=
JOBS ?= 2
DEMO := outputs/demo

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## make .venv with exactly what requirements.lock says

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}; name another: make setup PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@echo "installing what requirements.lock names (about 5 GB, PyTorch with CUDA libraries; runs on a CPU too)"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## both stages, an index and a search on drawn garments; prints metrics and a contact sheet's path
	@rm -rf $(DEMO)
	@$(BIN)/python -m fashion_lab.train experiment=demo hydra.run.dir=$(DEMO)/classifier
	@$(BIN)/python -m fashion_lab.train experiment=demo stage=siamese ckpt=$(DEMO)/classifier hydra.run.dir=$(DEMO)/siamese
	@$(BIN)/python -m fashion_lab.index ckpt=$(DEMO)/siamese split=test out=$(DEMO)/index
	@$(BIN)/python -m fashion_lab.search index=$(DEMO)/index k=6 sheet=$(DEMO)/contact-sheet.png \
	    item='[test/dress/p0046-v2.png,test/hat/p0090-v2.png,test/shoes/p0288-v2.png,test/t-shirt/p0411-v2.png]'
	@echo "the same as a page:  $(BIN)/python -m fashion_lab.serve index=$(DEMO)/index  and open http://127.0.0.1:8000"

train: $(READY) ## a training, e.g. make train ARGS="stage=classifier data=clothing"
	$(BIN)/python -m fashion_lab.train $(ARGS)

test: $(READY) ## all tests; those on real pictures where FASHION_LAB_DATA says where they are
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(READY) ## how fast every path is, beside what people would use instead; writes experiments/speed
	$(BIN)/python -m fashion_lab.bench $(ARGS)

check: $(READY) ## formatting, lint, types, and who imports whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py

format: $(READY) ## format the code and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY) ## resolve requirements.lock anew from pyproject.toml
	rm -f requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --prerelease disallow --all-extras --group dev --no-header pyproject.toml -o requirements.lock

tensorboard: $(READY) ## watch all runs, on this machine only
	$(BIN)/tensorboard --logdir outputs

clean: ## remove what can be made again: .venv, caches; runs in outputs stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache dist build
