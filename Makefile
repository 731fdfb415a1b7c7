# Everything a person or CI types. Each target does its own set-up.
PYTHON ?= python3
BIN := .venv/bin

.DELETE_ON_ERROR:
.PHONY: help install install-dev serve test image-check torture check format eval bench reader calibrate clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: .venv/installed  ## make the virtual environment with the command .venv/bin/attest

install-dev: .venv/installed-dev

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Attest needs Python 3.11 or newer; name one with: make PYTHON=python3.11 …")'
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

serve: install  ## index seeds/ and serve the page (ATTEST_PORT, default 8000); with ATTEST_INDEX, serve that index
	@test -n "$$ATTEST_INDEX" || $(BIN)/attest index seeds
	@exec $(BIN)/attest serve

test: install-dev  ## run every test, in a real browser too
	@ATTEST_BROWSER=$$(tests/find-browser) && export ATTEST_BROWSER && $(BIN)/python -m pytest

image-check: install-dev  ## build the stages of the Dockerfile without Docker, as root, and look at the image
	$(BIN)/python -m tests.docker.image

torture: install-dev  ## kill, damage, flood and fuzz as often as the figures say (hours)
	$(BIN)/python -m tests.torture.kill 10000
	$(BIN)/python -m tests.torture.server 300
	$(BIN)/python -m tests.torture.damage 12000
	$(BIN)/python -m tests.torture.oracle 10000
	$(BIN)/python -m tests.torture.limits
	$(BIN)/python -m tests.torture.schema 20000
	$(BIN)/python -m tests.torture.fuzz 20000
	@ATTEST_BROWSER=$$(tests/find-browser) && export ATTEST_BROWSER && $(BIN)/python -m tests.torture.scripts 1000
	$(BIN)/python -m tests.torture.overload 60
	$(BIN)/python -m tests.torture.drain 200
	$(BIN)/python -m tests.torture.soak 50000

check: install-dev  ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

eval: install  ## ask the known questions on the seeds and print the figures
	@$(BIN)/attest index seeds
	@$(BIN)/attest eval

bench: install  ## measure what answers cost, beside the usual pipeline on torch (half an hour)
	$(BIN)/attest bench --baseline --passages 1000 --passages 10000 --vectors-only 1000000

reader: install-dev  ## train the span reader, ship it, fit the confidence: make reader DATA=folder of the data files
	$(BIN)/python -m service.reader.train $(DATA) .reader
	$(BIN)/python -m service.reader.export .reader/model $(DATA)
	$(BIN)/python -m eval.calibrate $(DATA)/squad-dev.jsonl.gz

calibrate: install  ## fit the confidence alone, once weights are there: make calibrate DATA=folder with squad-dev
	$(BIN)/python -m eval.calibrate $(DATA)/squad-dev.jsonl.gz

clean:  ## remove what the other targets made
	rm -rf .venv .attest .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
