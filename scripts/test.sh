#!/bin/sh
# `npm test`: all tests; `npm test -- FILE… [option…]`: these files or folders, with options of `node --test` (scripts/run-tests.ts).
set -eu
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh
need_programs qemu-img:qemu-utils mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs
exec node scripts/run-tests.ts "$@"
