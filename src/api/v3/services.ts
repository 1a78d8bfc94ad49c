/** `os-services`: the services (processes by host and binary), whether they are up, and whether they are enabled. */

import { setServiceStatus } from '../../commands/hosts/set-service-status.ts';
import { VOLUME_BINARY } from '../../db/pools.ts';
import { listServices, type Service } from '../../db/services.ts';
import { fromNow } from '../../lib/clock.ts';
import { Type } from '../../lib/schema.ts';
import { InvalidInput } from '../../model/errors.ts';
import { CLOSED, NotBlank255 } from '../body.ts';
import { BACKEND_STATE, CLUSTERS, OLDEST } from '../microversion.ts';
import { route } from '../route.ts';
import { Fields, only } from '../view.ts';

const Name = Type.String({ minLength: 1, maxLength: 255 });
/** A binary is also called a service. */
const SERVICE = { host: Name, binary: Type.Optional(Name), service: Type.Optional(Name) } as const;
const ServiceBody = Type.Object(SERVICE, CLOSED);
const ReasonBody = Type.Object({ ...SERVICE, disabled_reason: NotBlank255 }, CLOSED);

export const services = [
  route({
    method: 'GET',
    path: '/os-services',
    policy: 'volume_extension:services:index',
    async handle({ desk: { db, tools }, query, version }) {
      const host = query.get('host');
      const binary = query.get('binary') ?? query.get('service');
      const found = await listServices(db.read, binary === undefined ? {} : { binary });
      const alive = fromNow(-tools.serviceDownSeconds * 1000);
      return {
        services: found
          .filter((service) => host === undefined || isOf(host, service))
          .map((service) => view.show(service, { alive }, version)),
      };
    },
  }),

  route({
    method: 'PUT',
    path: '/os-services/enable',
    policy: 'volume_extension:services:update',
    body: ServiceBody,
    async handle({ desk, body }) {
      const service = named(body);
      await setServiceStatus(desk, service, { disabled: false, disabledReason: null });
      return { ...changed(service, false), disabled_reason: null };
    },
  }),

  route({
    method: 'PUT',
    path: '/os-services/disable',
    policy: 'volume_extension:services:update',
    body: ServiceBody,
    async handle({ desk, body }) {
      const service = named(body);
      await setServiceStatus(desk, service, { disabled: true, disabledReason: null });
      return changed(service, true);
    },
  }),

  route({
    method: 'PUT',
    path: '/os-services/disable-log-reason',
    policy: 'volume_extension:services:update',
    body: ReasonBody,
    async handle({ desk, body }) {
      const service = named(body);
      const reason = body.disabled_reason.trim();
      await setServiceStatus(desk, service, { disabled: true, disabledReason: reason });
      return { ...changed(service, true), disabled_reason: reason };
    },
  }),
];

interface ServiceName {
  readonly host: string;
  readonly binary: string;
}

function named({
  host,
  binary,
  service,
}: Partial<ServiceName> & { readonly host: string; readonly service?: string }): ServiceName {
  const given = binary ?? service;
  if (given === undefined) throw new InvalidInput('The request body must name the binary of the service.');
  return { host, binary: given };
}

const changed = ({ host, binary }: ServiceName, disabled: boolean): object => ({
  host,
  service: binary,
  binary,
  disabled,
  status: disabled ? 'disabled' : 'enabled',
});

/** `node` names all that runs there: `node@backend`. */
const isOf = (host: string, service: Service): boolean =>
  service.host === host || (!host.includes('@') && service.host.startsWith(`${host}@`));

/** Who was heard of since `alive` is up. */
const view = new Fields<Service, { readonly alive: string }>([
  [OLDEST, 'binary', ({ binary }) => binary],
  [OLDEST, 'host', ({ host }) => host],
  [OLDEST, 'zone', ({ availabilityZone }) => availabilityZone],
  [OLDEST, 'status', ({ disabled, frozen }) => (disabled || frozen ? 'disabled' : 'enabled')],
  [OLDEST, 'state', ({ updatedAt }, { alive }) => (updatedAt > alive ? 'up' : 'down')],
  [OLDEST, 'updated_at', ({ updatedAt }) => updatedAt],
  [OLDEST, 'disabled_reason', ({ disabledReason, frozen }) => disabledReason ?? (frozen ? 'frozen' : null)],
  [CLUSTERS, 'cluster', () => null],
  [OLDEST, 'replication_status', (service) => only(isVolumes(service), 'disabled')],
  [OLDEST, 'active_backend_id', (service) => only(isVolumes(service), null)],
  [OLDEST, 'frozen', (service) => only(isVolumes(service), service.frozen)],
  [BACKEND_STATE, 'backend_state', (service) => only(isVolumes(service), service.failure === null ? 'up' : 'down')],
]);

const isVolumes = ({ binary }: Service): boolean => binary === VOLUME_BINARY;
