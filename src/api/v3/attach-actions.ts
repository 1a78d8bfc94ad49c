/** Attaching as it was before 3.27, step by step: actions of volumes. */
import { attachVolume } from '../../commands/attachments/attach-volume.ts';
import { beginDetaching, rollDetaching } from '../../commands/attachments/begin-detaching.ts';
import { detachVolume, forceDetachVolume } from '../../commands/attachments/detach-volume.ts';
import { initializeConnection } from '../../commands/attachments/initialize-connection.ts';
import { terminateConnection } from '../../commands/attachments/terminate-connection.ts';
import { reserveVolume, unreserveVolume } from '../../commands/attachments/volume-reservation.ts';
import { Type } from '../../lib/schema.ts';
import type { Connector } from '../../model/attachment.ts';
import { InvalidInput } from '../../model/errors.ts';
import { CLOSED, Maybe, Text255, Uuid } from '../body.ts';
import { route } from '../route.ts';
import { connectionOf } from './attachment-view.ts';

const action = { method: 'POST', path: '/volumes/:id/action', status: 202 } as const;
const actionRule = <const Name extends string>(name: Name) => `volume_extension:volume_actions:${name}` as const;

const AnyObject = Type.Object({}, { additionalProperties: true });

const AttachBody = Type.Object(
  {
    instance_uuid: Maybe(Uuid),
    host_name: Maybe(Text255),
    mountpoint: Type.String({ minLength: 1, maxLength: 255 }),
    mode: Maybe(Type.Enum(['rw', 'ro'])),
  },
  CLOSED,
);

export const attachActions = [
  route({
    ...action,
    action: 'os-reserve',
    policy: actionRule('reserve'),
    async handle({ desk, caller, params }) {
      await reserveVolume(desk, caller, params.id);
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-unreserve',
    policy: actionRule('unreserve'),
    async handle({ desk, caller, params }) {
      await unreserveVolume(desk, caller, params.id);
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-begin_detaching',
    policy: actionRule('begin_detaching'),
    async handle({ desk, caller, params }) {
      await beginDetaching(desk, caller, params.id);
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-roll_detaching',
    policy: actionRule('roll_detaching'),
    async handle({ desk, caller, params }) {
      await rollDetaching(desk, caller, params.id);
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-attach',
    policy: actionRule('attach'),
    body: AttachBody,
    async handle({ desk, caller, params, body }) {
      const { instance_uuid: instanceId, host_name: hostName, mountpoint, mode } = body;
      if ((instanceId == null) === (hostName == null))
        throw new InvalidInput('A volume is attached either to a server (instance_uuid) or to a host (host_name).');
      await attachVolume(desk, caller, params.id, {
        instanceId: instanceId ?? null,
        hostName: hostName ?? null,
        mountpoint,
        mode: mode ?? null,
      });
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-detach',
    policy: actionRule('detach'),
    body: Maybe(Type.Object({ attachment_id: Maybe(Uuid) }, CLOSED)),
    async handle({ desk, caller, params, body }) {
      await detachVolume(desk, caller, params.id, body?.attachment_id ?? null);
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-force_detach',
    policy: 'volume_extension:volume_admin_actions:force_detach',
    body: Maybe(Type.Object({ attachment_id: Maybe(Uuid), connector: Maybe(AnyObject) }, CLOSED)),
    async handle({ desk, caller, params, body }) {
      const { attachment_id: attachmentId, connector } = body ?? {};
      await forceDetachVolume(desk, caller, params.id, {
        attachmentId: attachmentId ?? null,
        connector: named(connector),
      });
      return undefined;
    },
  }),

  route({
    ...action,
    status: 200,
    action: 'os-initialize_connection',
    policy: actionRule('initialize_connection'),
    body: Type.Object({ connector: AnyObject }, CLOSED),
    async handle({ desk, caller, params, body }) {
      const connector = named(body.connector);
      if (connector === null) throw new InvalidInput('The connector is empty.');
      return { connection_info: connectionOf(await initializeConnection(desk, caller, params.id, connector)) };
    },
  }),

  route({
    ...action,
    action: 'os-terminate_connection',
    policy: actionRule('terminate_connection'),
    body: Type.Object({ connector: Maybe(AnyObject) }, CLOSED),
    async handle({ desk, caller, params, body }) {
      await terminateConnection(desk, caller, params.id, named(body.connector));
      return undefined;
    },
  }),
];

/** An empty connector names none. */
function named(connector: object | null | undefined): Connector | null {
  return connector == null || Object.keys(connector).length === 0 ? null : (connector as Connector);
}
