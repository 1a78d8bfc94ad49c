/** `backups`: copies of volumes in a store of their own. */
import { createBackup } from '../../commands/backups/create-backup.ts';
import { deleteBackup } from '../../commands/backups/delete-backup.ts';
import { exportRecord } from '../../commands/backups/export-record.ts';
import { importRecord } from '../../commands/backups/import-record.ts';
import { restoreBackup, restoreToNewVolume } from '../../commands/backups/restore-backup.ts';
import { updateBackup } from '../../commands/backups/update-backup.ts';
import { backupFor } from '../../commands/find.ts';
import { Type } from '../../lib/schema.ts';
import type { Metadata } from '../../model/volume.ts';
import { CLOSED, LooseBoolean, Maybe, NotBlank255, Nullable, Text255, trimmed, Uuid } from '../body.ts';
import { MetadataBody } from '../metadata-bodies.ts';
import { BACKUP_METADATA, BACKUP_UPDATE, BACKUP_ZONE, OLDEST } from '../microversion.ts';
import { readBoolean } from '../query.ts';
import { route } from '../route.ts';
import { pageOfBackups } from './backup-list.ts';
import { backupDetails, backupSummary } from './backup-view.ts';

const named = { name: Maybe(Text255), description: Maybe(Text255) };
const metadata = { metadata: Maybe(MetadataBody) };

/** A record is some 2 KiB, and metadata may make it longer. */
const RecordText = Type.String({ minLength: 1, maxLength: 200_000 });

const createBody = <More extends Record<string, ReturnType<typeof Maybe>>>(more: More) =>
  Type.Object(
    {
      backup: Type.Object(
        {
          ...named,
          volume_id: Uuid,
          container: Maybe(Text255),
          incremental: Maybe(LooseBoolean),
          force: Maybe(LooseBoolean),
          snapshot_id: Maybe(Uuid),
          ...more,
        },
        CLOSED,
      ),
    },
    CLOSED,
  );

const updateBody = <More extends Record<string, ReturnType<typeof Maybe>>>(more: More) =>
  Type.Object({ backup: Nullable(Type.Object({ ...named, ...more }, CLOSED)) }, CLOSED);

export const backups = [
  route({
    method: 'GET',
    path: '/backups',
    policy: 'backup:get_all',
    handle: (call) =>
      pageOfBackups(call, '/backups', (found) => found.map((each) => backupSummary.show(each, call, call.version))),
  }),

  route({
    method: 'GET',
    path: '/backups/detail',
    policy: 'backup:get_all',
    handle: (call) => pageOfBackups(call, '/backups/detail', (found) => backupDetails(call, found)),
  }),

  route({
    method: 'POST',
    path: '/backups',
    policy: 'backup:create',
    status: 202,
    body: [
      [OLDEST, createBody({})],
      [BACKUP_METADATA, createBody(metadata)],
      [BACKUP_ZONE, createBody({ ...metadata, availability_zone: Maybe(Text255) })],
    ],
    async handle(call) {
      const request: BackupCreate = call.body.backup;
      const isSaid = (name: 'incremental' | 'force'): boolean =>
        request[name] != null && readBoolean(request[name], name);
      const backup = await createBackup(call.desk, call.caller, {
        volumeId: request.volume_id,
        snapshotId: request.snapshot_id ?? null,
        name: trimmed(request.name),
        description: trimmed(request.description),
        container: request.container || null,
        incremental: isSaid('incremental'),
        force: isSaid('force'),
        metadata: request.metadata ?? {},
        availabilityZone: trimmed(request.availability_zone) || null,
      });
      return { backup: backupSummary.show(backup, call, call.version) };
    },
  }),

  route({
    method: 'GET',
    path: '/backups/:id',
    policy: 'backup:get',
    async handle(call) {
      const backup = await backupFor(call.desk.db.read, call.caller, call.params.id);
      return { backup: (await backupDetails(call, [backup]))[0] };
    },
  }),

  route({
    method: 'PUT',
    path: '/backups/:id',
    since: BACKUP_UPDATE,
    policy: 'backup:update',
    body: [
      [BACKUP_UPDATE, updateBody({})],
      [BACKUP_METADATA, updateBody(metadata)],
    ],
    async handle(call) {
      const { name, description, metadata }: BackupUpdate = call.body.backup ?? {};
      const backup = await updateBackup(call.desk, call.caller, call.params.id, {
        ...(name !== undefined && { name: trimmed(name) }),
        ...(description !== undefined && { description: trimmed(description) }),
        ...(metadata != null && { metadata }),
      });
      return { backup: backupSummary.show(backup, call, call.version) };
    },
  }),

  route({
    method: 'DELETE',
    path: '/backups/:id',
    policy: 'backup:delete',
    status: 202,
    async handle({ desk, caller, params }) {
      await deleteBackup(desk, caller, params.id, { force: false });
      return undefined;
    },
  }),

  route({
    method: 'POST',
    path: '/backups/:id/restore',
    policy: 'backup:restore',
    status: 202,
    body: Type.Object(
      { restore: Nullable(Type.Object({ name: Maybe(Text255), volume_id: Maybe(Uuid) }, CLOSED)) },
      CLOSED,
    ),
    async handle({ desk, caller, params: { id }, body, demand }) {
      const { volume_id, name } = body.restore ?? {};
      const volume =
        volume_id == null
          ? await restoreToNewVolume(desk, caller, id, { name: trimmed(name), demand })
          : await restoreBackup(desk, caller, id, volume_id);
      return { restore: { backup_id: id, volume_id: volume.id, volume_name: volume.name } };
    },
  }),

  route({
    method: 'GET',
    path: '/backups/:id/export_record',
    policy: 'backup:export',
    async handle({ desk, caller, params }) {
      const { service, url } = await exportRecord(desk, caller, params.id);
      return { 'backup-record': { backup_service: service, backup_url: url } };
    },
  }),

  route({
    method: 'POST',
    path: '/backups/import_record',
    policy: 'backup:import',
    status: 201,
    body: Type.Object(
      { 'backup-record': Type.Object({ backup_service: NotBlank255, backup_url: RecordText }, CLOSED) },
      CLOSED,
    ),
    async handle(call) {
      const { backup_service: service, backup_url: url } = call.body['backup-record'];
      const backup = await importRecord(call.desk, call.caller, { service, url });
      return { backup: backupSummary.show(backup, call, call.version) };
    },
  }),
];

interface BackupCreate extends BackupUpdate {
  readonly volume_id: string;
  readonly snapshot_id?: string | null;
  readonly container?: string | null;
  readonly incremental?: boolean | string | null;
  readonly force?: boolean | string | null;
  readonly availability_zone?: string | null;
}

interface BackupUpdate {
  readonly name?: string | null;
  readonly description?: string | null;
  readonly metadata?: Metadata | null;
}
