/** Begins the flows that open a volume to an attachment, and close it, in a command's transaction. */
import { updateAttachment } from '../../db/attachments.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { Held } from '../../engine/journal.ts';
import type { Reset } from '../../flows/attachments/attachments.ts';
import { type InitializeConnection, initializeConnection } from '../../flows/attachments/initialize-connection.ts';
import { terminateConnection } from '../../flows/attachments/terminate-connection.ts';
import { extendVolume } from '../../flows/volumes/extend-volume.ts';
import { retypeVolume } from '../../flows/volumes/retype-volume.ts';
import { type Attachment, mayBeInUse } from '../../model/attachment.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume, ResourceHeld, ServerUsesAttachment } from '../../model/errors.ts';
import { refOf, type Volume } from '../../model/volume.ts';
import { begin, exclusive, shared, volumeResource } from '../begin.ts';
import { checkVolumeStatus } from '../by-status.ts';
import type { Desk } from '../desk.ts';

/** The attachment's row has its connector. Resolves with the flow's id. */
export async function beginConnection(
  desk: Desk,
  tx: Tx,
  caller: Caller,
  volume: Volume,
  { id: attachmentId }: Attachment,
  how: Pick<InitializeConnection, 'attaching' | 'failed'>,
): Promise<string> {
  const pool = poolOf(volume);
  // What is exported already is exported again whatever else is being done to the volume.
  if (how.failed !== 'unchanged' && how.failed !== 'taken_over') checkVolumeStatus(volume, 'connect');
  return begin(
    desk,
    tx,
    caller,
    initializeConnection,
    { attachmentId, volumeRef: refOf(volume), pool, ...how },
    {
      resource: volumeResource(volume.id),
      projectId: volume.projectId,
      holds: [exclusive(attachmentResource(attachmentId)), shared(volumeResource(volume.id))],
    },
  );
}

/** What becomes of a connection that is there when it cannot be made again. */
export const stays = ({ takenOver }: Pick<Attachment, 'takenOver'>) => (takenOver ? 'taken_over' : 'unchanged');

export interface Disconnection {
  readonly attachment: Attachment;
  /** Its row goes; else only its connection. */
  readonly ends: boolean;
}

export interface DisconnectionOptions {
  /** The volume is detached, and says so; else only connections end. */
  readonly detaching: boolean;
  /** What the volume is to say when they have ended. */
  readonly reset?: Reset | undefined;
}

/** From here on nobody makes the exports again. Resolves with the flow's id. */
export async function beginDisconnection(
  desk: Desk,
  tx: Tx,
  caller: Caller,
  volume: Volume,
  disconnections: readonly Disconnection[],
  { detaching, reset }: DisconnectionOptions,
): Promise<string> {
  const pool = poolOf(volume);
  for (const { attachment, ends } of disconnections) {
    await updateAttachment(tx, attachment.id, {
      connectionInfo: null,
      ...(ends && detaching && { attachStatus: 'detaching' }),
    });
  }
  const attachments = disconnections.map(({ attachment: { id }, ends }) => ({ id, ends }));
  return begin(
    desk,
    tx,
    caller,
    terminateConnection,
    { volumeRef: refOf(volume), pool, attachments, detaching, ...(reset && { reset }) },
    {
      resource: volumeResource(volume.id),
      projectId: volume.projectId,
      holds: [shared(volumeResource(volume.id)), ...attachments.map(({ id }) => exclusive(attachmentResource(id)))],
    },
  );
}

/** CVE-2023-2088: what a server may be using is ended by the compute service, after the server let go of it. */
export function refuseInUse(caller: Caller, attachments: readonly Attachment[]): void {
  if (caller.serviceRoles.includes('service')) return;
  const used = attachments.find(mayBeInUse);
  if (used)
    throw new ServerUsesAttachment(
      `Attachment ${used.id} of volume ${used.volumeId} may be in use by server ${used.instanceId}: detach it there.`,
    );
}

/** What a client that detaches has not asked for, or no longer thinks of. */
const SOON_OVER: ReadonlySet<string> = new Set([initializeConnection.name, extendVolume.name, retypeVolume.name]);

/**
 * Does what ends attachments. While one of them is being exported again, or for the first time, or the volume is extended
 * or retyped, that is waited for: whoever detaches need not know that tgtd has just died.
 */
export async function afterConnecting<Result>(desk: Desk, body: (tx: Tx) => Promise<Result>): Promise<Result> {
  const patience = AbortSignal.timeout(desk.config.api.rpc_response_timeout * 1000);
  for (;;) {
    try {
      return await desk.db.write(body);
    } catch (error) {
      const held = error instanceof ResourceHeld && error.cause instanceof Held ? error.cause : undefined;
      if (held === undefined || !SOON_OVER.has(held.by.name) || patience.aborted) throw error;
      await desk.engine.settled(held.by.flowId, patience).catch(() => {
        throw error;
      });
    }
  }
}

export const attachmentResource = (id: string): string => `attachment:${id}`;

function poolOf({ id, host }: Volume): string {
  if (host === null) throw new InvalidVolume(`Volume ${id} is on no backend yet.`);
  return host;
}
