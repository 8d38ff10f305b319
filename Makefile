# Every target sets itself up: it needs make and Python 3.11 or newer, no root. The second time it needs no network.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTEST_FLAGS ?=
WORKERS ?= 2
DEMO_FLAGS ?=
BENCH_FLAGS ?=

.PHONY: help setup demo test check bench licences clean

help:
	@echo "make demo   hear a few spoken commands and show every turn; replies land in out/. LANG=hi: in that language"
	@echo "make test   run all tests"
	@echo "make check  lint, format, types, imports, licences"
	@echo "make bench  measure; see docs/performance.md"
	@echo "make setup  only build $(VENV)"

# LANG is set on every machine ("en_US.UTF-8"); only `make demo LANG=hi` means the language of the demo.
ifeq ($(origin LANG),command line)
DEMO_FLAGS += --language $(LANG)
unexport LANG
endif

setup:
	@sh scripts/setup.sh "$(VENV)"

demo: setup
	@$(BIN)/entendre demo $(DEMO_FLAGS)

test: setup
	@WORKERS=$(WORKERS) sh scripts/test.sh "$(BIN)" $(PYTEST_FLAGS)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/licences.py

bench: setup
	@$(BIN)/entendre bench all $(BENCH_FLAGS)

licences: setup
	@$(BIN)/python scripts/licences.py --list

clean:
	rm -rf $(VENV) out build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
