# Every target sets itself up: a virtual environment in .venv, the package installed into it.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# One BLAS thread for each of the two test processes; more only wait for each other.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

# The CUDA that CuPy is made for: 12 or 13.
CUDA ?= 13

.PHONY: help demo test lint coverage judges bench gpu clean

help:
	@echo "make demo      write data.csv, train, evaluate, save, reload, draw (under two minutes)"
	@echo "make test      the tests"
	@echo "make lint      ruff and mypy"
	@echo "make coverage  the tests with a report of the lines they miss"
	@echo "make judges    the comparison with Keras 3 and PyTorch, which it installs"
	@echo "make bench     the training steps, timed against PyTorch, which it installs"
	@echo "make gpu       the GPU's tests, then the steps and kernels timed there; CUDA=12 for CUDA 12"
	@echo "make clean     remove .venv and what the targets made"

.venv/base: setup.cfg pyproject.toml
	@test -n "$(PYTHON)" || { echo "LS needs Python 3.10 or newer; none was found. Name one: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[plots]'
	@touch $@

.venv/test: .venv/base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

.venv/dev: .venv/test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

.venv/judges: .venv/test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check keras tensorboard wandb
	@touch $@

demo: .venv/base
	$(BIN)/ls-engine demo

test: .venv/test
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 -q

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

coverage: .venv/test
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 -q --cov --cov-report=term-missing:skip-covered

judges: .venv/judges
	$(ONE_THREAD) $(BIN)/python -m pytest tests/judges -m judges -n 2 -q -W default

bench: .venv/judges
	$(BIN)/python -m benchmarks.steps --instructions best --memory

.venv/gpu: .venv/judges
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[cuda$(CUDA)]'
	@touch $@

gpu: .venv/gpu
	LS_REQUIRE_GPU=1 $(BIN)/python -m pytest -m gpu -q
	-$(BIN)/python -m benchmarks.steps --device cupy --json benchmarks/results/gpu-steps.json
	-$(BIN)/python -m benchmarks.steps --device cupy --batch 8 --json benchmarks/results/gpu-steps-8.json
	-$(BIN)/python -m benchmarks.kernels --sizes medium large --json benchmarks/results/gpu-kernels.json

clean:
	rm -rf .venv build dist *.egg-info demo data.csv data_test.csv .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
