/** The services and their heartbeats. No heartbeat changes the settings of an administrator (disabled, frozen). */
import { now, type Timestamp, uuid } from '../lib/clock.ts';
import type { PoolStats } from '../model/backend.ts';
import type { Db } from './sql/db.ts';
import type { ServiceTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export interface Service {
  /** `node@backend` of cinder-volume, the node of cinder-scheduler. */
  readonly host: string;
  readonly binary: string;
  readonly uuid: string;
  readonly availabilityZone: string;
  readonly disabled: boolean;
  readonly disabledReason: string | null;
  readonly frozen: boolean;
  /** As last reported. */
  readonly pools: readonly PoolStats[];
  /** Why the backend cannot be used; null when it can. */
  readonly failure: string | null;
  readonly createdAt: Timestamp;
  /** The last heartbeat. */
  readonly updatedAt: Timestamp;
}

/** Whether it has given a sign of life since, and its backend can be used. */
export const isUsable = ({ failure, updatedAt }: Pick<Service, 'failure' | 'updatedAt'>, since: Timestamp): boolean =>
  failure === null && updatedAt > since;

export type Heartbeat = Pick<Service, 'host' | 'binary' | 'availabilityZone' | 'pools' | 'failure'>;

/** `unlessUsableSince`: what was said since by somebody who can use the backend stands. */
export async function recordHeartbeat({ db }: Tx, heartbeat: Heartbeat, unlessUsableSince?: Timestamp): Promise<void> {
  const { host, binary, availabilityZone, failure } = heartbeat;
  const at = now();
  const reported = {
    availability_zone: availabilityZone,
    pools: JSON.stringify(heartbeat.pools),
    failure,
    updated_at: at,
  };
  await db
    .insertInto('service')
    .values({ host, binary, uuid: uuid(), disabled: 0, disabled_reason: null, frozen: 0, created_at: at, ...reported })
    .onConflict((conflict) => {
      const update = conflict.columns(['host', 'binary']).doUpdateSet(reported);
      if (unlessUsableSince === undefined) return update;
      return update.where((is) =>
        is.or([is('service.failure', 'is not', null), is('service.updated_at', '<=', unlessUsableSince)]),
      );
    })
    .execute();
}

export interface ServiceQuery {
  readonly host?: string;
  readonly binary?: string;
}

export async function listServices(db: Db, query: ServiceQuery = {}): Promise<readonly Service[]> {
  return db.once(`services ${query.binary} ${query.host}`, async (past) => {
    let select = past.selectFrom('service').selectAll().orderBy('binary').orderBy('host');
    if (query.host !== undefined) select = select.where('host', '=', query.host);
    if (query.binary !== undefined) select = select.where('binary', '=', query.binary);
    return (await select.execute()).map(toService);
  });
}

export async function findService(db: Db, host: string, binary: string): Promise<Service | undefined> {
  const [service] = await listServices(db, { host, binary });
  return service;
}

export type ServicePatch = Partial<Pick<Service, 'disabled' | 'disabledReason' | 'frozen'>>;

/** False when there is no such service. */
export async function updateService({ db }: Tx, host: string, binary: string, patch: ServicePatch): Promise<boolean> {
  const row: Partial<ServiceTable> = {};
  if (patch.disabled !== undefined) row.disabled = patch.disabled ? 1 : 0;
  if (patch.disabledReason !== undefined) row.disabled_reason = patch.disabledReason;
  if (patch.frozen !== undefined) row.frozen = patch.frozen ? 1 : 0;
  const { numUpdatedRows } = await db
    .updateTable('service')
    .set(row)
    .where('host', '=', host)
    .where('binary', '=', binary)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

function toService(row: ServiceTable): Service {
  return {
    host: row.host,
    binary: row.binary,
    uuid: row.uuid,
    availabilityZone: row.availability_zone,
    disabled: row.disabled === 1,
    disabledReason: row.disabled_reason,
    frozen: row.frozen === 1,
    pools: JSON.parse(row.pools),
    failure: row.failure,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
