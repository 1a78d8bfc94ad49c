/** `os-services/freeze` and `thaw`: whether a backend is given anything new. Its volumes can be used meanwhile. */
import { VOLUME_BINARY } from '../../db/pools.ts';
import { findService, updateService } from '../../db/services.ts';
import { InvalidInput } from '../../model/errors.ts';
import type { Desk } from '../desk.ts';

export async function setFrozen({ db }: Desk, host: string, frozen: boolean): Promise<void> {
  await db.write(async (tx) => {
    const service = await findService(tx.db, host, VOLUME_BINARY);
    if (service === undefined) throw new InvalidInput(`Host ${host} serves no volumes.`);
    if (service.frozen === frozen) throw new InvalidInput(`Host ${host} is ${frozen ? '' : 'not '}frozen.`);
    await updateService(tx, host, VOLUME_BINARY, { frozen });
  });
}
