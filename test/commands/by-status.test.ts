/**
 * What each command does to a volume, a snapshot or a group in each status, as it is seen from outside: what it is afterwards, or
 * the words it is refused with. The table of `model/status.ts` is the rule; `test/golden/by-status.txt` is what was seen,
 * so a rule that changes is seen to change.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachVolume } from '../../src/commands/attachments/attach-volume.ts';
import { beginDetaching, rollDetaching } from '../../src/commands/attachments/begin-detaching.ts';
import { completeAttachment } from '../../src/commands/attachments/complete-attachment.ts';
import { createAttachment } from '../../src/commands/attachments/create-attachment.ts';
import { deleteAttachment } from '../../src/commands/attachments/delete-attachment.ts';
import { detachVolume, forceDetachVolume } from '../../src/commands/attachments/detach-volume.ts';
import { initializeConnection } from '../../src/commands/attachments/initialize-connection.ts';
import { updateAttachment } from '../../src/commands/attachments/update-attachment.ts';
import { reserveVolume, unreserveVolume } from '../../src/commands/attachments/volume-reservation.ts';
import { createBackup } from '../../src/commands/backups/create-backup.ts';
import { deleteBackup } from '../../src/commands/backups/delete-backup.ts';
import { exportRecord } from '../../src/commands/backups/export-record.ts';
import { restoreBackup } from '../../src/commands/backups/restore-backup.ts';
import { retryBackup } from '../../src/commands/backups/retry-backup.ts';
import { verifyBackup } from '../../src/commands/backups/verify-backup.ts';
import type { Desk } from '../../src/commands/desk.ts';
import { createGroupSnapshot } from '../../src/commands/group-snapshots/create-group-snapshot.ts';
import { deleteGroupSnapshot } from '../../src/commands/group-snapshots/delete-group-snapshot.ts';
import { createGroupFromSource } from '../../src/commands/groups/create-group-from-source.ts';
import { deleteGroup } from '../../src/commands/groups/delete-group.ts';
import { updateGroup } from '../../src/commands/groups/update-group.ts';
import { createSnapshot } from '../../src/commands/snapshots/create-snapshot.ts';
import { deleteSnapshot } from '../../src/commands/snapshots/delete-snapshot.ts';
import { manageSnapshot } from '../../src/commands/snapshots/manage-snapshot.ts';
import { unmanageSnapshot } from '../../src/commands/snapshots/unmanage-snapshot.ts';
import { updateSnapshotStatus } from '../../src/commands/snapshots/update-snapshot-status.ts';
import { acceptTransfer } from '../../src/commands/transfers/accept-transfer.ts';
import { createTransfer } from '../../src/commands/transfers/create-transfer.ts';
import { deleteTransfer } from '../../src/commands/transfers/delete-transfer.ts';
import { createVolume } from '../../src/commands/volumes/create-volume.ts';
import { deleteVolume } from '../../src/commands/volumes/delete-volume.ts';
import { extendVolume } from '../../src/commands/volumes/extend-volume.ts';
import { migrateVolume } from '../../src/commands/volumes/migrate-volume.ts';
import { reimageVolume } from '../../src/commands/volumes/reimage-volume.ts';
import { retypeVolume } from '../../src/commands/volumes/retype-volume.ts';
import { revertToSnapshot } from '../../src/commands/volumes/revert-to-snapshot.ts';
import { setReadonly } from '../../src/commands/volumes/set-readonly.ts';
import { unmanageVolume } from '../../src/commands/volumes/unmanage-volume.ts';
import { uploadVolume } from '../../src/commands/volumes/upload-volume.ts';
import { insertAttachment } from '../../src/db/attachments.ts';
import { keepContent } from '../../src/db/backup-contents.ts';
import { scopeOfVolume } from '../../src/db/backup-scopes.ts';
import { keepWork } from '../../src/db/backup-work.ts';
import { findBackup } from '../../src/db/backups.ts';
import type { Database } from '../../src/db/database.ts';
import { findGroupSnapshot, insertGroupSnapshot } from '../../src/db/group-snapshots.ts';
import { findGroup, updateGroup as updateGroupRow } from '../../src/db/groups.ts';
import { findSnapshot, updateSnapshot } from '../../src/db/snapshots.ts';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { findVolume, getVolume, updateVolume } from '../../src/db/volumes.ts';
import { uuid } from '../../src/lib/clock.ts';
import type { NewAttachment } from '../../src/model/attachment.ts';
import { BACKUP_STATUSES, type BackupStatus } from '../../src/model/backup-status.ts';
import { PumiceError } from '../../src/model/errors.ts';
import {
  GROUP_SNAPSHOT_STATUSES,
  GROUP_STATUSES,
  type GroupSnapshotStatus,
  type GroupStatus,
} from '../../src/model/group-status.ts';
import { SNAPSHOT_STATUSES, type SnapshotStatus, VOLUME_STATUSES, type VolumeStatus } from '../../src/model/status.ts';
import type { NewVolume } from '../../src/model/volume.ts';
import { makeBackup, makeGroup, makeSnapshot, makeVolume } from '../db/rows.ts';
import { givenAttachment, givenVolume, HERE } from '../flows/given.ts';
import { type LiveSite, liveSite } from '../flows/live-site.ts';
import {
  backupRequest,
  manageSnapshotRequest,
  snapshotRequest,
  uploadRequest,
  volumeRequest,
} from '../flows/requests.ts';
import { caller, PROJECT } from '../flows/site.ts';
import { diskImages } from '../flows/site-images.ts';
import { assertGolden } from '../golden.ts';

/** Nobody waits for the end of a flow, and no quota runs out. */
const SET = [
  'api.rpc_response_timeout=0',
  'images.enable_force_upload=true',
  ...['volumes', 'snapshots', 'gigabytes', 'backups', 'backup_gigabytes'].map(
    (resource) => `quota.quota_${resource}=-1`,
  ),
];

interface Command {
  readonly name: string;
  /** What the row says beside its status. */
  readonly given?: Partial<NewVolume>;
  /** Made while the volume is available still; resolves with what the command needs of it. */
  prepare?(desk: Desk, id: string): Promise<string>;
  run(desk: Desk, id: string, prepared: string): Promise<unknown>;
}

const attachment =
  (given: Partial<NewAttachment>) =>
  async ({ db }: Pick<Desk, 'db'>, volumeId: string): Promise<string> => {
    const base = { id: uuid(), projectId: PROJECT, volumeId, attachMode: 'rw', attachStatus: 'reserved' } as const;
    return (await db.write((tx) => insertAttachment(tx, { ...base, ...given }))).id;
  };
const attached = { given: { attachStatus: 'attached' }, prepare: attachment({ attachStatus: 'attached' }) } as const;
const SERVER = uuid();
const IMAGE = uuid();

const attach = (desk: Desk, instanceId: string | null, volumeId: string) =>
  createAttachment(desk, caller, { volumeId, instanceId, connector: null, mode: null, demand: () => {} });
const claim = { instanceId: null, hostName: 'h', mountpoint: '/dev/vdb', mode: null };

async function offer(desk: Desk, volumeId: string): Promise<string> {
  const wish = { volumeId, name: null, noSnapshots: false, encryptedAllowed: false };
  const { transfer, authKey } = await createTransfer(desk, caller, wish);
  return `${transfer.id} ${authKey}`;
}

const plainly = { cascade: false, force: false };
const migration = { host: 'node@beta#beta', forceHostCopy: false, lockVolume: false };
const MANY = { multiattach: true };

const OF_VOLUMES: readonly Command[] = [
  { name: 'delete', run: (desk, id) => deleteVolume(desk, caller, id, plainly) },
  { name: 'delete by force', run: (desk, id) => deleteVolume(desk, caller, id, { cascade: false, force: true }) },
  { name: 'delete, on no backend', given: { host: null }, run: (desk, id) => deleteVolume(desk, caller, id, plainly) },
  { name: 'unmanage', run: (desk, id) => unmanageVolume(desk, caller, id) },
  { name: 'extend', run: (desk, id) => extendVolume(desk, caller, id, 2, { inUseAllowed: false }) },
  { name: 'extend in use', run: (desk, id) => extendVolume(desk, caller, id, 2, { inUseAllowed: true }) },
  {
    name: 'retype',
    run: (desk, id) => retypeVolume(desk, caller, id, { newType: 'other', mayMove: true, demand: () => {} }),
  },
  { name: 'migrate', run: (desk, id) => migrateVolume(desk, caller, id, migration) },
  { name: 'migrate, locked', run: (desk, id) => migrateVolume(desk, caller, id, { ...migration, lockVolume: true }) },
  { name: 'take a snapshot', run: (desk, id) => createSnapshot(desk, caller, snapshotRequest(id)) },
  {
    name: 'take a snapshot by force',
    run: (desk, id) => createSnapshot(desk, caller, snapshotRequest(id, { force: true })),
  },
  { name: 'manage a snapshot', run: (desk, id) => manageSnapshot(desk, caller, manageSnapshotRequest(id, 'file')) },
  { name: 'clone', run: (desk, id) => createVolume(desk, caller, volumeRequest({ sourceVolumeId: id })) },
  {
    name: 'revert',
    prepare: async ({ db }, id) => (await makeSnapshot(db, await getVolume(db.read, id))).id,
    run: (desk, id, prepared) => revertToSnapshot(desk, caller, id, prepared),
  },
  {
    name: 'reimage',
    run: (desk, id) => reimageVolume(desk, caller, id, { imageId: IMAGE, reserved: false }),
  },
  {
    name: 'reimage, reserved',
    run: (desk, id) => reimageVolume(desk, caller, id, { imageId: IMAGE, reserved: true }),
  },
  { name: 'upload', run: (desk, id) => uploadVolume(desk, caller, id, uploadRequest()) },
  {
    name: 'upload by force',
    run: (desk, id) => uploadVolume(desk, caller, id, uploadRequest({ force: true })),
  },
  { name: 'back up', run: (desk, id) => createBackup(desk, caller, backupRequest(id)) },
  { name: 'back up by force', run: (desk, id) => createBackup(desk, caller, backupRequest(id, { force: true })) },
  {
    name: 'restore a backup to it',
    prepare: async ({ db }, volumeId) => (await makeBackup(db, { projectId: PROJECT, volumeId })).id,
    run: (desk, id, backup) => restoreBackup(desk, caller, backup, id),
  },
  { name: 'set readonly', run: (desk, id) => setReadonly(desk, caller, id, true) },
  { name: 'offer a transfer', run: offer },
  {
    name: 'accept a transfer',
    prepare: offer,
    run: (desk, _id, prepared) => {
      const [transfer = '', key = ''] = prepared.split(' ');
      return acceptTransfer(desk, caller, transfer, key);
    },
  },
  {
    name: 'delete a transfer',
    prepare: offer,
    run: (desk, _id, prepared) => deleteTransfer(desk, caller, prepared.split(' ')[0] ?? ''),
  },
  { name: 'reserve', run: (desk, id) => reserveVolume(desk, caller, id) },
  { name: 'reserve, multiattach', given: MANY, run: (desk, id) => reserveVolume(desk, caller, id) },
  { name: 'unreserve', run: (desk, id) => unreserveVolume(desk, caller, id) },
  { name: 'unreserve, attached', ...attached, run: (desk, id) => unreserveVolume(desk, caller, id) },
  { name: 'attach', run: (desk, id) => attachVolume(desk, caller, id, claim) },
  { name: 'attach, multiattach', given: MANY, run: (desk, id) => attachVolume(desk, caller, id, claim) },
  { name: 'begin to detach', ...attached, run: (desk, id) => beginDetaching(desk, caller, id) },
  { name: 'begin to detach, not attached', run: (desk, id) => beginDetaching(desk, caller, id) },
  { name: 'roll detaching back', ...attached, run: (desk, id) => rollDetaching(desk, caller, id) },
  { name: 'detach', ...attached, run: (desk, id) => detachVolume(desk, caller, id, null) },
  {
    name: 'detach by force',
    ...attached,
    run: (desk, id) => forceDetachVolume(desk, caller, id, { attachmentId: null, connector: null }),
  },
  { name: 'connect', run: (desk, id) => initializeConnection(desk, caller, id, HERE) },
  { name: 'create an attachment', run: (desk, id) => attach(desk, SERVER, id) },
  { name: 'create an attachment, multiattach', given: MANY, run: (desk, id) => attach(desk, SERVER, id) },
  {
    name: 'create an attachment of the same server',
    prepare: attachment({ instanceId: SERVER }),
    run: (desk, id) => attach(desk, SERVER, id),
  },
  {
    name: 'update an attachment',
    prepare: attachment({}),
    run: (desk, _id, prepared) => updateAttachment(desk, caller, prepared, { connector: HERE, mode: null }),
  },
  {
    name: 'complete an attachment',
    prepare: attachment({ attachStatus: 'attaching' }),
    run: (desk, _id, prepared) => completeAttachment(desk, caller, prepared),
  },
  {
    name: 'delete an attachment',
    prepare: attachment({}),
    run: (desk, _id, prepared) => deleteAttachment(desk, caller, prepared),
  },
];

/** In a group, or on its way into one or out of it; `prepared` is the group. */
const inGroup = (name: string, run: Command['run'], member = true): Command => ({
  name,
  prepare: async ({ db }, id) => {
    const group = await makeGroup(db as Database, { projectId: PROJECT, host: 'node@alpha#alpha' });
    if (member) await db.write((tx) => updateVolume(tx, id, { groupId: group.id }));
    return group.id;
  },
  run,
});
const NO_CHANGE = { name: null, description: null, added: [], removed: [] };

const WITH_GROUPS: readonly Command[] = [
  inGroup('join a group', (desk, id, group) => updateGroup(desk, caller, group, { ...NO_CHANGE, added: [id] }), false),
  inGroup('leave its group', (desk, id, group) => updateGroup(desk, caller, group, { ...NO_CHANGE, removed: [id] })),
  inGroup('snapshot with its group', (desk, _id, group) =>
    createGroupSnapshot(desk, caller, { groupId: group, name: null, description: null }),
  ),
  inGroup('delete with its group', (desk, _id, group) => deleteGroup(desk, caller, group, { withVolumes: true })),
];

/** Of a group; `prepared` is a volume that may join it. */
const OF_GROUPS: readonly Command[] = [
  { name: 'delete', run: (desk, id) => deleteGroup(desk, caller, id, { withVolumes: false }) },
  {
    name: 'snapshot, with the volume in it',
    run: async (desk, groupId, volume) => {
      await desk.db.write((tx) => updateVolume(tx, volume, { groupId }));
      await createGroupSnapshot(desk, caller, { groupId, name: null, description: null });
    },
  },
  {
    name: 'copy, with the volume in it',
    run: async (desk, groupId, volume) => {
      await desk.db.write((tx) => updateVolume(tx, volume, { groupId }));
      await copyOf(desk, { sourceGroupId: groupId, groupSnapshotId: null });
    },
  },
  { name: 'rename', run: (desk, id) => updateGroup(desk, caller, id, { ...NO_CHANGE, name: 'other' }) },
  { name: 'add a volume', run: (desk, id, volume) => updateGroup(desk, caller, id, { ...NO_CHANGE, added: [volume] }) },
  {
    name: 'make a volume for it',
    run: (desk, groupId) => createVolume(desk, caller, volumeRequest({ groupId, volumeType: '__DEFAULT__' })),
  },
];

const copyOf = (
  desk: Desk,
  source: { readonly sourceGroupId: string | null; readonly groupSnapshotId: string | null },
) => createGroupFromSource(desk, caller, { name: null, description: null, ...source });

/** Of a group snapshot with a part. */
const OF_GROUP_SNAPSHOTS: readonly Command[] = [
  { name: 'delete', run: (desk, id) => deleteGroupSnapshot(desk, caller, id) },
  { name: 'make a group', run: (desk, id) => copyOf(desk, { sourceGroupId: null, groupSnapshotId: id }) },
  {
    name: 'delete its group',
    run: (desk, _id, group) => deleteGroup(desk, caller, group, { withVolumes: true }),
  },
];

/** Of a backup; `prepared` is its volume. */
const OF_BACKUPS: readonly Command[] = [
  { name: 'delete', run: (desk, id) => deleteBackup(desk, caller, id, { force: false }) },
  { name: 'delete by force', run: (desk, id) => deleteBackup(desk, caller, id, { force: true }) },
  { name: 'restore', run: (desk, id, volume) => restoreBackup(desk, caller, id, volume) },
  { name: 'export its record', run: (desk, id) => exportRecord(desk, caller, id) },
  {
    name: 'verify',
    run: (desk, id) => verifyBackup(desk, caller, id, { depth: 'packs', percent: 100, budgetBytes: null }),
  },
  { name: 'begin again', run: (desk, id) => retryBackup(desk, caller, id, { force: false }) },
  { name: 'make a volume', run: (desk, backupId) => createVolume(desk, caller, volumeRequest({ backupId })) },
  {
    name: 'make an increment',
    run: async (desk, id, volume) => {
      const made = await createBackup(desk, caller, backupRequest(volume, { incremental: true }));
      assert.equal(made.parentId, id);
    },
  },
];

/** Of a snapshot; `prepared` is its volume. */
const told = (status: SnapshotStatus): Command => ({
  name: `say that it is ${status}`,
  run: (desk, id) => updateSnapshotStatus(desk, caller, id, status, null),
});

const OF_SNAPSHOTS: readonly Command[] = [
  { name: 'delete', run: (desk, id) => deleteSnapshot(desk, caller, id, { force: false }) },
  { name: 'delete by force', run: (desk, id) => deleteSnapshot(desk, caller, id, { force: true }) },
  {
    name: 'delete with its volume',
    run: (desk, _id, volume) => deleteVolume(desk, caller, volume, { cascade: true, force: false }),
  },
  {
    name: 'delete with its volume by force',
    run: (desk, _id, volume) => deleteVolume(desk, caller, volume, { cascade: true, force: true }),
  },
  {
    name: 'delete with its group snapshot',
    prepare: async ({ db }, id) => {
      const { id: groupId, groupTypeId, projectId, userId } = await makeGroup(db as Database, { projectId: PROJECT });
      const given = { id: uuid(), projectId, userId, status: 'available', groupId, groupTypeId } as const;
      const made = await db.write((tx) => insertGroupSnapshot(tx, given));
      await db.write(({ db }) =>
        db.updateTable('snapshot').set({ group_snapshot_id: made.id }).where('id', '=', id).execute(),
      );
      return made.id;
    },
    run: (desk, _id, groupSnapshot) => deleteGroupSnapshot(desk, caller, groupSnapshot),
  },
  { name: 'unmanage', run: (desk, id) => unmanageSnapshot(desk, caller, id) },
  {
    name: 'back up',
    run: (desk, id, volume) => createBackup(desk, caller, backupRequest(volume, { snapshotId: id })),
  },
  { name: 'make a volume', run: (desk, id) => createVolume(desk, caller, volumeRequest({ snapshotId: id })) },
  { name: 'revert its volume to it', run: (desk, id, volume) => revertToSnapshot(desk, caller, volume, id) },
  { name: 'offer with its volume', run: (desk, _id, volume) => offer(desk, volume) },
  ...(['creating', 'available', 'error', 'deleting', 'error_deleting'] as const).map(told),
];

/** Asks, and says what the resource is then, or why it was refused. */
async function outcome(ask: () => Promise<unknown>, ids: readonly string[], status: () => Promise<string>) {
  try {
    await ask();
  } catch (error) {
    if (!(error instanceof PumiceError)) throw error;
    if (error.name !== 'AnswerTookTooLong') {
      const named = ids.reduce((text, id) => (id === '' ? text : text.replaceAll(id, 'ID')), error.message);
      return `${error.status} ${named}`;
    }
  }
  return status();
}

const statusOf = {
  volume: async (db: Database, id: string) => (await findVolume(db.read, id))?.status ?? 'gone',
  group: async (db: Database, id: string) => (await findGroup(db.read, id))?.status ?? 'gone',
  group_snapshot: async (db: Database, id: string) => (await findGroupSnapshot(db.read, id))?.status ?? 'gone',
  backup: async (db: Database, id: string) => (await findBackup(db.read, id))?.status ?? 'gone',
  snapshot: async (db: Database, id: string) => (await findSnapshot(db.read, id))?.status ?? 'gone',
};

async function onVolume({ desk, database }: LiveSite, command: Command, status: VolumeStatus): Promise<string> {
  const { id } = await makeVolume(database, { projectId: PROJECT, host: 'node@alpha#alpha', ...command.given });
  const prepared = (await command.prepare?.(desk, id)) ?? '';
  await database.write((tx) => updateVolume(tx, id, { status }));
  return outcome(
    () => command.run(desk, id, prepared),
    [id, prepared],
    () => statusOf.volume(database, id),
  );
}

async function onSnapshot({ desk, database }: LiveSite, command: Command, status: SnapshotStatus): Promise<string> {
  const volume = await makeVolume(database, { projectId: PROJECT, host: 'node@alpha#alpha' });
  const { id } = await makeSnapshot(database, volume);
  const prepared = (await command.prepare?.(desk, id)) ?? volume.id;
  await database.write((tx) => updateSnapshot(tx, id, { status }));
  return outcome(
    () => command.run(desk, id, prepared),
    [id, prepared],
    () => statusOf.snapshot(database, id),
  );
}

async function onGroup({ desk, database }: LiveSite, command: Command, status: GroupStatus): Promise<string> {
  const { id } = await makeGroup(database, { projectId: PROJECT, host: 'node@alpha#alpha' });
  const volume = await makeVolume(database, { projectId: PROJECT, host: 'node@alpha#alpha' });
  await database.write((tx) => updateGroupRow(tx, id, { status }));
  return outcome(
    () => command.run(desk, id, volume.id),
    [id, volume.id],
    () => statusOf.group(database, id),
  );
}

async function onGroupSnapshot({ desk, database }: LiveSite, command: Command, status: GroupSnapshotStatus) {
  const group = await makeGroup(database, { projectId: PROJECT, host: 'node@alpha#alpha' });
  const { id: groupId, groupTypeId, projectId, userId } = group;
  const { id } = await database.write((tx) =>
    insertGroupSnapshot(tx, { id: uuid(), projectId, userId, status, groupId, groupTypeId }),
  );
  const volume = await makeVolume(database, { projectId: PROJECT, host: 'node@alpha#alpha' });
  await makeSnapshot(database, volume, { groupSnapshotId: id });
  return outcome(
    () => command.run(desk, id, groupId),
    [id, groupId],
    () => statusOf.group_snapshot(database, id),
  );
}

async function onBackup({ desk, database }: LiveSite, command: Command, status: BackupStatus): Promise<string> {
  const { id: volumeId } = await makeVolume(database, { projectId: PROJECT, host: 'node@alpha#alpha' });
  const scope = await database.write((tx) => scopeOfVolume(tx, 'main', PROJECT, volumeId));
  const { id } = await makeBackup(database, { projectId: PROJECT, volumeId, scopeId: scope.id, status });
  // Of one that has failed something is kept, of others what they are made of.
  await database.write((tx) =>
    status === 'error' ? keepWork(tx, id) : keepContent(tx, { backupId: id, scopeId: scope.id, root: 'ab', packs: [] }),
  );
  return outcome(
    () => command.run(desk, id, volumeId),
    [id, volumeId],
    () => statusOf.backup(database, id),
  );
}

/** One line for each thing that happens: what it became, from which statuses; then what was said of the others. */
async function seen<Status extends string>(
  name: string,
  statuses: readonly Status[],
  happens: (status: Status) => Promise<string>,
): Promise<string> {
  const lines = new Map<string, string[]>();
  for (const status of statuses) {
    const what = await happens(status);
    const refused = what.replaceAll(new RegExp(`is ${status}\\b`, 'g'), 'is STATUS');
    const line = / /.test(what) ? refused : `→ ${what === status ? 'the same' : what}`;
    lines.set(line, [...(lines.get(line) ?? []), status]);
  }
  const shown = [...lines].map(([line, from]) =>
    line.startsWith('→') ? `  ${from.join(', ')} ${line}\n` : `  any of ${from.length} others: ${line}\n`,
  );
  return `${name}\n${shown.join('')}`;
}

describe('a command, by the status of what it is about,', () => {
  it('does what is written, or refuses it in the words that clients know', async (context) => {
    const live = await liveSite(context, { running: false, set: SET });
    await live.database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'other' }));
    await live.site.images.add({ diskFormat: 'qcow2', id: IMAGE }, (await diskImages()).qcow2);
    const parts: string[] = ['VOLUMES\n'];
    for (const command of [...OF_VOLUMES, ...WITH_GROUPS])
      parts.push(await seen(command.name, VOLUME_STATUSES, (status) => onVolume(live, command, status)));
    parts.push('SNAPSHOTS\n');
    for (const command of OF_SNAPSHOTS)
      parts.push(await seen(command.name, SNAPSHOT_STATUSES, (status) => onSnapshot(live, command, status)));
    parts.push('GROUPS\n');
    for (const command of OF_GROUPS)
      parts.push(await seen(command.name, GROUP_STATUSES, (status) => onGroup(live, command, status)));
    parts.push('GROUP SNAPSHOTS\n');
    for (const command of OF_GROUP_SNAPSHOTS)
      parts.push(await seen(command.name, GROUP_SNAPSHOT_STATUSES, (status) => onGroupSnapshot(live, command, status)));
    parts.push('BACKUPS\n');
    for (const command of OF_BACKUPS)
      parts.push(await seen(command.name, BACKUP_STATUSES, (status) => onBackup(live, command, status)));
    assertGolden('by-status.txt', parts.join('\n'));
  });

  it('says of a volume that it is being attached when it is reachable, unless it is being detached', async (context) => {
    const live = await liveSite(context, { set: ['api.rpc_response_timeout=60'] });
    for (const [status, then] of [
      ['available', 'attaching'],
      ['reserved', 'attaching'],
      ['attaching', 'attaching'],
      ['in-use', 'attaching'],
      ['detaching', 'detaching'],
    ] as const) {
      const volume = await givenVolume(live.site, { status });
      const { id } = await givenAttachment(live.site, volume);
      await updateAttachment(live.desk, caller, id, { connector: HERE, mode: null });
      assert.equal(await statusOf.volume(live.database, volume.id), then, status);
    }
  });
});
