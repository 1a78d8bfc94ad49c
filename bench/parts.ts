/** All parts of the figures, by the names that `--only` takes, in the order in which bench/RESULTS.md has them. */
import { backups } from './backups.ts';
import { besideBackups } from './beside-backups.ts';
import { busyHost } from './busy-host.ts';
import { copies } from './copies.ts';
import { creates } from './creates.ts';
import { deletes } from './deletes.ts';
import { dependents } from './dependents.ts';
import { exports } from './exports.ts';
import { flows } from './flows.ts';
import { fullBackend } from './full-backend.ts';
import { importing } from './import.ts';
import { largeFilters, largeStart, largeStops } from './large.ts';
import { lifeCycles } from './life-cycles.ts';
import { metrics } from './metrics.ts';
import { page } from './page.ts';
import type { Part } from './part.ts';
import { pauses } from './pauses.ts';
import { rbd } from './rbd.ts';
import { reads } from './reads.ts';
import { s3Backups } from './s3-backups.ts';
import { scale } from './scale.ts';
import { startup } from './startup.ts';
import { watchers } from './watchers.ts';

export const PARTS: Readonly<Record<string, Part>> = {
  flows,
  creates,
  deletes,
  dependents,
  'full-backend': fullBackend,
  rbd,
  reads,
  metrics,
  watchers,
  page,
  startup,
  'life-cycles': lifeCycles,
  exports,
  pauses,
  copies,
  backups,
  's3-backups': s3Backups,
  'beside-backups': besideBackups,
  'busy-host': busyHost,
  scale,
  'large-filters': largeFilters,
  'large-stops': largeStops,
  'large-start': largeStart,
  import: importing,
};
