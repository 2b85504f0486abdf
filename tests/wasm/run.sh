#!/usr/bin/env bash
# Compile the core for WebAssembly, run kernels in Node.js, and compare them with those of this machine.
#   tests/wasm/run.sh FOLDER BIN     FOLDER is made; BIN holds Python with the package and pip
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p "$1"
folder=$(realpath "$1")
bin=$(realpath "$2")
command -v node >/dev/null || { echo "needed: Node.js 20 or newer (Debian, Ubuntu: apt install nodejs)"; exit 1; }
if [ ! -e "$folder/.tools" ]; then
  "$bin/python" -m venv "$folder/tools"
  "$folder/tools/bin/pip" install -q --disable-pip-version-check "ziglang==0.17.*"
  touch "$folder/.tools"
fi

objects=()
for file in native/*.cpp tests/wasm/kernels.cpp; do
  if [ "$file" = native/bind.cpp ]; then continue; fi # Python's part
  object=$folder/$(basename "$file").o
  objects+=("$object")
  if [ "$object" -nt "$file" ] && [ -z "$(find native -name '*.hpp' -newer "$object")" ]; then continue; fi
  "$folder/tools/bin/python" -m ziglang c++ -target wasm32-wasi -std=c++20 -O2 -fno-exceptions -ffp-contract=off \
    -DSC_LEVEL=portable -Inative -c "$file" -o "$object"
done
exports=()
for name in block philox normal encode lfsr dense; do exports+=("-Wl,--export=$name"); done
"$folder/tools/bin/python" -m ziglang c++ -target wasm32-wasi -mexec-model=reactor -O2 -fno-exceptions -s \
  "${exports[@]}" "${objects[@]}" -o "$folder/kernels.wasm"
"$bin/python" tests/wasm/expected.py >"$folder/expected.json"
NODE_NO_WARNINGS=1 node tests/wasm/compare.mjs "$folder/kernels.wasm" "$folder/expected.json"
