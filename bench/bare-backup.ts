/**
 * The bare work of a full backup and of its restore, in one loop each, by the library calls that ours makes: read, compare with zeroes, hash, compress, hash
 * what is stored, write, sync; and back. And that of finding out by digests that nothing has changed: read, compare with zeroes, hash. No index, no
 * manifest, nothing that could go on after a kill: `node bench/bare-backup.ts copy|restore|digests DIRECTORY FILE BYTES`.
 */
import { hash } from 'node:crypto';
import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { compressed, decompressed } from '../src/backups/format/record.ts';
import { giveBack } from '../src/backups/outside-heap.ts';

const MIB = 1024 ** 2;
const PACK_BYTES = 16 * MIB;
const SYNC_CHUNKS = 128;
const ZEROES = Buffer.alloc(MIB);

interface Lying {
  readonly place: number;
  readonly pack: number;
  readonly at: number;
  readonly bytes: number;
  readonly raw: boolean;
  readonly id: string;
}

const [work, directory = '', file = '', bytes = ''] = process.argv.slice(2);
const index = join(directory, 'index');
const packAt = (pack: number): string => join(directory, `pack-${pack}`);
if (work === 'copy') copy();
else if (work === 'digests') digests();
else restore();

/** Of the first half, which is all that holds anything. */
function copy(): void {
  const source = openSync(file, 'r');
  const chunk = Buffer.allocUnsafeSlow(MIB);
  const buffer = Buffer.allocUnsafeSlow(PACK_BYTES + MIB);
  const lying: Lying[] = [];
  let [pack, used] = [0, 0];
  const store = (): void => {
    const body = buffer.subarray(0, used);
    hash('sha256', body, 'hex');
    const target = openSync(packAt(pack), 'wx');
    writeSync(target, body);
    fdatasyncSync(target);
    closeSync(target);
    [pack, used] = [pack + 1, 0];
  };
  for (let place = 0; place < Number(bytes) / MIB / 2; place += 1) {
    readSync(source, chunk, 0, MIB, place * MIB);
    if (chunk.equals(ZEROES)) continue;
    const id = hash('sha256', chunk, 'hex');
    const smaller = compressed(chunk);
    const raw = smaller.length > 0.97 * MIB;
    const body = raw ? chunk : smaller;
    if (used + body.length > PACK_BYTES) store();
    body.copy(buffer, used);
    lying.push({ place, pack, at: used, bytes: body.length, raw, id });
    used += body.length;
    giveBack(smaller);
  }
  store();
  writeFileSync(index, JSON.stringify(lying));
}

/** Of the same half. */
function digests(): void {
  const source = openSync(file, 'r');
  const chunk = Buffer.allocUnsafeSlow(MIB);
  const ids: string[] = [];
  for (let place = 0; place < Number(bytes) / MIB / 2; place += 1) {
    readSync(source, chunk, 0, MIB, place * MIB);
    if (!chunk.equals(ZEROES)) ids.push(hash('sha256', chunk, 'hex'));
  }
  writeFileSync(join(directory, 'digests'), JSON.stringify(ids));
}

function restore(): void {
  const target = openSync(file, 'w');
  ftruncateSync(target, Number(bytes));
  const lying = JSON.parse(readFileSync(index, 'utf8')) as Lying[];
  const buffer = Buffer.allocUnsafeSlow(MIB);
  const packs = new Map<number, number>();
  for (const [at, each] of lying.entries()) {
    const from = packs.get(each.pack) ?? openSync(packAt(each.pack), 'r');
    packs.set(each.pack, from);
    const body = buffer.subarray(0, each.bytes);
    readSync(from, body, 0, each.bytes, each.at);
    const plain = each.raw ? body : decompressed(body, MIB);
    if (hash('sha256', plain, 'hex') !== each.id) throw new Error(`MiB ${each.place} is not what it was.`);
    writeSync(target, plain, 0, MIB, each.place * MIB);
    if (!each.raw) giveBack(plain);
    if (at % SYNC_CHUNKS === SYNC_CHUNKS - 1) fdatasyncSync(target);
  }
  fdatasyncSync(target);
}
