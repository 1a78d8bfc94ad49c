/** `POST volumes/{id}/action`: from the name of an action to the command that does it. */

import { volumeFor } from '../../commands/find.ts';
import { completeExtend } from '../../commands/volumes/complete-extend.ts';
import { completeMigration } from '../../commands/volumes/complete-migration.ts';
import { deleteVolume } from '../../commands/volumes/delete-volume.ts';
import { extendVolume } from '../../commands/volumes/extend-volume.ts';
import { migrateVolume } from '../../commands/volumes/migrate-volume.ts';
import { resetVolumeStatus } from '../../commands/volumes/reset-volume-status.ts';
import { retypeVolume } from '../../commands/volumes/retype-volume.ts';
import { setBootable } from '../../commands/volumes/set-bootable.ts';
import { setReadonly } from '../../commands/volumes/set-readonly.ts';
import { setVolumeImageMetadata } from '../../commands/volumes/set-volume-image-metadata.ts';
import { unmanageVolume } from '../../commands/volumes/unmanage-volume.ts';
import { Type } from '../../lib/schema.ts';
import { InvalidInput } from '../../model/errors.ts';
import { VOLUME_RESET_STATUSES } from '../../model/status.ts';
import type { Metadata } from '../../model/volume.ts';
import { CLOSED, LooseBoolean, LooseSize, Maybe, readSize, readWord, Uuid, Word } from '../body.ts';
import { ImageMetadataBody } from '../metadata-bodies.ts';
import { EXTEND_COMPLETION, EXTEND_IN_USE, MIGRATE_TO_CLUSTER, OLDEST } from '../microversion.ts';
import { readBoolean } from '../query.ts';
import { route } from '../route.ts';

const action = { method: 'POST', path: '/volumes/:id/action' } as const;

const RESET_ATTACH_STATUSES = ['attached', 'detached'] as const;
const RESET_MIGRATION_STATUSES = ['none', 'starting', 'migrating', 'completing', 'success', 'error'] as const;

const Place = Type.String({ minLength: 1, maxLength: 255 });
const MIGRATE = {
  host: Maybe(Place),
  force_host_copy: Type.Optional(LooseBoolean),
  lock_volume: Type.Optional(LooseBoolean),
} as const;

/** Null, or no text, says no more than absence. */
const ResetStatus = Type.Object(
  {
    status: Maybe(Word(VOLUME_RESET_STATUSES)),
    attach_status: Maybe(Word(RESET_ATTACH_STATUSES)),
    migration_status: Maybe(Word(RESET_MIGRATION_STATUSES)),
  },
  CLOSED,
);

export const volumeActions = [
  route({
    ...action,
    action: 'os-extend',
    policy: 'volume:extend',
    status: 202,
    body: Type.Object({ new_size: LooseSize }, CLOSED),
    async handle({ desk, caller, params, body, version, may }) {
      const newSizeGiB = readSize(body.new_size, 'new_size');
      const inUseAllowed = version >= EXTEND_IN_USE && may('volume:extend_attached_volume');
      await extendVolume(desk, caller, params.id, newSizeGiB, { inUseAllowed });
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-extend_volume_completion',
    since: EXTEND_COMPLETION,
    policy: 'volume_extension:volume_admin_actions:extend_volume_completion',
    status: 202,
    body: Type.Object({ error: Type.Optional(LooseBoolean) }, CLOSED),
    async handle({ desk, caller, params, body }) {
      readBoolean(body.error ?? false, 'error');
      return completeExtend(desk, caller, params.id);
    },
  }),

  route({
    ...action,
    action: 'os-retype',
    policy: 'volume:retype',
    status: 202,
    body: Type.Object(
      {
        new_type: Type.String({ maxLength: 255 }),
        migration_policy: Type.Optional(Type.Union([Type.Literal('never'), Type.Literal('on-demand')])),
      },
      CLOSED,
    ),
    async handle({ desk, caller, params, body, demand }) {
      const { new_type: newType, migration_policy } = body;
      await retypeVolume(desk, caller, params.id, { newType, mayMove: migration_policy === 'on-demand', demand });
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-migrate_volume',
    policy: 'volume_extension:volume_admin_actions:migrate_volume',
    status: 202,
    body: [
      [OLDEST, Type.Object(MIGRATE, CLOSED)],
      [MIGRATE_TO_CLUSTER, Type.Object({ ...MIGRATE, cluster: Maybe(Place) }, CLOSED)],
    ],
    async handle({ desk, caller, params, body }) {
      const { host, force_host_copy = false, lock_volume = false } = body;
      const cluster = 'cluster' in body ? (body.cluster as string | null) : null;
      if ((host == null) === (cluster == null)) throw new InvalidInput('One of host and cluster must be given.');
      await migrateVolume(desk, caller, params.id, {
        host: host ?? cluster ?? '',
        forceHostCopy: readBoolean(force_host_copy, 'force_host_copy'),
        lockVolume: readBoolean(lock_volume, 'lock_volume'),
      });
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-migrate_volume_completion',
    policy: 'volume_extension:volume_admin_actions:migrate_volume_completion',
    body: Type.Object({ new_volume: Uuid, error: Maybe(LooseBoolean) }, CLOSED),
    async handle({ desk, caller, params, body }) {
      return { save_volume_id: await completeMigration(desk, caller, params.id, body.new_volume) };
    },
  }),

  route({
    ...action,
    action: 'os-set_bootable',
    policy: 'volume:update',
    body: Type.Object({ bootable: LooseBoolean }, CLOSED),
    async handle({ desk, caller, params, body }) {
      await setBootable(desk, caller, params.id, readBoolean(body.bootable, 'bootable'));
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-update_readonly_flag',
    policy: 'volume:update_readonly_flag',
    status: 202,
    body: Type.Object({ readonly: LooseBoolean }, CLOSED),
    async handle({ desk, caller, params, body }) {
      await setReadonly(desk, caller, params.id, readBoolean(body.readonly, 'readonly'));
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-reset_status',
    policy: 'volume_extension:volume_admin_actions:reset_status',
    status: 202,
    body: ResetStatus,
    async handle({ desk, caller, params, body }) {
      const status = readWord(body.status, 'status', VOLUME_RESET_STATUSES);
      const attachStatus = readWord(body.attach_status, 'attach_status', RESET_ATTACH_STATUSES);
      const migrationStatus = readWord(body.migration_status, 'migration_status', RESET_MIGRATION_STATUSES);
      if (status === undefined && attachStatus === undefined && migrationStatus === undefined)
        throw new InvalidInput('One of status, attach_status and migration_status must be given.');
      await resetVolumeStatus(desk, caller, params.id, {
        ...(status && { status }),
        ...(attachStatus && { attachStatus }),
        ...(migrationStatus && { migrationStatus: migrationStatus === 'none' ? null : migrationStatus }),
      });
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-force_delete',
    policy: 'volume_extension:volume_admin_actions:force_delete',
    status: 202,
    async handle({ desk, caller, params }) {
      await deleteVolume(desk, caller, params.id, { cascade: false, force: true });
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-set_image_metadata',
    policy: 'volume_extension:volume_image_metadata:set',
    body: Type.Object({ metadata: ImageMetadataBody }, CLOSED),
    async handle({ desk, caller, params, body }) {
      const metadata = body.metadata as Metadata;
      return { metadata: await setVolumeImageMetadata(desk, caller, params.id, { is: 'merge', metadata }) };
    },
  }),

  route({
    ...action,
    action: 'os-show_image_metadata',
    policy: 'volume_extension:volume_image_metadata:show',
    async handle({ desk, caller, params }) {
      const { imageMetadata } = await volumeFor(desk.db.read, caller, params.id);
      return { metadata: imageMetadata ?? {} };
    },
  }),

  route({
    ...action,
    action: 'os-unset_image_metadata',
    policy: 'volume_extension:volume_image_metadata:remove',
    body: Type.Object({ key: Type.String({ minLength: 1, maxLength: 255 }) }, CLOSED),
    async handle({ desk, caller, params, body }) {
      await setVolumeImageMetadata(desk, caller, params.id, { is: 'remove', key: body.key });
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-unmanage',
    policy: 'volume_extension:volume_unmanage',
    status: 202,
    async handle({ desk, caller, params }) {
      await unmanageVolume(desk, caller, params.id);
      return undefined;
    },
  }),
];
