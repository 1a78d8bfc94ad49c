/**
 * P5: every event of the outbox is in the file of notifications at least once, in the order of its resource; doubles have one
 * id. And the outbox holds the events of what was done exactly once, and none of what was not.
 */
import { readFile } from 'node:fs/promises';
import type { Rows, Violation } from './invariants.ts';
import type { Site } from './site.ts';

/** What each flow tells: `.start` when it begins, `.end` in the commit of its end. */
const TELLS: Readonly<Record<string, string>> = {
  create_volume: 'volume.create',
  delete_volume: 'volume.delete',
  extend_volume: 'volume.resize',
  manage_existing: 'volume.manage_existing',
  unmanage_volume: 'volume.unmanage',
  create_snapshot: 'snapshot.create',
  delete_snapshot: 'snapshot.delete',
  manage_existing_snapshot: 'snapshot.manage_existing_snapshot',
  unmanage_snapshot: 'snapshot.unmanage',
  terminate_connection: 'volume.detach',
  revert_to_snapshot: 'volume.revert',
  update_group: 'group.update',
  delete_group: 'group.delete',
  create_group_from_source: 'group.create',
  create_group_snapshot: 'group_snapshot.create',
  delete_group_snapshot: 'group_snapshot.delete',
  create_volume_from_backup: 'volume.create',
  create_backup: 'backup.create',
  restore_backup: 'backup.restore',
  delete_backup: 'backup.delete',
};
/** Cinder tells nothing of these; the end of an export is told by who completes the attachment. */
const SILENT: readonly string[] = [
  'initialize_connection',
  'migrate_volume',
  'migrate_attached_volume',
  'reimage_volume',
  'upload_volume',
  'upload_attached_volume',
  'verify_backup',
  'verify_backups',
  'mend_backup',
];

export async function eventViolations({ notifications }: Site, { events, flows }: Rows): Promise<Violation[]> {
  const found: Violation[] = [];
  const violate = (what: string): void => void found.push({ promise: 'P5', what });

  const delivered: string[] = [];
  const text = await readFile(notifications, 'utf8').catch(() => '');
  for (const line of text.split('\n').slice(0, -1)) {
    const id = messageIdIn(line);
    if (id === null) violate(`A notification is torn: ${line.slice(0, 200)}`);
    else delivered.push(id);
  }
  const first = new Map<string, number>();
  for (const [place, id] of delivered.entries()) if (!first.has(id)) first.set(id, place);
  const known = new Set(events.map(({ message_id }) => message_id));
  for (const id of first.keys()) if (!known.has(id)) violate(`Event ${id} was delivered and never happened.`);
  const latest = new Map<string, number>();
  for (const { message_id, resource, event_type } of events) {
    const place = first.get(message_id);
    if (place === undefined) violate(`${event_type} of ${resource} was not delivered.`);
    else if (place < (latest.get(resource) ?? -1)) violate(`${event_type} of ${resource} was delivered out of order.`);
    else latest.set(resource, place);
  }

  const told = Map.groupBy(events, ({ request_id, resource, event_type }) => `${request_id} ${resource} ${event_type}`);
  for (const { id, name, resource, requestId, state } of flows) {
    if (SILENT.includes(name)) continue;
    const times = (event: string): number => told.get(`${requestId} ${resource} ${event}`)?.length ?? 0;
    const count = (suffix: string): number => times(`${TELLS[name]}${suffix}`);
    const expected = state === 'success' ? 1 : 0;
    if (name === 'retype_volume') {
      const retypes = times('volume.retype');
      // One that is turned back after its switch has retyped its volume all the same.
      if (retypes > 1 || retypes < expected) violate(`${id} is ${state} and told ${retypes} retypes.`);
      continue;
    }
    if (count('.end') !== expected)
      violate(`${name} ${id} of ${resource} is ${state} and has told its end ${count('.end')} times.`);
    if (state === 'success' && count('.start') < 1) violate(`${name} ${id} of ${resource} never told its beginning.`);
  }
  return found;
}

function messageIdIn(line: string): string | null {
  try {
    const { 'oslo.message': message } = JSON.parse(line) as { readonly 'oslo.message': string };
    const { message_id } = JSON.parse(message) as { readonly message_id?: unknown };
    return typeof message_id === 'string' ? message_id : null;
  } catch {
    return null;
  }
}
