/**
 * P2 and P4 of attachments: each is open or shut, volumes say so, and what is exported is what rows say.
 */
import { join } from 'node:path';
import { attachmentsOfAll } from '../../src/db/attachments.ts';
import { statusWith } from '../../src/model/attachment.ts';
import type { VolumeStatus } from '../../src/model/status.ts';
import { lying } from './backends.ts';
import type { Aftermath, Rows, Violation } from './invariants.ts';

const BY_ATTACHMENTS: readonly string[] = [
  'available',
  'reserved',
  'attaching',
  'in-use',
  'detaching',
] satisfies VolumeStatus[];

export async function attachmentViolations(
  { site, database }: Aftermath,
  { volumes }: Rows,
): Promise<readonly Violation[]> {
  const found: Violation[] = [];
  const all = await attachmentsOfAll(
    database.read,
    volumes.map(({ id }) => id),
  );
  const byVolume = Map.groupBy(all, ({ volumeId }) => volumeId);
  for (const { id, status } of volumes) {
    const expected = statusWith(byVolume.get(id) ?? []);
    if (BY_ATTACHMENTS.includes(status) && status !== expected)
      found.push({ promise: 'P2', what: `Volume ${id} is ${status}; its attachments say ${expected}.` });
  }
  // An operator (here: who cancels) has given up what these were; they may be open or shut.
  const sure = all.filter(({ attachStatus }) => attachStatus !== 'error_detaching');
  for (const { id, attachStatus, connector, connectionInfo } of sure) {
    if (attachStatus === 'detaching' || (connector !== null) !== (connectionInfo !== null))
      found.push({ promise: 'P2', what: `Attachment ${id} is ${attachStatus}, neither open nor shut.` });
  }
  const exported = new Set(
    (await lying(site))
      .filter(({ name }) => name.startsWith(LINK))
      .map(({ name }) => name.slice(LINK.length, LINK.length + 36)),
  );
  for (const { id, connectionInfo } of sure) {
    if (connectionInfo !== null && !exported.has(id))
      found.push({ promise: 'P4', what: `Attachment ${id} is open, and not exported.` });
  }
  const open = new Set(
    all
      .filter(({ attachStatus, connectionInfo }) => connectionInfo !== null || attachStatus === 'error_detaching')
      .map(({ id }) => id),
  );
  for (const id of exported) {
    if (!open.has(id)) found.push({ promise: 'P4', what: `${join(LINK, id)} is exported, and shut.` });
  }
  return found;
}

const LINK = '.export-';
