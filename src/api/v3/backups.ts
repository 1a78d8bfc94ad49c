/** `backups`: copies of volumes in a store of their own. */
import { updateBackup } from '../../commands/backups/update-backup.ts';
import { backupFor } from '../../commands/find.ts';
import { Type } from '../../lib/schema.ts';
import type { Metadata } from '../../model/volume.ts';
import { CLOSED, Maybe, Nullable, Text255, trimmed } from '../body.ts';
import { MetadataBody } from '../metadata-bodies.ts';
import { BACKUP_METADATA, BACKUP_UPDATE } from '../microversion.ts';
import { route } from '../route.ts';
import { pageOfBackups } from './backup-list.ts';
import { backupDetails, backupSummary } from './backup-view.ts';

const named = { name: Maybe(Text255), description: Maybe(Text255) };

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
      [BACKUP_METADATA, updateBody({ metadata: Maybe(MetadataBody) })],
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
];

interface BackupUpdate {
  readonly name?: string | null;
  readonly description?: string | null;
  readonly metadata?: Metadata | null;
}
