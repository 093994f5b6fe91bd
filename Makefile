# make demo | make test | make acceptance. Python 3.11 to 3.13 is all that must be there; the rest goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Trust the certificates that the machine trusts, as pip does.
export UV_SYSTEM_CERTS := true

.PHONY: demo test lint acceptance install clean

demo: $(VENV)/installed
	$(BIN)/chrombpnet demo -o demo_output --store demo_output/store

test: lint
	$(BIN)/pytest -n 2 --dist loadfile

lint: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/lint-imports

acceptance: $(VENV)/tested
	$(BIN)/pytest tests/acceptance -o addopts="-q --strict-markers -p no:cacheprovider -rs" -s

install: $(VENV)/installed

$(VENV)/uv:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	touch $@

$(VENV)/installed: $(VENV)/uv pyproject.toml constraints.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable .
	touch $@

$(VENV)/tested: $(VENV)/installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --group dev
	touch $@

clean:
	rm -rf $(VENV) demo_output
