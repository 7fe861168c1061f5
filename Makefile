# Everything a newcomer needs: `make dashboard` opens the workbook, `make test` checks it.
# Only Python 3.11 or newer and make are needed to begin with.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
# The browser tests share one server in one worker; the other worker runs the rest.
WORKERS ?= 2
# The address of the dashboards: make dashboard PORT=9000
PORT ?= 8866

PIP_SETTINGS := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore

.PHONY: help
help: ## Show the targets
	@awk 'BEGIN {FS = ":.*## "; print "usage: make TARGET\n"} \
	  /^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/.installed ## Make .venv with the locked dependencies and this package

# The stamps make setup a no-op until the lock or the package description changes.
$(VENV)/.created: .ci/make-venv
	@bash .ci/make-venv "$(VENV)"
	@touch $@

$(VENV)/.locked: $(LOCK) $(VENV)/.created
	@echo "Installing the locked dependencies into $(VENV) ..."
	@if command -v uv >/dev/null; then \
	  uv pip install --quiet --python "$(BIN)/python" -r "$(LOCK)"; \
	else \
	  $(PIP_SETTINGS) "$(BIN)/python" -m pip install --quiet -r "$(LOCK)"; \
	fi
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.locked
	@if command -v uv >/dev/null; then \
	  uv pip install --quiet --python "$(BIN)/python" --no-deps --no-build-isolation --editable .; \
	else \
	  $(PIP_SETTINGS) "$(BIN)/python" -m pip install --quiet --no-deps --no-build-isolation \
	    --editable .; \
	fi
	@touch $@

.PHONY: browser
browser: ## Find a browser for the tests, or install Debian's Chromium (as root)
	@bash .ci/find-browser

.PHONY: dashboard
dashboard: setup ## Open the workbook in a browser (PORT=8866)
	@exec "$(BIN)/planner" serve --port "$(PORT)"

.PHONY: test
test: setup browser lint ## Run lint and all tests
	@echo "Timing-sensitive tests, one at a time:"
	@"$(BIN)/python" -m pytest -q -m benchmark || [ $$? -eq 5 ] # 5: there are none
	@"$(BIN)/python" -m pytest -q -m "not benchmark" -n $(WORKERS) --dist loadgroup

# One thread, so that sums are added in one order and the files come out byte for byte the same.
.PHONY: calibrate
calibrate: setup ## Fit the performance model to data/calibration/serving.csv again
	@OPENBLAS_NUM_THREADS=1 "$(BIN)/python" scripts/calibrate.py

.PHONY: lint
lint: setup ## Check the style
	@"$(BIN)/ruff" check .

.PHONY: format
format: setup ## Mend what the style check can mend
	@"$(BIN)/ruff" check --fix .
	@"$(BIN)/ruff" format .

# The lock names versions only: no index and no hashes, so that it installs unchanged from
# whatever index or mirror an organisation allows, its own rebuilt wheels included.
.PHONY: lock
lock: $(VENV)/.created ## Choose the newest allowed versions again and write requirements.lock
	@UV=$$(command -v uv || true); \
	if [ -z "$$UV" ]; then \
	  $(PIP_SETTINGS) "$(BIN)/python" -m pip install --quiet uv; UV="$(BIN)/uv"; \
	fi; \
	"$$UV" pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	  --extra notebooks --group test --group lint --group build \
	  --no-header --no-annotate --no-emit-index-url --output-file "$(LOCK)"

.PHONY: clean
clean: ## Remove everything that was made, .venv included
	@rm -rf "$(VENV)" build dist .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@find . -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +
