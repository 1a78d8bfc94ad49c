/** What the operator decided of the import: the switches of `pumice import`. */
import type { Timestamp } from '../../lib/clock.ts';
import type { HostMap } from './host-map.ts';

export interface MapSettings {
  readonly hosts: HostMap;
  /** Id or name of the type of volumes whose own was never there (`--adopt-type`). */
  readonly adoptType: string | null;
  /** A deleted volume whose snapshots live comes back as an error (`--revive`). */
  readonly revive: boolean;
  /** A row whose backend has nothing of its name comes in as an error (`--missing-as-error`); else as it is, and named. */
  readonly missingAsError?: boolean;
  /** For what is left out when it has expired, and for rows that do not say when they were made. */
  readonly now: Timestamp;
}
