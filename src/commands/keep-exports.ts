/**
 * Keeps the exports of a host as its attachments say.
 *
 * What serves exports may forget all of them (a tgtd that was killed), so they are looked at now and then, and at once when
 * the host is served again. One that is missing is made again by a flow, under the attachment's hold: nobody detaches it
 * meanwhile, and what is being detached is not made again. One that no row knows is removed; exports are looked at before the
 * rows, and a row comes before its export, so that is never one that is just being made.
 */
import { exportedBy, getAttachment } from '../db/attachments.ts';
import { pause, uuid } from '../lib/clock.ts';
import type { Log } from '../lib/logging.ts';
import type { Attachment } from '../model/attachment.ts';
import type { Caller } from '../model/caller.ts';
import { AttachmentNotFound, InvalidVolume, ResourceHeld } from '../model/errors.ts';
import { beginConnection } from './connect.ts';
import type { Desk } from './desk.ts';
import { lockAnyVolume } from './lock.ts';

export interface KeepExportsOptions {
  readonly host: string;
  /** Whether its backend can be asked now. */
  isUp(): boolean;
  readonly log: Log;
}

const EVERY_MS = 2_000;

/** Until the signal is aborted. */
export async function keepExports(desk: Desk, options: KeepExportsOptions, signal: AbortSignal): Promise<void> {
  const { host, isUp, log } = options;
  let looked = false;
  let said = '';
  while (!signal.aborted) {
    try {
      // What a former process left is looked for once, even when no row exports anything.
      if (isUp() && (!looked || (await exportedBy(desk.db.read, host)).length > 0)) {
        const { made, removed } = await renewExports(desk, host, signal);
        looked = true;
        said = '';
        if (made.length + removed.length > 0) log.warn({ host, made, removed }, 'exports were put right');
      }
      await pause(EVERY_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      const message = error instanceof Error ? error.message : String(error);
      // What stays wrong for hours is said once.
      if (message !== said) log.warn({ err: error, host }, 'exports could not be looked at');
      said = message;
      await pause(EVERY_MS, signal).catch(() => {});
    }
  }
}

/** Ids of the attachments whose exports are being made again, and of those whose exports nobody knew. */
export async function renewExports(
  desk: Desk,
  host: string,
  signal: AbortSignal,
): Promise<{ readonly made: readonly string[]; readonly removed: readonly string[] }> {
  const driver = desk.tools.driver(host);
  const exported = new Set((await driver.listExports(signal)).map(({ attachmentId }) => attachmentId));
  const attachments = await exportedBy(desk.db.read, host);
  const known = new Set(attachments.map(({ id }) => id));
  const removed = [...exported].filter((id) => !known.has(id));
  for (const id of removed) await driver.removeExport(id, { signal, progress: () => {} });
  const made: string[] = [];
  for (const attachment of attachments) {
    if (exported.has(attachment.id) || attachment.connectionInfo === null) continue;
    if (await beginRenewal(desk, attachment)) made.push(attachment.id);
  }
  return { made, removed };
}

/** False when something works on it, or it is going. */
async function beginRenewal(desk: Desk, { id, volumeId, projectId }: Attachment): Promise<boolean> {
  const caller: Caller = {
    userId: '',
    projectId,
    roles: [],
    isAdmin: true,
    serviceRoles: [],
    requestId: `req-${uuid()}`,
  };
  try {
    return await desk.db.write(async (tx) => {
      const volume = await lockAnyVolume(tx, volumeId);
      const attachment = await getAttachment(tx.db, id);
      if (attachment.connectionInfo === null) return false;
      await beginConnection(desk, tx, caller, volume, attachment, { attaching: false, failed: 'unchanged' });
      return true;
    });
  } catch (error) {
    if (error instanceof ResourceHeld || error instanceof AttachmentNotFound || error instanceof InvalidVolume)
      return false;
    throw error;
  }
}
