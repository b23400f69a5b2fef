# make demo and make test set up everything on a fresh machine; see README for the same without make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check docs clean

demo: $(READY)
	$(BIN)/tinyseg demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

docs: $(READY)
	$(BIN)/python docs/generate.py

audit: $(READY)
	$(BIN)/pip-audit -r constraints.txt --no-deps --disable-pip

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev,bench,tflite,triton]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info
