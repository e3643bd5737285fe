# Everything that a person does with this repository. `make help` lists it.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
SHOWDOWN := api_pokemon/battle/showdown
SCHEMA := tests/dashboards/schema
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install --progress-bar off --require-hashes --no-deps --requirement
INSTALL_PROJECT := $(PIP) install --quiet --no-build-isolation --no-deps --editable .

# One environment for everything. Each set of locked requirements contains the one before it:
# api (answers requests) < reports (writes drift reports) < dev (tests and linters), and
# api < train (simulates and trains) < dev.
# A stamp file per set remembers that it is installed.
API := $(VENV)/installed-api
REPORTS := $(VENV)/installed-reports
TRAIN := $(VENV)/installed-train
DEV := $(VENV)/installed-dev

.PHONY: help
help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(REPORTS) ## Start the service; settings are variables, as in `API_POKEMON_PORT=9000 make run`
	@export API_POKEMON_COMMIT="$${API_POKEMON_COMMIT:-$$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)}"; exec $(BIN)/api-pokemon up

.PHONY: stack
stack: $(REPORTS) ## Start the service with all that watches it, without containers; `make stack OPTIONS="--speedup 60"` takes its options
	@export API_POKEMON_COMMIT="$${API_POKEMON_COMMIT:-$$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)}"; exec $(BIN)/api-pokemon stack $(OPTIONS)

# More files at a time than there are CPUs: many wait for servers. They start hundreds of processes, which need byte code.
.PHONY: test
test: $(DEV) ## Lint, check the types and the imports, run all the tests
	@scripts/prepare_tests
	@$(MAKE) lint types imports
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: test-browser
test-browser: $(DEV) ## Show a drift report that attacks in Chromium, and see that it reaches nobody
	$(BIN)/pytest tests/browser/report_page.py

.PHONY: test-network
test-network: $(DEV) ## Have drift reports written where there is no network, and see that nobody looks for one
	$(BIN)/pytest tests/integration/reports_without_network.py

.PHONY: lint
lint: $(DEV) ## Check style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: types
types: $(DEV) ## Check the types (mypy, strict)
	$(BIN)/mypy

.PHONY: imports
imports: $(DEV) ## Check that imports run one way only
	$(BIN)/lint-imports

.PHONY: format
format: $(DEV) ## Format the code, repair what can be repaired
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: simulator
simulator: $(SHOWDOWN)/node_modules/.package-lock.json ## Install the battle simulator (Node comes from PyPI)

.PHONY: reports-env
reports-env: $(REPORTS) ## Install what drift reports need

.PHONY: train-env
train-env: $(TRAIN) ## Install what training and simulation need

.PHONY: train
train: $(TRAIN) ## Train a model version from the committed battles
	$(BIN)/api-pokemon train

.PHONY: bench
bench: $(DEV) simulator ## Measure what benchmarks/README.md states
	$(BIN)/python -m benchmarks

.PHONY: fuzz
fuzz: $(DEV) ## Send 10,000 requests by the OpenAPI document; `make fuzz OPTIONS="--cases 500 --seed 2"` takes its options
	$(BIN)/python -m tests.fuzz $(OPTIONS)

.PHONY: audit
audit: $(DEV) ## Look for committed secrets, licences that are not taken, and known vulnerabilities (asks PyPI for these)
	$(BIN)/python scripts/find_secrets.py
	$(BIN)/python scripts/check_licences.py
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off --requirement requirements-dev.txt

.PHONY: bench-scale
bench-scale: $(DEV) ## Measure memory and look-ups up to 10,000,000 predictions: hours, 27 GB; `make bench-scale OPTIONS="--most 1000000"` for less
	$(BIN)/python -m benchmarks.scale $(OPTIONS)

.PHONY: bench-compare
bench-compare: $(DEV) ## Compare requests per second with those of another revision: `make bench-compare BASE=HEAD~1`
	$(BIN)/python -m benchmarks.compare $(BASE) $(OPTIONS)

.PHONY: demo-drift
demo-drift: $(DEV) ## Show drift noticed, alerted, delivered and over, on the native stack
	$(BIN)/python -m benchmarks.drift_demo

.PHONY: chaos
chaos: $(DEV) ## Kill, stop, fill, cut and set wrong all there is for ten minutes, and count what was lost; `make chaos OPTIONS="--seed 2"`
	$(BIN)/python -m benchmarks.chaos $(OPTIONS)

.PHONY: dashboards
dashboards: $(DEV) ## Write the JSON of Grafana's dashboards from their source
	$(BIN)/python -m dashboards

.PHONY: test-clone
test-clone: ## Time `make run` in a fresh clone with an empty home folder
	scripts/time_start.py

.PHONY: kill-containers
kill-containers: ## Kill each container of the running stack under load, as root, and see that nothing is lost
	scripts/kill_containers.py $(OPTIONS)

.PHONY: lock
lock: $(DEV) ## Compile the lock files; `make lock UPGRADE=--upgrade` takes newer versions
	$(call compile,requirements-dev.txt,--group dev --extra train --extra reports $(UPGRADE))
	$(call compile,requirements-train.txt,--extra train --constraint requirements-dev.txt)
	$(call compile,requirements-reports.txt,--extra reports --constraint requirements-dev.txt)
	$(call compile,api_pokemon/requirements.txt,--constraint requirements-dev.txt)

.PHONY: clean
clean: ## Remove what was installed and cached, never the data folder
	rm -rf $(VENV) $(SHOWDOWN)/node_modules $(SCHEMA)/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The same versions on every Python (fewest), for every platform (universal); no package index is named.
define compile
$(BIN)/uv pip compile pyproject.toml --group build $(2) --output-file $(1) --quiet --no-config --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
endef

$(BIN)/python:
	@scripts/make_venv $(VENV)

$(API): api_pokemon/requirements.txt pyproject.toml | $(BIN)/python
	$(INSTALL) api_pokemon/requirements.txt
	$(INSTALL_PROJECT)
	@touch $@

$(REPORTS): requirements-reports.txt pyproject.toml | $(BIN)/python
	$(INSTALL) requirements-reports.txt
	$(INSTALL_PROJECT)
	@touch $(API) $@

$(TRAIN): requirements-train.txt pyproject.toml | $(BIN)/python
	$(INSTALL) requirements-train.txt
	$(INSTALL_PROJECT)
	@touch $(API) $@

$(DEV): requirements-dev.txt pyproject.toml | $(BIN)/python
	$(INSTALL) requirements-dev.txt
	$(INSTALL_PROJECT)
	@touch $(API) $(REPORTS) $(TRAIN) $@

$(SHOWDOWN)/node_modules/.package-lock.json: $(SHOWDOWN)/package-lock.json | $(TRAIN)
	cd $(SHOWDOWN) && PATH="$(abspath $(BIN)):$$PATH" npm ci --omit=optional --ignore-scripts --no-audit --no-fund --no-update-notifier
	@touch $@

$(SCHEMA)/node_modules/.package-lock.json: $(SCHEMA)/package-lock.json | $(TRAIN)
	cd $(SCHEMA) && PATH="$(abspath $(BIN)):$$PATH" npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier
	@touch $@
