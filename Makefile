# `make help` lists the targets, from the comments that begin with ##.
.DEFAULT_GOAL := help
.PHONY: help run check lint test generate matrix
VENV := .venv
READY := $(VENV)/.ready
PYTHON ?= python3
# The tests start the suite some hundred times: where the environment forbids bytecode, it would be compiled each time.
test check: export PYTHONDONTWRITEBYTECODE =

# The tests of `make check`: without servers and the fault matrix. tests/test_habits.py checks this list.
UNIT := $(addprefix tests/test_,$(addsuffix .py,architecture baseline capture_prose catalogue \
  client_evidence codings events evidence exchange fold history jsonprefix lifecycle matrix_report page_example \
  redact report_html report_texts scenarios schemas sse target verdict words)) \
  tests/emulator/test_emulator_answers.py tests/emulator/test_emulator_refusals.py tests/traffic/test_traffic_rules.py

help: ## list the targets
	@echo "Usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(READY) ## check an endpoint: ENDPOINT=https://host/v1 MODEL=name ARGS="..."; without ENDPOINT the built-in one
	@$(VENV)/bin/pytest conformance $(if $(ENDPOINT),--endpoint $(ENDPOINT)) $(if $(MODEL),--model $(MODEL)) $(ARGS)

check: lint ## lint, types and the fast unit tests (less than a minute)
	$(VENV)/bin/pytest -q -n 2 $(UNIT) $(ARGS)

lint: $(READY) ## ruff, mypy and codespell
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/codespell

test: lint ## everything that CI runs: lint, schemas, workflows, image and all tests
	$(VENV)/bin/check-jsonschema --check-metaschema $$(find schemas -name '*.json')
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(VENV)/bin/zizmor --quiet --offline --no-progress .github/workflows action.yml
	$(VENV)/bin/hadolint Dockerfile
	$(VENV)/bin/kubernetes-validate --quiet --strict deploy/*.yaml
	$(VENV)/bin/pytest -q -n 3 --dist worksteal tests $(ARGS)

generate: $(READY) ## write all generated files: fault matrix, pages, client evidence
	$(VENV)/bin/python -m tools.fault_matrix --write
	$(VENV)/bin/python -m tools.pages
	$(VENV)/bin/python -m tools.client_evidence --write

matrix: $(READY) ## install, start and check third-party servers (docs/servers.md): NAMES="litellm llmock"
	@$(VENV)/bin/python -m targets $(NAMES)

# Uses uv if it is installed, else venv and pip; runs again only when the dependencies change.
$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) (3.11 or newer) is needed"; exit 1; }
	@if command -v uv >/dev/null; then \
	  uv venv -q --allow-existing --python '>=3.11' $(VENV) && \
	  uv pip install -q --python $(VENV)/bin/python -c constraints.txt -e '.[dev]'; \
	else \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")' && \
	  $(PYTHON) -m venv $(VENV) && $(VENV)/bin/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'; \
	fi
	@touch $(READY)
