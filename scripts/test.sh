#!/bin/sh
# `npm test`: all tests; `npm test -- FILE… [option…]`: these files, with options of `node --test`.
#
# Most files share one process: starting one costs half a second a file. Files in test/crash and test/compat start real
# processes and wait for them, so each has a process of its own, two at a time. The run has a temporary directory of its
# own, and what a test leaves there fails it, as does anything that still keeps the process alive (test/no-leaks.ts).
set -eu
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh
need_programs qemu-img:qemu-utils mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs

shared=
isolated=
options=
sort_argument() {
  case "$1" in
    -*) options="$options $1" ;;
    test/crash/* | test/compat/* | */test/crash/* | */test/compat/*) isolated="$isolated $1" ;;
    *) shared="$shared $1" ;;
  esac
}
for argument in "$@"; do sort_argument "$argument"; done
if [ -z "$shared$isolated" ]; then
  for file in $(find test -name '*.test.ts' | sort); do sort_argument "$file"; done
fi

TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT TERM
# A database server that is started for a test by root runs as somebody else.
chmod 755 "$TMPDIR"

run() {
  node --import ./test/no-leaks.ts --test --test-force-exit "$@"
}
failed=
# Words on purpose: no test file has a space in its name.
# shellcheck disable=SC2086
[ -z "$shared" ] || run --test-isolation=none --test-timeout=120000 $options $shared || failed=yes
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
