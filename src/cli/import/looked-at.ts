/** What the configured backends have, for who lets rows without an image come in as errors. Read only; all names are held in memory. */
import { releaseBackends, startBackends } from '../../doctor/examine.ts';
import { ListedBackends } from '../../import/check/backend-names.ts';
import type { MapWorld } from '../../import/map/map-world.ts';
import type { BackendNames } from '../../import/map/mapped-batch.ts';
import type { Config } from '../../lib/config/config.ts';
import type { CliContext } from '../context.ts';
import { Complaint } from '../exit-codes.ts';

/** Undefined where nobody asked for it. Rejects with a `Complaint` where a backend cannot be listed: that is no proof that anything is missing. */
export async function backendNames(
  { settings }: MapWorld,
  config: Config,
  { driverOf, signal }: Pick<CliContext, 'driverOf' | 'signal'>,
): Promise<BackendNames | undefined> {
  if (settings.missingAsError !== true) return undefined;
  const backends = await startBackends(config, driverOf, signal);
  try {
    const listed = await ListedBackends.list(backends, settings.hosts, signal);
    for (const { host, failure } of listed.looks())
      if (failure !== null)
        throw new Complaint(`--missing-as-error: ${host} could not be listed: ${failure} Nothing was changed.`);
    return listed;
  } finally {
    releaseBackends(backends);
  }
}
