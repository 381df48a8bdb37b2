# One entry for people and for CI. `make` alone lists the targets.

UV_VERSION := 0.13.9
HOSTS ?= 4
INTERVALS ?= fast
LABS ?= 3

# Nothing is taken from the caller's environment: not its PATH (pyenv, conda), not its HOME. Only the
# demo looks on that PATH, for a python3 that is new enough, if the machine's own is not.
CALLERS_PATH := $(PATH)
export PATH := $(CURDIR)/.cache/uv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME := $(or $(HOME),$(shell getent passwd "$$(id -u)" | cut -d: -f6),/tmp)
export LC_ALL := C.UTF-8
export UV_PYTHON ?= /usr/bin/python3
export UV_CACHE_DIR := $(CURDIR)/.cache/uv/cache
export UV_SYSTEM_CERTS := 1
export UV_VERSION
# It would have every start of a program compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help check test-fast test demo demo-lab bench clean

BIN := .venv/bin
READY := .venv/.ready
RUNTIME := .cache/runtime/.ready

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort -u \
	  | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(READY): pyproject.toml uv.lock Makefile tools/bootstrap.py
	@/usr/bin/env python3 tools/bootstrap.py
	@touch $@

$(RUNTIME): pyproject.toml uv.lock Makefile tools/bootstrap.py
	@PATH="$(PATH):$(CALLERS_PATH)" CALLERS_PATH="$(CALLERS_PATH)" \
	  python3 tools/bootstrap.py --runtime
	@touch $@

check: $(READY) ## lint, format, types, layers, lock file
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	uv lock --check
	$(BIN)/pyright

test-fast: $(READY) ## everything that needs no lab
	$(BIN)/pytest -m "not lab" -n auto --dist worksteal

# The lab wants the machine for itself, so its tests come after the others. A test on it mostly waits (for
# silence, proof, Nova's own pace): three labs side by side leave a core and more free most of the time.
test: check test-fast ## all of it: checks, fast tests, and the tests on a real OpenStack (the lab)
	$(BIN)/pytest -m lab -n $(LABS) --dist loadfile

demo: $(RUNTIME) ## a host of a simulated cloud dies, and its servers get up: watch (no root)
	@.cache/runtime/bin/koboshi demo

demo-lab: $(READY) ## the same on a real OpenStack, built here for the purpose (root, Debian 12)
	$(BIN)/python tools/demo.py

bench: $(READY) ## how fast: measured on the lab (see bench/README.md)
	$(BIN)/python bench/recovery.py --json

clean: ## forget every environment, cache and result (the lab must be down)
	rm -rf .venv .cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench/results

-include lab/lab.mk
