/** `POST /manageable_volumes`: what exists on a backend becomes a volume. */

import { addPoolUsage } from '../../db/pool-usage.ts';
import { listPools } from '../../db/pools.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { insertVolume } from '../../db/volumes.ts';
import { checkNotEncrypted } from '../../flows/encryption.ts';
import { take } from '../../flows/quota.ts';
import { manageExisting as flow } from '../../flows/volumes/manage-volume.ts';
import { uuid } from '../../lib/clock.ts';
import { hostOf, type Pool, poolOf } from '../../model/backend.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidInput, ServiceNotFound, ServiceUnavailable } from '../../model/errors.ts';
import { volumeQuota } from '../../model/quota.ts';
import { VOLUME_TRANSITIONS } from '../../model/status.ts';
import type { Metadata, Volume } from '../../model/volume.ts';
import { isMultiattach } from '../../model/volume-type.ts';
import { begin, exclusive, volumeResource } from '../begin.ts';
import type { Desk } from '../desk.ts';
import { chooseType } from './volume-choices.ts';

export interface ManageVolumeRequest {
  /** `node@backend#pool`, or `node@backend` when it has one pool. */
  readonly host: string;
  readonly ref: Readonly<Record<string, string>>;
  readonly name: string | null;
  readonly description: string | null;
  readonly volumeType: string | null;
  readonly metadata: Metadata;
  readonly availabilityZone: string | null;
  readonly bootable: boolean;
}

export async function manageVolume(desk: Desk, caller: Caller, request: ManageVolumeRequest): Promise<Volume> {
  return desk.db.write(async (tx) => {
    const pool = await poolNamed(desk, tx, request.host);
    if (request.availabilityZone !== null && request.availabilityZone !== pool.availabilityZone) {
      throw new InvalidInput(
        `${pool.name} is in availability zone ${pool.availabilityZone}, not ${request.availabilityZone}.`,
      );
    }
    const type = await chooseType(tx.db, caller, request.volumeType, { is: 'nothing' }, desk.config);
    await take(tx, caller.projectId, volumeQuota(0, type.name), desk.config.quota);
    await addPoolUsage(tx, { pool: pool.name, allocatedGiB: 0, provisionedGiB: 0, volumes: 1 });
    const volume = await insertVolume(tx, {
      id: uuid(),
      projectId: caller.projectId,
      userId: caller.userId,
      name: request.name,
      description: request.description,
      sizeGiB: 0,
      status: VOLUME_TRANSITIONS.manage.during[0],
      host: pool.name,
      availabilityZone: pool.availabilityZone,
      volumeTypeId: type.id,
      bootable: request.bootable,
      multiattach: isMultiattach(type),
      metadata: request.metadata,
    });
    await checkNotEncrypted(tx.db, type);
    await begin(
      desk,
      tx,
      caller,
      flow,
      { volumeId: volume.id, pool: pool.name, ref: request.ref },
      {
        resource: volumeResource(volume.id),
        projectId: volume.projectId,
        holds: [exclusive(volumeResource(volume.id))],
      },
    );
    return volume;
  });
}

async function poolNamed(desk: Desk, { db }: Tx, name: string): Promise<Pool> {
  const pools = (await listPools(db, desk.tools.serviceDownSeconds)).filter(
    (pool) => pool.name === name || (poolOf(name) === undefined && hostOf(pool.name) === name),
  );
  const [pool, another] = pools;
  if (pool === undefined) throw new ServiceNotFound(`There is no backend ${name}.`);
  if (another !== undefined)
    throw new InvalidInput(`${name} has several pools; name one: ${pools.map((each) => each.name).join(', ')}.`);
  if (!pool.up) throw new ServiceUnavailable(`The backend ${name} is down or disabled.`);
  return pool;
}
