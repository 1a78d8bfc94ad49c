#!/bin/sh
# Node 24's zlib, and a gzip file of two members with zeroes between them: RFC 1952 knows no padding, yet tools that write in blocks leave
# it, and readers allow for it.
#
# A good guess: `gunzip` gives both members, as it does when they follow each other, or throws, as it does for other rubbish.
# True: it gives the first, and says nothing. Python's gzip gives both; GNU gzip gives the first and warns (exit status 2). Whoever must not
# lose data counts the bytes that were read of the file.
#
# Needs npm, python3 and gzip. Fails when this changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
case "$(uname -m)" in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
npm install --silent --no-save "node-linux-$arch@24.21.0" >/dev/null
PATH="$work/node_modules/node-linux-$arch/bin:$PATH"
cat >try.mjs <<'JS'
import { writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
const [first, second, padding] = [gzipSync('first '), gzipSync('second'), Buffer.alloc(512)];
const said = (...parts) => { try { return `"${gunzipSync(Buffer.concat(parts))}"`; } catch (error) { return error.message; } };
writeFileSync('padded.gz', Buffer.concat([first, padding, second]));
console.log(`member, member: ${said(first, second)}`);
console.log(`member, zeroes, member: ${said(first, padding, second)}`);
console.log(`member, other bytes: ${said(first, Buffer.from('rubbish'))}`);
JS
echo "Node $(node --version), $(python3 --version), $(gzip --version | head -n 1)"
node try.mjs | tee node.txt
python=$(python3 -c 'import gzip; print(gzip.open("padded.gz").read().decode())')
gnu=$(gzip -dc padded.gz 2>gnu.txt) && status=0 || status=$?
echo "of the same Python reads \"$python\"; gzip reads \"$gnu\", exit status $status"
grep -qx 'member, zeroes, member: "first "' node.txt || { echo 'CHANGED: Node reads on, or says something'; exit 1; }
grep -qx 'member, member: "first second"' node.txt || { echo 'CHANGED: Node reads one member only'; exit 1; }
[ "$python" = 'first second' ] || { echo 'CHANGED: Python does not read on'; exit 1; }
