# Needs python3 (3.11 or later, with its venv module), make and git; everything else goes into .venv/.
# Another Python: make PYTHON=python3.12 run; beside the first one's environment: make PYTHON=python3.12 VENV=.venv-3.12 test

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run demo test coverage check lint bench docs clean FORCE
# Two pips must not run in one environment at once.
.NOTPARALLEL:
.SUFFIXES:

help: ## list the targets
	@sed -n 's/^\([a-z]*\): .*## /\1	/p' $(MAKEFILE_LIST) | expand -t 8

# make exports WORKERS from its command line to the launcher.
run: $(VENV)/.run ## start both servers in the foreground; WORKERS=4 for four WebSocket workers; Ctrl-C stops
	@$(BIN)/python -m taskbeam serve

demo: $(VENV)/.run ## start both servers with two users and their tasks, in a temporary folder; Ctrl-C stops
	@$(BIN)/python -m taskbeam demo

test: $(VENV)/.dev ## run the whole test suite
	$(BIN)/python -m pytest

coverage: $(VENV)/.dev ## run the whole test suite, and measure which branches it takes; fails below the floor in pyproject.toml
	$(BIN)/python -m pytest --cov

check: lint ## lint, and the tests of the documentation
	$(if $(wildcard tests/docs),$(BIN)/python -m pytest tests/docs)

lint: $(VENV)/.dev ## lint, formatting, types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy --strict $(wildcard shared ws_server rest_gateway taskbeam clients/python/taskbeam_client benchmarks examples tests)

bench: $(VENV)/.bench ## measure beside raw baselines, and write docs/reference/performance.md; PEERS=1 for FastAPI and PocketBase too
	$(BIN)/python -m benchmarks $(if $(PEERS),--peers)

docs: $(VENV)/.docs ## build the documents as a site, build/site/index.html; fails at a broken link, and where it loads from other hosts
	rm -rf build/site
	$(BIN)/python -m tests.docs.site_pages
	$(BIN)/python -m zensical build --clean --strict
	@! grep -rE '<(script|img|iframe|link)[^>]* (src|href)="?(https?:)?//' --include='*.html' build/site

clean: ## remove the environment and all caches; var/, the data, stays
	rm -rf $(VENV) .venv-* benchmarks/.venv-peers build dist .cache *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
	find . \( -path ./.git -o -path ./var \) -prune -o -type d -name __pycache__ -exec rm -rf {} +

# The environment contains absolute paths, and links to one Python. The identity of both is written last. So an environment
# that is incomplete, or of another Python or folder, is noticed, and made again.
define IDENTITY
import os, sys
print(*sys.version_info, sys.implementation.name, sys.base_prefix, os.getcwd())
endef
export IDENTITY

# The Python that the environment was made from, where PYTHON is the environment's own, which is about to be removed.
BASE_PYTHON := import sys; print(getattr(sys, "_base_executable", None) or sys.executable)

$(VENV)/.base: FORCE
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -c '' || { \
	    echo "taskbeam: $(PYTHON) does not run here; name another Python: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "taskbeam: Python 3.11 or later is needed, $(PYTHON) is older; name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "taskbeam: $(PYTHON) has no venv module; install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@identity="$$($(PYTHON) -c "$$IDENTITY")"; \
	if [ "$$identity" = "$$(cat $@ 2>/dev/null)" ] && [ ! -e $(VENV)/.unfinished ] \
	    && $(BIN)/python -c 'import pip' 2>/dev/null; then exit 0; fi; \
	echo "taskbeam: making the environment $(VENV)/"; \
	base="$$($(PYTHON) -c '$(BASE_PYTHON)')" && rm -rf $(VENV) && "$$base" -m venv $(VENV) && echo "$$identity" >$@

# Versions are those of constraints.txt, which says how it is made.
# Each stamp has the content of pyproject.toml and constraints.txt as installed: after a checkout, times mean nothing.
# An interrupted pip may leave a package that it later takes for complete. So .unfinished stays behind, and the next run
# makes the environment again. pip 25.1 is the first with dependency groups.
define install
@cat pyproject.toml constraints.txt | cmp -s - $@ || { \
    echo "taskbeam: installing into $(VENV)/" && touch $(VENV)/.unfinished \
    && $(PIP) install --quiet 'pip>=25.1' && $(PIP) install --quiet --constraint constraints.txt $(1) \
    && cat pyproject.toml constraints.txt >$@ && rm $(VENV)/.unfinished; }
endef

$(VENV)/.run: $(VENV)/.base FORCE
	$(call install,--editable .)

$(VENV)/.dev: $(VENV)/.base FORCE
	$(call install,--editable . --group dev)

$(VENV)/.bench: $(VENV)/.base FORCE
	$(call install,--editable . --group bench)

$(VENV)/.docs: $(VENV)/.base FORCE
	$(call install,--editable . --group docs)
