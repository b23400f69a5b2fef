# make demo and make test set up everything on a fresh machine; see README for the same without make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

NATIVE := pyproject.toml $(wildcard tinyseg/native/*.c tinyseg/native/*.h)

.PHONY: demo test check docs audit native clean

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

# Builds the native kernels anew after a change to their C, in an environment that is there.
native:
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .

$(READY): $(NATIVE) constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev,bench,mcu,openvino,tensorflow,triton]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info tinyseg/native/*.so
