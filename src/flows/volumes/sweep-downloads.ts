/**
 * Removes downloads of images that no unfinished flow may come back for: left by a process that was killed, whose flow another
 * process finished. A process sweeps the directory that it has.
 */
import { readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Db } from '../../db/sql/db.ts';
import { unendedFlows } from '../../db/unended-flows.ts';

/** By the flow's id, so that a recovery finds it; by the host's name, since another host has other files. */
export const downloadName = (flowId: string): string => `${flowId}@${hostname()}.image`;

/** What a compressed image became, or is to be made of. */
export const unpackedName = (flowId: string): string => `${downloadName(flowId)}.unpacked`;

const DOWNLOAD = /^([0-9a-f-]{36})@.+\.image(\.unpacked)?$/;

/** Returns the names of what was removed. Harmless while flows run, also those of other processes. */
export async function sweepDownloads(db: Db, directory: string): Promise<readonly string[]> {
  // Listed first: a file that is there has a flow that was there before it.
  const names = await readdir(directory);
  const unfinished = new Set((await unendedFlows(db)).map(({ id }) => id));
  const swept = names.filter((name) => {
    const flowId = DOWNLOAD.exec(name)?.[1];
    return flowId !== undefined && !unfinished.has(flowId);
  });
  for (const name of swept) await rm(join(directory, name), { force: true });
  return swept;
}
