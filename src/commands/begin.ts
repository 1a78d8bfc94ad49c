/**
 * Begins a flow in a command's transaction, takes its locks (*holds*), and gives its id. A flow that wants an exclusive hold waits
 * for those that share the resource. Where another flow holds it exclusively the command is refused as Cinder refuses a
 * wrong status: 400.
 */
import type { Tx } from '../db/sql/tx.ts';
import type { StartOptions } from '../engine/engine.ts';
import { ResultTooLarge } from '../engine/failure.ts';
import type { Flow } from '../engine/flow.ts';
import type { Held } from '../engine/journal.ts';
import type { Journaled } from '../engine/task.ts';
import type { Caller } from '../model/caller.ts';
import { InvalidInput, ResourceHeld } from '../model/errors.ts';
import type { OrderDesk } from './desk.ts';

export async function begin<I extends object, S extends object>(
  desk: Pick<OrderDesk, 'engine'>,
  tx: Tx,
  { requestId, trace }: Pick<Caller, 'requestId' | 'trace'>,
  flow: Flow<I, S>,
  input: I & Journaled<I>,
  options: Pick<StartOptions, 'id' | 'resource' | 'holds'> & { readonly projectId: string },
): Promise<string> {
  try {
    return await desk.engine.begin<I, S>(tx, flow, input, { ...options, requestId, trace, refusal });
  } catch (error) {
    if (!(error instanceof ResultTooLarge)) throw error;
    throw new InvalidInput('The request names more at once than one operation can take.', { cause: error });
  }
}

function refusal(held: Held): ResourceHeld {
  const { resource, by } = held;
  return new ResourceHeld(`${resource.replace(':', ' ')} is in use by ${by.name.replaceAll('_', ' ')}.`, {
    cause: held,
  });
}

export const exclusive = (resource: string) => ({ resource, mode: 'exclusive' }) as const;
export const shared = (resource: string) => ({ resource, mode: 'shared' }) as const;
export const volumeResource = (id: string): string => `volume:${id}`;
export const groupResource = (id: string): string => `group:${id}`;
export const groupSnapshotResource = (id: string): string => `group_snapshot:${id}`;
export const backupResource = (id: string): string => `backup:${id}`;
export const scheduleResource = (id: string): string => `backup_schedule:${id}`;
export const snapshotResource = (id: string): string => `snapshot:${id}`;
