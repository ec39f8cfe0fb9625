#!/bin/bash
# Complete a photo with LiteRT's aarch64 build under qemu and with this machine's build, and
# compare the pixels. This tests the arithmetic of a phone's processor without a phone.
#
#   check_arm64.sh MODEL.tflite PHOTO MASK [FOLDER]
#
# For Debian 12 on x86-64, as root or where unprivileged user namespaces are allowed. FOLDER
# (default: ./arm64) keeps the downloads, about 60 MB of Debian packages and wheels; nothing is
# installed. `python3` must have ai-edge-litert, numpy and pillow.
set -euo pipefail

if [ $# -lt 3 ]; then
  sed -n '2,9s/^# \{0,1\}//p' "$0"
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
model=$(realpath "$1") photo=$(realpath "$2") mask=$(realpath "$3")
work=${4:-arm64}
mkdir -p "$work"
work=$(realpath "$work")
litert=$(python3 -c "from importlib.metadata import version as v; print(v('ai-edge-litert'))")
version=3.11  # Debian 12's Python

fetch() {
  mkdir -p "$work"/{lists/partial,cache/archives/partial,debs,root,qemu,wheels,site}
  local arm=(-oAPT::Architecture=arm64 -oAPT::Architectures=arm64 -oDir::State::status=/dev/null
    -oDir::State::Lists="$work/lists" -oDir::Cache="$work/cache" -oAPT::Sandbox::User=root)
  apt-get "${arm[@]}" -qq update
  (cd "$work/debs" && apt-get "${arm[@]}" -qq download libc6 libgcc-s1 libstdc++6 zlib1g \
    libexpat1 libffi8 libbz2-1.0 liblzma5 libssl3 libcrypt1 libuuid1 libgomp1 \
    python$version-minimal libpython$version-minimal libpython$version-stdlib)
  for package in "$work"/debs/*.deb; do dpkg -x "$package" "$work/root"; done
  (cd "$work/qemu" && apt-get -qq -oAPT::Sandbox::User=root download qemu-user-static)
  dpkg -x "$work"/qemu/*.deb "$work/qemu"
  local platforms=()
  for name in manylinux2014 manylinux_2_17 manylinux_2_27 manylinux_2_28 manylinux_2_31; do
    platforms+=(--platform "${name}_aarch64")
  done
  python3 -m pip download -q --only-binary=:all: --implementation cp --python-version $version \
    "${platforms[@]}" -d "$work/wheels" "ai-edge-litert==$litert" "numpy<2.5" pillow
  for wheel in "$work"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$work/site"; done
  # The library that detects the processor reads this file; qemu would show the host's.
  for core in 0 1; do
    printf 'processor\t: %d\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n' $core
    printf 'CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n'
    printf 'CPU part\t: 0xd08\nCPU revision\t: 3\n\n'
  done > "$work/cpuinfo"
  touch "$work/fetched"
}

[ -e "$work/fetched" ] || fetch

program="$here/../python_litert/complete.py"
python3 "$program" --threads 1 "$model" "$photo" "$mask" "$work/here.png"

namespace=(unshare --mount)
[ "$(id -u)" = 0 ] || namespace+=(--map-root-user)
"${namespace[@]}" bash -c 'mount --bind "$0/cpuinfo" /proc/cpuinfo && exec "$@"' "$work" \
  "$work/qemu/usr/bin/qemu-aarch64-static" -cpu cortex-a72 -L "$work/root" \
  -E PYTHONPATH="$work/site" -E LD_LIBRARY_PATH="$work/root/usr/lib/aarch64-linux-gnu" \
  "$work/root/usr/bin/python$version" "$program" --threads 1 "$model" "$photo" "$mask" \
  "$work/arm64.png"

python3 - "$work/here.png" "$work/arm64.png" <<'END'
import sys
import numpy as np
from PIL import Image

here, arm64 = (np.asarray(Image.open(path)).astype(int) for path in sys.argv[1:])
difference = np.abs(here - arm64)
print(f"largest difference {difference.max()} of 255, in {np.count_nonzero(difference)} of "
      f"{difference.size} values")
sys.exit(int(difference.max() > 1))
END
