/**
 * Room on a full pool: what is kept there for speed alone goes first, the bases of backups and then the images of the cache.
 */
import type { DriverCall, VolumeDriver } from '../../drivers/driver.ts';
import { BackendFull } from '../../model/errors.ts';
import { dropOldestBase } from '../backups/bases.ts';
import type { BackupTools, Tools } from '../tools.ts';

/** Runs what writes to a pool; where that is full, again after each base of a backup that is dropped for it, and each image. */
export async function withRoom<Result>(
  pool: string,
  volumeId: string,
  call: DriverCall & {
    readonly requestId: string;
    readonly tools: Pick<Tools, 'driver' | 'imageCache'> & { readonly backups: Pick<BackupTools, 'db'> };
  },
  work: (driver: VolumeDriver) => Promise<Result>,
): Promise<Result> {
  const { requestId, tools } = call;
  for (;;) {
    try {
      return await work(tools.driver(pool));
    } catch (error) {
      if (!(error instanceof BackendFull)) throw error;
      if (await dropOldestBase(tools, pool, call)) continue;
      if (!(await tools.imageCache.makeRoom(pool, { volumeId, requestId }, call))) throw error;
    }
  }
}
