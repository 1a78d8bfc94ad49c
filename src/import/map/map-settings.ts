/** What the operator decided of the import: the switches of `pumice import`, and what cinder.conf said. */
import type { HostMap } from './host-map.ts';

export interface MapSettings {
  readonly hosts: HostMap;
  /** Id of the type of volumes whose own is not there any more (`--adopt-type`). */
  readonly adoptType: string | null;
  /** A deleted volume whose snapshots live comes back as an error (`--revive`). */
  readonly revive: boolean;
}
