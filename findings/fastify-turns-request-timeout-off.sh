#!/bin/sh
# Fastify 5.12.8, and the time limit of Node's HTTP server for a whole request (`requestTimeout`, 300 s by default).
#
# A good guess: a server that Fastify makes has Node's limits; and options in `http`, which are handed to Node's `createServer`, hold.
# True: `requestTimeout` is 0, which is none, and one given in `http` is set back to 0. Only Fastify's own option of that name holds.
# Without it a request as a whole has no time limit.
#
# Needs npm. Fails when this changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
case "$(uname -m)" in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
npm install --silent --no-save fastify@5.12.8 "node-linux-$arch@24.21.0" >/dev/null
PATH="$work/node_modules/node-linux-$arch/bin:$PATH"
cat >try.mjs <<'JS'
import { createServer } from 'node:http';
import Fastify from 'fastify';
const limit = ({ requestTimeout }) => `${requestTimeout} ms`;
console.log(`Node's own server: ${limit(createServer())}`);
console.log(`Fastify: ${limit(Fastify().server)}`);
console.log(`Fastify, http.requestTimeout 30000: ${limit(Fastify({ http: { requestTimeout: 30000 } }).server)}`);
console.log(`Fastify, requestTimeout 30000: ${limit(Fastify({ requestTimeout: 30000 }).server)}`);
JS
echo "Node $(node --version), Fastify $(node -p 'require("fastify/package.json").version')"
node try.mjs | tee said.txt
grep -qx "Node's own server: 300000 ms" said.txt || { echo "CHANGED: Node's default"; exit 1; }
grep -qx 'Fastify: 0 ms' said.txt || { echo 'CHANGED: Fastify leaves a limit'; exit 1; }
grep -qx 'Fastify, http.requestTimeout 30000: 0 ms' said.txt || { echo 'CHANGED: options of http hold'; exit 1; }
grep -qx 'Fastify, requestTimeout 30000: 30000 ms' said.txt || { echo 'CHANGED: its own option does not hold'; exit 1; }
