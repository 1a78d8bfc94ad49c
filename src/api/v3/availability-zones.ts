/** `os-availability-zone`: the zones there are backends in. */
import { VOLUME_BINARY } from '../../db/pools.ts';
import { listServices } from '../../db/services.ts';
import { route } from '../route.ts';

export const availabilityZones = [
  route({
    method: 'GET',
    path: '/os-availability-zone',
    policy: 'volume:availability_zone_list',
    async handle({ desk }) {
      const services = await listServices(desk.db.read, { binary: VOLUME_BINARY });
      const zones = Map.groupBy(services, ({ availabilityZone }) => availabilityZone);
      return {
        availabilityZoneInfo: [...zones]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([zone, inIt]) => ({
            zoneName: zone,
            zoneState: { available: inIt.some(({ disabled }) => !disabled) },
          })),
      };
    },
  }),
];
