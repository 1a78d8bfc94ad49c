#!/bin/sh
# Node 24: what an `await` costs inside a test of `node:test`.
#
# A good guess: as much as elsewhere. The runner knows which test it is in as AsyncLocalStorage does, and that has gone without promise hooks since
# Node 24 (AsyncContextFrame).
# True: it keeps a hook of `async_hooks` with `init` and `destroy` for as long as tests run, so every promise of the process gets an id, an entry in
# a map and a destroy hook for the collector. There is no option against it. A loop of nothing but awaits takes some twenty times the CPU; what is
# measured inside a test says little of the same code outside of it.
#
# Asynchronous ids tell it: without promise hooks the id after an await is 0 at the top of a program's chain of promises.
# Needs npm. Fails when this changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
case "$(uname -m)" in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
npm install --silent --no-save "node-linux-$arch@24.21.0" >/dev/null
PATH="$work/node_modules/node-linux-$arch/bin:$PATH"
cat >awaits.mjs <<'JS'
import { executionAsyncId } from 'node:async_hooks';
export async function awaits() {
  await null;
  const id = executionAsyncId();
  const before = process.cpuUsage();
  for (let made = 0; made < 1_000_000; made += 1) await made;
  const { user, system } = process.cpuUsage(before);
  return `${id === 0 ? 'untracked' : 'tracked'} ${Math.round((user + system) / 1000)}`;
}
JS
cat >plain.mjs <<'JS'
import { awaits } from './awaits.mjs';
setTimeout(async () => console.log(await awaits()));
JS
cat >in-a-test.mjs <<'JS'
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { awaits } from './awaits.mjs';
test('awaits', async () => writeFileSync('told', await awaits()));
JS
plain=$(node plain.mjs)
node --test in-a-test.mjs >/dev/null
tested=$(cat told)
echo "Node $(node --version)"
echo "a million awaits, promises and ms of CPU: $plain outside of a test, $tested inside"
[ "${plain% *} ${tested% *}" = 'untracked tracked' ] || { echo 'CHANGED: promises are tracked elsewhere than inside tests'; exit 1; }
