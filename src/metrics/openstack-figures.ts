/**
 * The names of the OpenStack exporter (its Cinder part, as of 2026), so that dashboards and rules that were made for it go on. They have a
 * path of their own: Prometheus' linter refuses some of these names, and ours pass it.
 *
 * As there: gauges that are called counters, GiB that are called gb, −1 for no limit, and a status told by its place in a list. Unlike there:
 * a volume has series of its own only while its status is an error, unless all are asked for, since a hundred thousand names
 * help nobody. `uuid` is that of the service, and stays. Projects have no names here, so `tenant` is the id as well.
 */
import type { Database } from '../db/database.ts';
import {
  amountsOfProjects,
  countSnapshots,
  countVolumesByStatus,
  type ExportedVolume,
  exportedVolumes,
} from '../db/exporter-figures.ts';
import { listPools } from '../db/pools.ts';
import { classLimits } from '../db/quota-limits.ts';
import type { Amounts } from '../db/quotas.ts';
import { listServices, type Service } from '../db/services.ts';
import { configuredLimits } from '../flows/quota.ts';
import { fromNow } from '../lib/clock.ts';
import type { Config } from '../lib/config/config.ts';
import type { CapacityGiB } from '../model/backend.ts';
import { shownStatus, VOLUME_STATUSES } from '../model/status.ts';
import { type Family, gauge, type Labels } from './text.ts';

/** The place of a status is its value. */
const PLACES = [
  ...['creating', 'available', 'reserved', 'attaching', 'detaching', 'in-use', 'maintenance', 'deleting'],
  ...['awaiting-transfer', 'error', 'error_deleting', 'backing-up', 'restoring-backup', 'error_backing-up'],
  ...['error_restoring', 'error_extending', 'downloading', 'uploading', 'retyping', 'extending'],
];

const GIGABYTES = 'gigabytes_';

export async function openstackFamilies(db: Database, config: Config): Promise<readonly Family[]> {
  const { service_down_time: serviceDownSeconds } = config.services;
  const told = VOLUME_STATUSES.filter(
    (status) => config.metrics.openstack_all_volumes || shownStatus(status).startsWith('error'),
  );
  const [counts, snapshots, volumes, services, pools, amounts, shared] = await Promise.all([
    countVolumesByStatus(db.search),
    countSnapshots(db.search),
    exportedVolumes(db.search, told),
    listServices(db.read),
    listPools(db.read, serviceDownSeconds),
    amountsOfProjects(db.search),
    classLimits(db.read, 'default'),
  ]);
  const statuses = [...new Set<string>([...PLACES, ...VOLUME_STATUSES.map(shownStatus)])];
  const volumesIn = (shown: string): number =>
    [...counts].reduce((sum, [status, volumes]) => sum + (shownStatus(status) === shown ? volumes : 0), 0);
  const limits = { ...configuredLimits(config.quota), ...shared };
  const alive = fromNow(-serviceDownSeconds * 1000);
  const room = (capacity: CapacityGiB): number => (typeof capacity === 'number' ? capacity : Number.POSITIVE_INFINITY);
  const ofPool = (value: (stats: (typeof pools)[number]['stats']) => CapacityGiB) =>
    pools.map(({ name, stats }): readonly [Labels, number] => [
      {
        name,
        volume_backend_name: String(stats.volume_backend_name ?? ''),
        vendor_name: String(stats.vendor_name ?? ''),
      },
      room(value(stats)),
    ]);
  return [
    up(1),
    named('volumes', 'Volumes.', [[{}, [...counts.values()].reduce((sum, each) => sum + each, 0)]]),
    named('snapshots', 'Snapshots.', [[{}, snapshots]]),
    named(
      'volume_status_counter',
      'Volumes by status.',
      statuses.map((status) => [{ status }, volumesIn(status)]),
    ),
    named(
      'agent_state',
      'Whether a service gives signs of life.',
      services.map((service) => [agent(service), service.updatedAt > alive ? 1 : 0]),
    ),
    named(
      'pool_capacity_free_gb',
      'GiB of a pool that are free.',
      ofPool((stats) => stats.free_capacity_gb),
    ),
    named(
      'pool_capacity_total_gb',
      'GiB of a pool in all.',
      ofPool((stats) => stats.total_capacity_gb),
    ),
    ...limitsOf(amounts, limits),
    named(
      'volume_gb',
      'GiB of a volume.',
      volumes.map((volume) => [described(volume), volume.sizeGiB]),
    ),
    named(
      'volume_status',
      'The place of the status of a volume.',
      volumes.map((volume) => [placed(volume), PLACES.indexOf(shownStatus(volume.status))]),
    ),
  ];
}

/** All that is told while the database cannot be asked. */
export const up = (value: 0 | 1): Family => named('up', 'Whether the volumes could be asked for.', [[{}, value]]);

const named = (name: string, help: string, values: readonly (readonly [Labels, number])[]): Family =>
  gauge(`openstack_cinder_${name}`, help, values);

const agent = ({ uuid, host, binary, disabled, frozen, disabledReason, availabilityZone }: Service): Labels => ({
  uuid,
  hostname: host,
  service: binary,
  adminState: disabled || frozen ? 'disabled' : 'enabled',
  zone: availabilityZone,
  disabledReason: disabledReason ?? (frozen ? 'frozen' : ''),
});

const described = (volume: ExportedVolume): Labels => ({
  id: volume.id,
  name: volume.name,
  status: shownStatus(volume.status),
  availability_zone: volume.zone,
  bootable: String(volume.isBootable),
  tenant_id: volume.projectId,
  user_id: volume.userId ?? '',
  volume_type: volume.type,
  server_id: volume.serverId,
});

const placed = (volume: ExportedVolume): Labels => ({
  id: volume.id,
  name: volume.name,
  status: shownStatus(volume.status),
  bootable: String(volume.isBootable),
  tenant_id: volume.projectId,
  size: String(volume.sizeGiB),
  volume_type: volume.type,
  server_id: volume.serverId,
});

function limitsOf(amounts: Awaited<ReturnType<typeof amountsOfProjects>>, shared: Amounts): readonly Family[] {
  const of = (resource: string, value: (amount: (typeof amounts)[number]) => number) =>
    amounts
      .filter((amount) => amount.resource === resource)
      .map((amount): readonly [Labels, number] => [tenant(amount.projectId), value(amount)]);
  const most = ({ resource, limit }: (typeof amounts)[number]): number => limit ?? shared[resource] ?? -1;
  const used = ({ inUse }: (typeof amounts)[number]): number => inUse;
  const ofTypes = amounts.filter(({ resource }) => resource.startsWith(GIGABYTES));
  return [
    named('limits_volume_max_gb', 'GiB that a project may have; -1 is no limit.', of('gigabytes', most)),
    named('limits_volume_used_gb', 'GiB that a project has.', of('gigabytes', used)),
    named(
      'limits_backup_max_gb',
      'GiB of backups that a project may have; -1 is no limit.',
      of('backup_gigabytes', most),
    ),
    named('limits_backup_used_gb', 'GiB of backups that a project has.', of('backup_gigabytes', used)),
    named(
      'volume_type_quota_gigabytes',
      'GiB of a type that a project may have; -1 is no limit.',
      ofTypes.map((amount) => [
        { ...tenant(amount.projectId), volume_type: amount.resource.slice(GIGABYTES.length) },
        most(amount),
      ]),
    ),
  ];
}

const tenant = (id: string): Labels => ({ tenant: id, tenant_id: id });
