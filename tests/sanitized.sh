#!/usr/bin/env bash
# Run the tests of the native module on its build with AddressSanitizer and UBSan.
#   tests/sanitized.sh FOLDER PYTHON     FOLDER holds the package, built with SC_SANITIZE=ON
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath "$1")
python=$2
compiler=${CXX:-c++}
# Python is not linked with the sanitizers: their library goes first, and libstdc++ beside it, so that
# exceptions thrown across modules are seen.
export LD_PRELOAD="$($compiler -print-file-name=libasan.so) $($compiler -print-file-name=libstdc++.so)"
# Without detect_stack_use_after_return: GCC up to 13 puts 64-byte vectors at odd places of its frames (PR 110027).
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0
export UBSAN_OPTIONS=print_stacktrace=1
export SC_NEUROCORE_SANITIZED=$folder SC_NEUROCORE_FEW_LENGTHS=1
exec "$python" -m pytest -q -n auto -p no:cacheprovider tests/native/test_native.py \
  tests/native/test_native_sequential.py tests/native/test_chain.py \
  tests/native/test_gradient_kernels.py tests/native/test_plasticity.py tests/native/test_fixed_learning.py \
  tests/networks/test_network.py tests/networks/test_layers.py tests/networks/test_time.py tests/streams/test_sources.py \
  tests/networks/test_fixed_point.py::test_a_wide_layer_keeps_its_spikes_at_every_level
