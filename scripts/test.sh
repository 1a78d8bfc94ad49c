#!/bin/sh
# `npm test`: all tests; `npm test -- FILE… [option…]`: these files, with options of `node --test`.
#
# Most files share a process, since starting one costs half a second a file: one has the flows, one the engine and the drivers,
# which wait for programs and disks, one all the rest; they run beside each other. Files in test/crash and test/compat start real
# processes and wait for them, so each has a process of its own, two at a time. The run has a temporary directory of its own, and
# what a test leaves there fails it, as does anything that still keeps the process alive (test/no-leaks.ts).
set -eu
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh
need_programs qemu-img:qemu-utils mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs

flows=
below=
rest=
isolated=
options=
sort_argument() {
  case "$1" in
    -*) options="$options $1" ;;
    test/crash/* | test/compat/* | */test/crash/* | */test/compat/*) isolated="$isolated $1" ;;
    test/flows/* | */test/flows/*) flows="$flows $1" ;;
    test/drivers/* | test/engine/* | */test/drivers/* | */test/engine/*) below="$below $1" ;;
    *) rest="$rest $1" ;;
  esac
}
for argument in "$@"; do sort_argument "$argument"; done
if [ -z "$flows$below$rest$isolated" ]; then
  for file in $(find test -name '*.test.ts' | sort); do sort_argument "$file"; done
fi

told=$(mktemp -d)
TMPDIR=$(mktemp -d)
export TMPDIR
beside=
trap 'rm -rf "$TMPDIR" "$told"' EXIT
# Words on purpose: they are numbers of processes.
# shellcheck disable=SC2086
trap '[ -z "$beside" ] || kill $beside; exit 130' INT TERM
# A database server that is started for a test by root runs as somebody else.
chmod 755 "$TMPDIR"

# A young generation of the usual size is collected all the time: a sixth of a process's CPU.
run='node --max-semi-space-size=64 --import ./test/no-leaks.ts --test --test-force-exit
  --test-reporter=spec --test-reporter-destination=stdout --test-reporter=spec'
share="$run --test-isolation=none --test-timeout=120000"
failed=
# The first group that there is shows what it does; what the others did is told after it.
shown=
others=0
again() { echo "--test-reporter-destination=$told/again-$1"; }
# Words on purpose, here and below: no test file has a space in its name.
# shellcheck disable=SC2086
for group in "$rest" "$below" "$flows"; do
  if [ -z "$group" ]; then
    continue
  elif [ -z "$shown" ]; then
    shown=$group
  else
    others=$((others + 1))
    $share $(again $others) $options $group >"$told/$others" 2>&1 &
    beside="$beside $!"
  fi
done
# shellcheck disable=SC2086
[ -z "$shown" ] || $share $(again shown) $options $shown || failed=yes
others=0
for process in $beside; do
  others=$((others + 1))
  wait "$process" || failed=yes
  cat "$told/$others"
done
beside=
# shellcheck disable=SC2086
[ -z "$isolated" ] || $run $(again isolated) --test-concurrency=2 --test-timeout=400000 $options $isolated || failed=yes

left=$(ls -A "$TMPDIR")
if [ -n "$left" ]; then
  say "left behind in the temporary directory: $(echo "$left" | tr '\n' ' ')"
  failed=yes
fi
[ -z "$failed" ] || {
  set -- "$told"/again-*
  [ $# -eq 1 ] || awk 'FNR == 1 { on = 0 } /failing tests:/ { on = 1 } on' "$@"
  say 'tests failed'
  exit 1
}
