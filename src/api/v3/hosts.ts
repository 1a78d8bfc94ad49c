/** `os-hosts`: the services by an older name, and what each project has on a host. */

import { setServiceStatus } from '../../commands/hosts/set-service-status.ts';
import { type HostUsage, hostUsage } from '../../db/host-usage.ts';
import { VOLUME_BINARY } from '../../db/pools.ts';
import { findService, listServices } from '../../db/services.ts';
import { fromNow } from '../../lib/clock.ts';
import { Type } from '../../lib/schema.ts';
import { InvalidInput, ServiceNotFound } from '../../model/errors.ts';
import { CLOSED, Text255 } from '../body.ts';
import { route } from '../route.ts';

const policy = 'volume_extension:hosts';

export const hosts = [
  route({
    method: 'GET',
    path: '/os-hosts',
    policy,
    async handle({ desk: { db, tools }, query }) {
      const zone = query.get('zone');
      const alive = fromNow(-tools.serviceDownSeconds * 1000);
      const services = await listServices(db.read);
      return {
        hosts: services
          .filter(({ availabilityZone }) => zone === undefined || availabilityZone === zone)
          .map((service) => ({
            host_name: service.host,
            service: service.binary,
            zone: service.availabilityZone,
            'service-status': service.updatedAt > alive ? 'available' : 'unavailable',
            'service-state': service.disabled || service.frozen ? 'disabled' : 'enabled',
            'last-update': service.updatedAt,
          })),
      };
    },
  }),

  route({
    method: 'GET',
    path: '/os-hosts/:host',
    policy,
    async handle({ desk: { db }, params: { host } }) {
      if ((await findService(db.read, host, VOLUME_BINARY)) === undefined) throw noVolumesOn(host);
      const usage = await hostUsage(db.search, host);
      const total = usage.reduce(sum, { ...NOTHING, projectId: '(total)' });
      return { host: [total, ...usage].map((each) => ({ resource: resource(host, each) })) };
    },
  }),

  route({
    method: 'PUT',
    path: '/os-hosts/:host',
    policy,
    body: Type.Object({ status: Text255 }, CLOSED),
    async handle({ desk, params: { host }, body }) {
      const status = body.status.trim().toLowerCase();
      if (status !== 'enable' && status !== 'disable')
        throw new InvalidInput('The status of a host is enable or disable.');
      const disabled = status === 'disable';
      await setServiceStatus(desk, { host, binary: VOLUME_BINARY }, { disabled, disabledReason: null });
      return { host, status: disabled ? 'disabled' : 'enabled' };
    },
  }),
];

const noVolumesOn = (host: string) => new ServiceNotFound(`Host ${host} serves no volumes.`);

const NOTHING = { volumes: 0, volumesGiB: 0, snapshots: 0, snapshotsGiB: 0 } as const;

const sum = (total: HostUsage, each: HostUsage): HostUsage => ({
  projectId: total.projectId,
  volumes: total.volumes + each.volumes,
  volumesGiB: total.volumesGiB + each.volumesGiB,
  snapshots: total.snapshots + each.snapshots,
  snapshotsGiB: total.snapshotsGiB + each.snapshotsGiB,
});

/** Numbers are text here. */
const resource = (host: string, usage: HostUsage): object => ({
  host,
  project: usage.projectId,
  volume_count: String(usage.volumes),
  total_volume_gb: String(usage.volumesGiB),
  snapshot_count: String(usage.snapshots),
  total_snapshot_gb: String(usage.snapshotsGiB),
});
