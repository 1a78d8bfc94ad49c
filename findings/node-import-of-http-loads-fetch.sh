#!/bin/sh
# Node 24: `import … from 'node:http'` beside `require('node:http')`, in a process that never calls fetch.
#
# A good guess: both load the same built-in module, and cost the same.
# True: an import reads every export of the module, to give each a binding; one of them, WebSocket, is a getter that loads Node's own fetch
# (undici) with all it needs: some 70 modules and 2 to 3 MB for the import of a single name, which require does not load, nor an import of
# node:https. `createRequire(import.meta.url)('node:http')` in a module costs what require costs.
#
# Needs npm. Fails when this changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
case "$(uname -m)" in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
npm install --silent --no-save "node-linux-$arch@24.21.0" >/dev/null
PATH="$work/node_modules/node-linux-$arch/bin:$PATH"
cat >tell.mjs <<'JS'
const has = process.moduleLoadList.some((name) => name.endsWith('internal/deps/undici/undici'));
console.log(`${process.argv[2]}: undici is ${has ? '' : 'not '}loaded, ${process.moduleLoadList.length} modules`);
JS
for way in \
  "import 'node:module'" \
  "import { createRequire } from 'node:module'; createRequire(import.meta.url)('node:http').createServer" \
  "import { STATUS_CODES } from 'node:http'" \
  "import { request } from 'node:https'"; do
  { echo "$way;"; cat tell.mjs; } >way.mjs
  node way.mjs "$way"
done >told.txt
echo "Node $(node --version)"
cat told.txt
grep -q '^import { STATUS_CODES }.*undici is loaded' told.txt || { echo 'CHANGED: an import of node:http does not load fetch'; exit 1; }
grep -q '^import { request }.*undici is not loaded' told.txt || { echo 'CHANGED: an import of node:https loads fetch'; exit 1; }
grep -q '^import { createRequire }.*undici is not loaded' told.txt || { echo 'CHANGED: require of node:http loads fetch'; exit 1; }
