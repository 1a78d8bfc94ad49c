#!/bin/sh
# SQLite (node:sqlite of Node 24) in WAL mode: a writer closes first, a read-only connection last.
#
# A good guess: the last connection that closes takes the log into the database and removes `-wal` and `-shm`, whichever it is.
# True: a read-only one may not write, so both files stay. The database is then more than one file: a backup that copies one, or looks
# for the leftovers of a crash, is wrong. Close the readers first, or open them to write.
#
# Needs npm. Fails when this changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
case "$(uname -m)" in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
npm install --silent --no-save "node-linux-$arch@24.21.0" >/dev/null
PATH="$work/node_modules/node-linux-$arch/bin:$PATH"
cat >try.mjs <<'JS'
import { readdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
const left = (name, order) => {
  const writer = new DatabaseSync(name);
  writer.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)');
  const reader = new DatabaseSync(name, { readOnly: true });
  reader.prepare('SELECT x FROM t').all();
  for (const each of order === 'reader last' ? [writer, reader] : [reader, writer]) each.close();
  return readdirSync('.').filter((file) => file.startsWith(name)).sort().join(' ');
};
console.log(`SQLite ${new DatabaseSync(':memory:').prepare('SELECT sqlite_version() AS v').get().v}`);
console.log(`writer last: ${left('a.db', 'writer last')}`);
console.log(`reader last: ${left('b.db', 'reader last')}`);
JS
echo "Node $(node --version)"
node try.mjs | tee said.txt
grep -qx 'writer last: a.db' said.txt || { echo 'CHANGED: a writer that closes last leaves files'; exit 1; }
grep -qx 'reader last: b.db b.db-shm b.db-wal' said.txt || { echo 'CHANGED: a reader that closes last leaves none'; exit 1; }
