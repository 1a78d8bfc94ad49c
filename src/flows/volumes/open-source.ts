/**
 * Where the destination of a move reads the volume: by its path, on one machine; from another over an export that the source opens for this
 * move alone and closes again. It has the id of the copy, so that whoever comes after a crash closes it by that, and the reconciler
 * leaves it alone for as long as the flow holds that id. It can only be read, by one initiator whose name nobody knows, with a
 * secret that stands in no journal and is forgotten with the copy. Of a backend that many serve nothing is opened: the destination reads
 * it itself, if its process is one of them.
 */
import type { RawSource, VolumeRef } from '../../drivers/driver.ts';
import type { OpenedSource, RemoteSource } from '../../drivers/remote-source.ts';
import type { WorldContext } from '../../engine/task.ts';
import { nodeOf } from '../../model/backend.ts';
import type { Tools } from '../tools.ts';

interface Moving {
  readonly volumeRef: VolumeRef;
  readonly pool: string;
  readonly copyId: string;
  readonly destination: string;
}

type Call = Pick<WorldContext<Tools>, 'tools' | 'signal' | 'progress'>;

/** To where the source's paths mean nothing. */
export const leavesMachine = ({ pool, destination }: Pick<Moving, 'pool' | 'destination'>): boolean =>
  nodeOf(pool) !== nodeOf(destination);

/** The destination's own process reaches it. */
export interface SharedSource {
  readonly shared: true;
}

export type MovedSource = RawSource | RemoteSource | SharedSource;

/** In the lane of the source. */
export async function openSource(move: Moving, call: Call): Promise<MovedSource> {
  const { volumeRef, pool, copyId } = move;
  const driver = call.tools.driver(pool);
  if (driver.servedBy === 'many') return { shared: true };
  if (!leavesMachine(move)) return driver.locateVolume(volumeRef, 'read', call.signal);
  return driver.openVolume(volumeRef, { id: copyId, secret: await call.tools.moveSecret(copyId) }, call);
}

/** In the lane of the source. What was never opened is closed. */
export async function closeSource(move: Moving, call: Call): Promise<void> {
  const { volumeRef: volume, pool, copyId: attachmentId } = move;
  const driver = call.tools.driver(pool);
  if (driver.servedBy === 'many') return;
  if (leavesMachine(move)) await driver.removeExport({ attachmentId, volume }, call);
  else await driver.closeVolume(volume, call.signal);
}

/** In the lane of the destination: `receive` is told where it reads the volume. */
export async function withSource<Result>(
  { volumeRef, pool, copyId }: Moving,
  source: MovedSource,
  { tools, signal }: Pick<Call, 'tools' | 'signal'>,
  receive: (source: RawSource | OpenedSource) => Promise<Result>,
): Promise<Result> {
  if ('path' in source) return receive(source);
  if (!('shared' in source)) return receive({ ...source, secret: await tools.moveSecret(copyId) });
  const driver = tools.driver(pool);
  try {
    return await receive(await driver.locateVolume(volumeRef, 'read', signal));
  } finally {
    await driver.closeVolume(volumeRef, signal);
  }
}
