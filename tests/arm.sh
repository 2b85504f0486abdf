#!/usr/bin/env bash
# Compile the native module for 64-bit ARM and run its tests in an emulator. For Debian and Ubuntu.
#   tests/arm.sh FOLDER BIN     FOLDER is made; BIN holds Python, pip, cmake and ninja
# Python for ARM comes from the distribution, unpacked into FOLDER; NumPy for ARM comes from PyPI. The
# packages of this machine stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$1"
folder=$(realpath "$1")
bin=$(realpath "$2")
emulator=$(command -v qemu-aarch64 || command -v qemu-aarch64-static || true)
if [ -z "$emulator" ] || ! command -v aarch64-linux-gnu-g++ >/dev/null || ! command -v apt-get >/dev/null; then
  echo "needed: a cross compiler and an emulator (Debian, Ubuntu: apt install g++-aarch64-linux-gnu qemu-user)"
  exit 1
fi

# A package system of its own, in which nothing is installed: apt downloads all that Python needs.
root=$folder/root
python=$folder/python
if [ ! -e "$folder/.python" ]; then
  apt=$folder/apt
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$root"
  : >"$apt/status"
  cat >"$apt/conf" <<END
APT::Architecture "arm64";
APT::Architectures {"arm64";};
APT::Sandbox::User "root";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
END
  APT_CONFIG=$apt/conf apt-get update -qq
  APT_CONFIG=$apt/conf apt-get install -qqy --download-only --no-install-recommends \
    python3-minimal libpython3-stdlib libpython3-dev libstdc++6 >/dev/null
  for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
  [ -e "$root/lib" ] || ln -s usr/lib "$root/lib" # newer releases have it in another package
  rm -r "$apt"
  printf '#!/bin/sh\nexec %q -L %q %q "$@"\n' "$emulator" "$root" "$root/usr/bin/python3" >"$python"
  chmod +x "$python"
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  "$bin/pip" install -q --disable-pip-version-check --upgrade --target "$folder/site" --only-binary=:all: \
    --python-version "$version" --platform manylinux_2_17_aarch64 --platform manylinux_2_27_aarch64 \
    --platform manylinux_2_28_aarch64 "numpy>=2.0" "pytest==9.*"
  # Tests that start Python again start the emulator.
  echo "import sys; sys.executable = '$python'" >"$folder/site/sitecustomize.py"
  touch "$folder/.python"
fi

# Headers of the sysroot come last, so that those of the cross compiler are used where both have one.
include=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
PATH=$bin:$PATH cmake -S . -B "$folder/objects" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
  -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ "-DCMAKE_CXX_FLAGS=-idirafter $root/usr/include" \
  -DPython_EXECUTABLE="$python" -DPython_INCLUDE_DIR="$include" \
  -Dnanobind_DIR="$("$bin/python" -m nanobind --cmake_dir)" >/dev/null
PATH=$bin:$PATH cmake --build "$folder/objects"
rm -rf "$folder/package"
PATH=$bin:$PATH cmake --install "$folder/objects" --prefix "$folder/package" >/dev/null
cp -r src/sc_neurocore "$folder/package"

export PYTHONPATH=$folder/package:$folder/site PYTHONDONTWRITEBYTECODE=1 SC_NEUROCORE_FEW_LENGTHS=1
"$python" -c 'from sc_neurocore import _native; assert _native.isas() == ["portable", "neon"], _native.isas()'
"$python" -m sc_neurocore info
# Tests of the normal distribution need SciPy; the samples equal their twin. Two processes: emulation is slow.
run() { "$python" -m pytest -q -p no:cacheprovider "$@"; }
run tests/native/test_native.py -k "not inverse_distribution_function and not moments_and_tails" &
first=$!
run tests/native/test_native_sequential.py tests/native/test_chain.py \
  tests/native/test_gradient_kernels.py || { wait $first; exit 1; }
wait $first
