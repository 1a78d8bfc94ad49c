/**
 * Lists the volumes or snapshots on a backend that could be brought under management, and the reasons against the others.
 */
import { idsByNameId } from '../db/backend-names.ts';
import { listPools } from '../db/pools.ts';
import type { ManageableObject, VolumeDriver } from '../drivers/driver.ts';
import { hostOf } from '../model/backend.ts';
import { DriverNotInitialized, ServiceNotFound, ServiceUnavailable } from '../model/errors.ts';
import type { Desk } from './desk.ts';

const PATIENCE_MS = 30_000;

export interface Manageable extends ManageableObject {
  /** The volume or snapshot it is already; null for what is nobody's. */
  readonly cinderId: string | null;
}

export async function listManageable(
  desk: Desk,
  kind: 'volume' | 'snapshot',
  host: string,
): Promise<readonly Manageable[]> {
  const pools = await listPools(desk.db.read, desk.tools.serviceDownSeconds);
  if (!pools.some(({ name }) => name === host || hostOf(name) === host))
    throw new ServiceNotFound(`There is no backend ${host}.`);
  const driver = driverOf(desk, host);
  const ours = await driver.list(AbortSignal.timeout(PATIENCE_MS));
  const ids = await idsByNameId(desk.db.search);
  const known = new Map(
    ours.flatMap(({ name, owner }) => {
      const id = owner === null ? undefined : ids.get(owner.id);
      return id === undefined ? [] : [[name, id]];
    }),
  );
  const found = await driver.listManageable(kind, new Set(known.keys()), AbortSignal.timeout(PATIENCE_MS));
  return found.map((each) => ({ ...each, cinderId: known.get(each.reference['source-name'] ?? '') ?? null }));
}

function driverOf({ tools }: Desk, host: string): VolumeDriver {
  try {
    return tools.driver(host);
  } catch (cause) {
    if (!(cause instanceof DriverNotInitialized)) throw cause;
    throw new ServiceUnavailable(`The backend ${host} cannot be asked now: ${cause.message}`, { cause });
  }
}
