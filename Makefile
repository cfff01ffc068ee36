# make run [ENDPOINT=https://host/v1] [MODEL=name] [ARGS="..."]   judge an endpoint (without one: the built-in)
# make test                                                       the suite's own tests
# make matrix [NAMES="litellm llmock"]                            judge third-party servers: docs/servers.md
.PHONY: run test matrix
VENV := .venv
READY := $(VENV)/.ready

run: $(READY)
	@$(VENV)/bin/pytest conformance $(if $(ENDPOINT),--endpoint $(ENDPOINT)) $(if $(MODEL),--model $(MODEL)) $(ARGS)

test: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/check-jsonschema --check-metaschema $$(find schemas -name '*.json')
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(VENV)/bin/zizmor --quiet --offline --no-progress .github/workflows action.yml
	$(VENV)/bin/hadolint Dockerfile
	$(VENV)/bin/kubernetes-validate --quiet --strict deploy/*.yaml
	$(VENV)/bin/pytest -q -n 2 tests $(ARGS)

matrix: $(READY)
	@$(VENV)/bin/python -m targets $(NAMES)

# uv where it is, else venv and pip; made again only when the dependencies change.
$(READY): pyproject.toml
	@command -v python3 >/dev/null || { echo "python3 (3.11 or newer) is needed"; exit 1; }
	@if command -v uv >/dev/null; then \
	  uv venv -q --allow-existing --python '>=3.11' $(VENV) && uv pip install -q --python $(VENV)/bin/python -e '.[dev]'; \
	else \
	  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")' && \
	  python3 -m venv $(VENV) && $(VENV)/bin/pip install -q --disable-pip-version-check -e '.[dev]'; \
	fi
	@touch $(READY)
