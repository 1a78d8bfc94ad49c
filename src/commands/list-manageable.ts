/** What is on a backend and could be brought under management, or why not. */
import { listPools } from '../db/pools.ts';
import { listSnapshots } from '../db/snapshots.ts';
import { listVolumes } from '../db/volumes.ts';
import type { ManageableObject } from '../drivers/driver.ts';
import { hostOf } from '../model/backend.ts';
import { ServiceNotFound } from '../model/errors.ts';
import type { Desk } from './desk.ts';

const PATIENCE_MS = 30_000;

export async function listManageable(
  desk: Desk,
  kind: 'volume' | 'snapshot',
  host: string,
): Promise<readonly ManageableObject[]> {
  const pools = await listPools(desk.db.read, desk.tools.serviceDownSeconds);
  if (!pools.some(({ name }) => name === host || hostOf(name) === host))
    throw new ServiceNotFound(`There is no backend ${host}.`);
  const driver = desk.tools.driver(host);
  const ours = await driver.list(AbortSignal.timeout(PATIENCE_MS));
  const ids = new Set([
    ...(await listVolumes(desk.db.read, {})).map(({ id }) => id),
    ...(await listSnapshots(desk.db.read, {})).map(({ id }) => id),
  ]);
  const known = new Set(ours.flatMap(({ name, owner }) => (owner !== null && ids.has(owner.id) ? [name] : [])));
  return driver.listManageable(kind, known, AbortSignal.timeout(PATIENCE_MS));
}
