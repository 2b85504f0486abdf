#!/usr/bin/env bash
# Compile kernels for WebAssembly and compare them with their NumPy twins in Node.js.
#   tests/wasm/run.sh FOLDER BIN     FOLDER is made; BIN holds Python with NumPy
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p "$1"
folder=$(realpath "$1")
bin=$(realpath "$2")
command -v node >/dev/null || { echo "needed: Node.js 20 or newer (Debian, Ubuntu: apt install nodejs)"; exit 1; }
if [ ! -e "$folder/tools/.installed" ]; then
  "$bin/python" -m venv "$folder/tools"
  "$folder/tools/bin/pip" install -q --disable-pip-version-check "ziglang==0.17.*"
  touch "$folder/tools/.installed"
fi
"$folder/tools/bin/python" -m ziglang c++ -target wasm32-wasi -mexec-model=reactor -std=c++20 -O2 -fno-exceptions \
  -ffp-contract=off -DSC_LEVEL=portable -Inative -s tests/wasm/kernels.cpp -o "$folder/kernels.wasm" \
  -Wl,--export=block -Wl,--export=philox -Wl,--export=encode
"$bin/python" tests/wasm/golden.py >"$folder/twins.json"
NODE_NO_WARNINGS=1 node tests/wasm/compare.mjs "$folder/kernels.wasm" "$folder/twins.json"
