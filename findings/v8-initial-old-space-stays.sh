#!/bin/sh
# Node 24: what `--initial-old-space-size` does to a process that has long begun.
#
# A good guess: it is the size at which the old generation begins, so that a start is not held up by collections; from the first full collection on V8
# chooses the limit by what is alive, as ever.
# True: it stays. Later limits are never below it, so old garbage piles up to it between any two full collections for the whole life of the process,
# however little is alive; a process that was told 64 for its start pays with tens of megabytes at work.
#
# A program with some 15 MB alive collects once by force, as after a start, and goes on making objects that live long enough to become old. Told is
# the largest heap from then on, of which the young generation, bounded here, is a small part.
# Needs npm. Fails when this changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
case "$(uname -m)" in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
npm install --silent --no-save "node-linux-$arch@24.21.0" >/dev/null
PATH="$work/node_modules/node-linux-$arch/bin:$PATH"
cat >churn.mjs <<'JS'
const alive = Array.from({ length: 100_000 }, (_, at) => ({ at, pair: [at, at + 0.5] }));
globalThis.gc();
const ring = new Array(50_000);
let largest = 0;
for (let made = 0; made < 6_000_000; made += 1) {
  ring[made % ring.length] = { made, pair: [made, made + 0.5] };
  if (made % 20_000 === 0) largest = Math.max(largest, process.memoryUsage().heapUsed);
}
console.log(Math.round(largest / 1e6), alive.length);
JS
largest() { node --expose-gc --max-semi-space-size=1 "$@" churn.mjs | cut -d' ' -f1; }
plain=$(largest)
told=$(largest --initial-old-space-size=256)
echo "Node $(node --version), V8 $(node -p process.versions.v8)"
echo "largest heap after a full collection: $plain MB by itself, $told MB with --initial-old-space-size=256"
[ "$told" -gt $((2 * plain)) ] || { echo 'CHANGED: the initial size of the old space is no floor for later limits'; exit 1; }
