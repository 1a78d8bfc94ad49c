#!/bin/sh
# `npm test`: all tests; `npm test -- FILE… [option…]`: these files, with options of `node --test`.
#
# Most files share a process, since starting one costs half a second a file: one has the flows and the engine, which are half of
# the work, another all the rest beside it. Files in test/crash and test/compat start real processes and wait for them, so
# each has a process of its own, two at a time. The run has a temporary directory of its own, and what a test leaves there
# fails it, as does anything that still keeps the process alive (test/no-leaks.ts).
set -eu
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh
need_programs qemu-img:qemu-utils mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs

flows=
shared=
isolated=
options=
sort_argument() {
  case "$1" in
    -*) options="$options $1" ;;
    test/crash/* | test/compat/* | */test/crash/* | */test/compat/*) isolated="$isolated $1" ;;
    test/flows/* | test/engine/* | */test/flows/* | */test/engine/*) flows="$flows $1" ;;
    *) shared="$shared $1" ;;
  esac
}
for argument in "$@"; do sort_argument "$argument"; done
if [ -z "$flows$shared$isolated" ]; then
  for file in $(find test -name '*.test.ts' | sort); do sort_argument "$file"; done
fi

told=$(mktemp)
TMPDIR=$(mktemp -d)
export TMPDIR
beside=
trap 'rm -rf "$TMPDIR" "$told"' EXIT
trap '[ -z "$beside" ] || kill "$beside"; exit 130' INT TERM
# A database server that is started for a test by root runs as somebody else.
chmod 755 "$TMPDIR"

run() {
  node --import ./test/no-leaks.ts --test --test-force-exit "$@"
}
failed=
[ -n "$shared" ] || {
  shared=$flows
  flows=
}
# Words on purpose: no test file has a space in its name.
# shellcheck disable=SC2086
if [ -n "$flows" ]; then
  run --test-isolation=none --test-timeout=120000 $options $flows >"$told" 2>&1 &
  beside=$!
fi
# shellcheck disable=SC2086
[ -z "$shared" ] || run --test-isolation=none --test-timeout=120000 $options $shared || failed=yes
if [ -n "$beside" ]; then
  wait "$beside" || failed=yes
  beside=
  cat "$told"
fi
# shellcheck disable=SC2086
[ -z "$isolated" ] || run --test-concurrency=2 --test-timeout=400000 $options $isolated || failed=yes

left=$(ls -A "$TMPDIR")
if [ -n "$left" ]; then
  say "left behind in the temporary directory: $(echo "$left" | tr '\n' ' ')"
  failed=yes
fi
[ -z "$failed" ] || {
  say 'tests failed'
  exit 1
}
