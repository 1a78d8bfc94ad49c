#!/bin/sh
# qemu-img (7.2), and an image in format vpc (VHD) of 1 GiB.
#
# A good guess: the disk in it has 1 GiB.
# True: it has 1,073,995,776 bytes, since the size is rounded up to whole cylinders; `qemu-img info` prints "1 GiB" beside it. A volume of
# 1 GiB is then too small for an image of 1 GiB. `-o force_size=on` makes it as it was asked for.
#
# Needs Debian's package qemu-utils, which is installed when it is missing. Fails when this changes.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
command -v qemu-img >/dev/null ||
  { apt-get update -qq && apt-get install -qq --yes --no-install-recommends qemu-utils; } >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
qemu-img --version | head -n 1
bytes() { qemu-img info -f vpc --output json "$1" | sed -n 's/^ *"virtual-size": \([0-9]*\),*$/\1/p' | tail -n 1; }
qemu-img create -q -f vpc plain 1G
qemu-img create -q -f vpc -o force_size=on forced 1G
echo "1 GiB is 1073741824 bytes; as vpc $(bytes plain); with force_size $(bytes forced)"
[ "$(bytes plain)" = 1073995776 ] || { echo 'CHANGED: the size of a plain one'; exit 1; }
[ "$(bytes forced)" = 1073741824 ] || { echo 'CHANGED: the size of a forced one'; exit 1; }
