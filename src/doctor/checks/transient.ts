/**
 * Check: a resource in a transient status has a flow that will bring it out again.
 *
 * Where it has none, `--repair` gives it the status in which the operation would have failed (`error_deleting` for a delete),
 * and `error` where that would be the status of before, which nobody knows any more. Both are safe: nothing is deleted, no
 * quota given back, and a delete or an administrator's reset is the way on. Statuses of volumes that clients attach and detach
 * step by step are not transient, and are left alone.
 */
import { sql } from 'kysely';
import { updateBackup } from '../../db/backups.ts';
import { updateGroupSnapshot } from '../../db/group-snapshots.ts';
import { updateGroup } from '../../db/groups.ts';
import { updateSnapshot } from '../../db/snapshots.ts';
import type { Db } from '../../db/sql/db.ts';
import { updateVolume } from '../../db/volumes.ts';
import { BACKUP_TRANSITIONS, type BackupStatus, TRANSIENT_BACKUP_STATUSES } from '../../model/backup-status.ts';
import {
  GROUP_SNAPSHOT_TRANSITIONS,
  GROUP_TRANSITIONS,
  type GroupSnapshotStatus,
  type GroupStatus,
  TRANSIENT_GROUP_SNAPSHOT_STATUSES,
  TRANSIENT_GROUP_STATUSES,
} from '../../model/group-status.ts';
import {
  isTransient,
  SNAPSHOT_STATUSES,
  SNAPSHOT_TRANSITIONS,
  type SnapshotStatus,
  VOLUME_STATUSES,
  VOLUME_TRANSITIONS,
  type VolumeStatus,
} from '../../model/status.ts';
import type { Transition } from '../../model/transition.ts';
import type { DoctorCheck, Finding, Patient } from './check.ts';

export const transient: DoctorCheck = {
  name: 'transient',
  wellSaid: 'whatever is in a transient status has a flow',
  examine: async ({ db }: Patient) => [
    ...(await withoutFlow(db.read, 'volume')).map(({ id, status, revision }): Finding => {
      const to = failedAs(VOLUME_TRANSITIONS, status as VolumeStatus);
      return finding('volume', id, status, to, async (tx) => {
        if (!(await withoutFlow(tx.db, 'volume')).some((each) => each.id === id)) return false;
        return updateVolume(tx, id, { status: to }, revision);
      });
    }),
    ...(await withoutFlow(db.read, 'snapshot')).map(({ id, status, revision }): Finding => {
      const to = failedAs(SNAPSHOT_TRANSITIONS, status as SnapshotStatus);
      return finding('snapshot', id, status, to, async (tx) => {
        if (!(await withoutFlow(tx.db, 'snapshot')).some((each) => each.id === id)) return false;
        return updateSnapshot(tx, id, { status: to }, revision);
      });
    }),
    ...(await withoutFlow(db.read, 'volume_group')).map(({ id, status, revision }): Finding => {
      const to = failedAs(GROUP_TRANSITIONS, status as GroupStatus);
      return finding('group', id, status, to, async (tx) => {
        if (!(await withoutFlow(tx.db, 'volume_group')).some((each) => each.id === id)) return false;
        return updateGroup(tx, id, { status: to }, revision);
      });
    }),
    ...(await withoutFlow(db.read, 'group_snapshot')).map(({ id, status, revision }): Finding => {
      const to = failedAs(GROUP_SNAPSHOT_TRANSITIONS, status as GroupSnapshotStatus);
      return finding('group_snapshot', id, status, to, async (tx) => {
        if (!(await withoutFlow(tx.db, 'group_snapshot')).some((each) => each.id === id)) return false;
        return updateGroupSnapshot(tx, id, { status: to }, revision);
      });
    }),
    ...(await withoutFlow(db.read, 'backup')).map(({ id, status, revision }): Finding => {
      const to = failedAs(BACKUP_TRANSITIONS, status as BackupStatus);
      return finding('backup', id, status, to, async (tx) => {
        if (!(await withoutFlow(tx.db, 'backup')).some((each) => each.id === id)) return false;
        return updateBackup(tx, id, { status: to }, revision);
      });
    }),
  ],
};

function finding(
  kind: 'volume' | 'snapshot' | 'group' | 'group_snapshot' | 'backup',
  id: string,
  status: string,
  to: string,
  apply: NonNullable<Finding['remedy']>['apply'],
): Finding {
  return {
    key: `${kind}:${id} ${status}`,
    about: `${kind}:${id}`,
    says: `is ${status}, and no flow works on it`,
    remedy: { says: `its status is set to ${to}`, apply },
  };
}

/** The status in which the operation would have failed. */
function failedAs<Status extends string>(
  transitions: Readonly<Record<string, Transition<Status>>>,
  status: Status,
): Status | 'error' {
  const operation = Object.values(transitions).find(({ during }) => during.includes(status));
  const failure = operation?.failure;
  return failure?.startsWith('error') ? (failure as Status) : 'error';
}

/** By the table of its rows: what a flow says that it works on, and the statuses that only a flow leads out of. */
const KINDS = {
  volume: { named: 'volume', statuses: VOLUME_STATUSES.filter(isTransient) },
  snapshot: { named: 'snapshot', statuses: SNAPSHOT_STATUSES.filter(isTransient) },
  volume_group: { named: 'group', statuses: TRANSIENT_GROUP_STATUSES },
  group_snapshot: { named: 'group_snapshot', statuses: TRANSIENT_GROUP_SNAPSHOT_STATUSES },
  backup: { named: 'backup', statuses: TRANSIENT_BACKUP_STATUSES },
} as const;

async function withoutFlow(db: Db, kind: keyof typeof KINDS) {
  const { named, statuses } = KINDS[kind];
  const resource = sql<string>`${sql.lit(`${named}:`)} || ${sql.ref(`${kind}.id`)}`;
  return await db
    .selectFrom(kind)
    .select(['id', 'status', 'revision'])
    // By ids, which an index finds with the statuses in it: to go through the rows costs SQLite ten times as much.
    .where('id', 'in', db.selectFrom(kind).select('id').where('status', 'in', statuses))
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('hold').select('hold.flow_id').where('hold.resource', '=', resource))),
    )
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('flow').select('flow.id').where('flow.resource', '=', resource).where('flow.ended_at', 'is', null),
        ),
      ),
    )
    .orderBy('id')
    .execute();
}
