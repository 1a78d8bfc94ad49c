/**
 * Where the destination of a move reads the volume: by its path, on one machine; from another over an export that the source opens for this
 * move alone and closes again. It has the id of the copy, so that whoever comes after a crash closes it by that, and the reconciler
 * leaves it alone for as long as the flow holds that id. It can only be read, by one initiator whose name nobody knows, with a
 * secret that stands in no journal and is forgotten with the copy.
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

/** In the lane of the source. */
export async function openSource(move: Moving, call: Call): Promise<RawSource | RemoteSource> {
  const { volumeRef, pool, copyId } = move;
  const driver = call.tools.driver(pool);
  if (!leavesMachine(move)) return driver.locateVolume(volumeRef, 'read', call.signal);
  return driver.openVolume(volumeRef, { id: copyId, secret: await call.tools.moveSecret(copyId) }, call);
}

/** In the lane of the source. What was never opened is closed. */
export async function closeSource(move: Moving, call: Call): Promise<void> {
  const { volumeRef: volume, pool, copyId: attachmentId } = move;
  const driver = call.tools.driver(pool);
  if (leavesMachine(move)) await driver.removeExport({ attachmentId, volume }, call);
  else await driver.closeVolume(volume, call.signal);
}

/** In the lane of the destination. */
export async function withSecret(
  source: RawSource | RemoteSource,
  copyId: string,
  { tools }: Pick<Call, 'tools'>,
): Promise<RawSource | OpenedSource> {
  return 'path' in source ? source : { ...source, secret: await tools.moveSecret(copyId) };
}
