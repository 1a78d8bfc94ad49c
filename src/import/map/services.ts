/**
 * What administrators have said of backends' services: disabled and why, frozen, and the ids they are known by. Those of other binaries,
 * and of hosts that are nobody's here, are not taken.
 */
import type { CinderRows } from '../cinder/cinder-tables.ts';
import { mappedHost } from './host-map.ts';
import type { MapSettings } from './map-settings.ts';
import type { ImportedRow } from './verdict.ts';

/** Of several that are one backend here the one that gave the last sign of life counts. */
export function mapServices(
  rows: readonly CinderRows['services'][],
  { hosts, now }: Pick<MapSettings, 'hosts' | 'now'>,
): ImportedRow<'service'>[] {
  const services = new Map<string, ImportedRow<'service'>>();
  for (const row of rows) {
    const place = row.cluster_name ?? row.host;
    const host = place === null ? undefined : mappedHost(hosts, place);
    if (row.binary !== 'cinder-volume' || host === undefined || row.uuid === null) continue;
    const beatAt = row.updated_at ?? row.created_at ?? now;
    if ((services.get(host)?.updated_at ?? '') > beatAt) continue;
    services.set(host, {
      host,
      binary: row.binary,
      uuid: row.uuid,
      availability_zone: row.availability_zone ?? 'nova',
      disabled: Number(row.disabled === true),
      disabled_reason: row.disabled_reason,
      frozen: Number(row.frozen === true),
      pools: '[]',
      failure: null,
      created_at: row.created_at ?? beatAt,
      updated_at: beatAt,
    });
  }
  return [...services.values()];
}
