/**
 * A restore of what a real Cinder has backed up: its bytes into a target, from the first on. What is done again begins anew, and is the same write. An object
 * that is not what was stored is seen when all of it has been read, so what a restore that failed has left is of no use.
 */
import { sizeText } from '../../lib/bytes.ts';
import { CLOCK, type Clock } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import { BackupFailed } from '../../model/errors.ts';
import type { CinderRestoreOrder, RestoreWatch } from '../backups.ts';
import { ByteRate } from '../byte-rate.ts';
import { CHUNK_BYTES } from '../format/segment.ts';
import { FileTarget } from '../restore/target.ts';
import type { BackupStore } from '../stores/store.ts';
import { contentOfCinder } from './cinder-content.ts';

/** After so many chunks what was written is brought to the disk. */
const WINDOW = 128;

export async function restoreCinder(
  store: BackupStore,
  { place, target, bytesPerSecond = 0 }: CinderRestoreOrder,
  watch: RestoreWatch,
  exec: Exec,
  clock: Clock = CLOCK,
): Promise<void> {
  const { signal } = watch;
  const content = await contentOfCinder(store, place.name, signal);
  if (content.bytes > target.bytes)
    throw new BackupFailed(`The backup has ${sizeText(content.bytes)}, and the volume ${sizeText(target.bytes)}.`);
  const rate = new ByteRate(clock, bytesPerSecond);
  const file = await FileTarget.open(target);
  try {
    await file.makeBlank(exec, target, 0, signal);
    let chunks = 0;
    for await (const data of inChunks(content.read(signal))) {
      await file.write(chunks, data);
      await rate.spend(data.length, signal);
      chunks += 1;
      const bytes = Math.min(chunks * CHUNK_BYTES, content.bytes);
      watch.progress(bytes / content.bytes, { bytes, of: content.bytes });
      if (chunks % WINDOW !== 0) continue;
      await file.sync();
      watch.done(bytes);
    }
    if (!file.isBlank) await file.writeTail(content.bytes, signal);
    await file.sync();
    watch.done(target.bytes);
  } finally {
    await file.close();
  }
}

/** The same bytes in pieces of a chunk, but for the last. Each is right until the next is asked for. */
async function* inChunks(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  let filled = 0;
  for await (const piece of pieces)
    for (let at = 0; at < piece.length; ) {
      const taken = piece.copy(chunk, filled, at);
      at += taken;
      filled += taken;
      if (filled < CHUNK_BYTES) continue;
      yield chunk;
      filled = 0;
    }
  if (filled > 0) yield chunk.subarray(0, filled);
}
