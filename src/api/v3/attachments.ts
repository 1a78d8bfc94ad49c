/** `attachments`: to whom volumes are opened, since 3.27. */
import { completeAttachment } from '../../commands/attachments/complete-attachment.ts';
import { createAttachment } from '../../commands/attachments/create-attachment.ts';
import { deleteAttachment } from '../../commands/attachments/delete-attachment.ts';
import { updateAttachment } from '../../commands/attachments/update-attachment.ts';
import { attachmentFor } from '../../commands/find.ts';
import { type AttachmentField, listAttachments } from '../../db/attachments.ts';
import type { ListFilter } from '../../db/sql/list-query.ts';
import { Type } from '../../lib/schema.ts';
import type { AttachMode, Attachment, Connector } from '../../model/attachment.ts';
import { InvalidInput } from '../../model/errors.ts';
import { CLOSED, Maybe, Uuid } from '../body.ts';
import { type FilterTable, filtersOf } from '../filters.ts';
import { ATTACHMENT_COMPLETE, ATTACHMENT_MODE, ATTACHMENTS, OLDEST } from '../microversion.ts';
import { pageOf, projectShown } from '../page.ts';
import { type ApiCall, route } from '../route.ts';
import { attachmentDetail, attachmentSummary } from './attachment-view.ts';

const Mode = Type.Enum(['rw', 'ro']);
const AnyObject = Type.Object({}, { additionalProperties: true });
const Asked = { volume_uuid: Uuid, instance_uuid: Maybe(Uuid), connector: Maybe(AnyObject) } as const;

const CreateBody = Type.Object({ attachment: Type.Object(Asked, CLOSED) }, CLOSED);
const CreateWithModeBody = Type.Object(
  { attachment: Type.Object({ ...Asked, mode: Type.Optional(Mode) }, CLOSED) },
  CLOSED,
);
const SomeConnector = Type.Object({}, { additionalProperties: true, minProperties: 1 });
const UpdateBody = Type.Object({ attachment: Type.Object({ connector: SomeConnector }, CLOSED) }, CLOSED);
const UpdateWithModeBody = Type.Object(
  { attachment: Type.Object({ connector: SomeConnector, mode: Type.Optional(Mode) }, CLOSED) },
  CLOSED,
);

export const ATTACHMENT_FILTERS: FilterTable<AttachmentField> = {
  id: { field: 'id', as: 'word' },
  volume_id: { field: 'volumeId', as: 'word' },
  instance_id: { field: 'instanceId', as: 'word' },
  instance_uuid: { field: 'instanceId', as: 'word' },
  status: { field: 'attachStatus', as: 'word' },
  attach_status: { field: 'attachStatus', as: 'word' },
  attach_mode: { field: 'attachMode', as: 'word' },
  attached_host: { field: 'attachedHost', as: 'text' },
  mountpoint: { field: 'mountpoint', as: 'text' },
  project_id: { field: 'projectId', as: 'word' },
  created_at: { field: 'createdAt', as: 'time' },
};

const SORT_KEYS: Readonly<Record<string, AttachmentField>> = {
  id: 'id',
  volume_id: 'volumeId',
  instance_uuid: 'instanceId',
  attach_status: 'attachStatus',
  attached_host: 'attachedHost',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
};

export const attachments = [
  route({
    method: 'GET',
    path: '/attachments',
    since: ATTACHMENTS,
    policy: '@',
    handle: async (call) => ({ attachments: (await listed(call)).map(attachmentSummary) }),
  }),

  route({
    method: 'GET',
    path: '/attachments/detail',
    since: ATTACHMENTS,
    policy: '@',
    async handle(call) {
      const withSecret = call.may('volume:attachment_update');
      return { attachments: (await listed(call)).map((each) => attachmentDetail(each, { withSecret })) };
    },
  }),

  route({
    method: 'POST',
    path: '/attachments',
    since: ATTACHMENTS,
    policy: 'volume:attachment_create',
    body: [
      [OLDEST, CreateBody],
      [ATTACHMENT_MODE, CreateWithModeBody],
    ],
    async handle({ desk, caller, body, demand }) {
      const { volume_uuid: volumeId, instance_uuid: instanceId, connector } = body.attachment;
      const attachment = await createAttachment(desk, caller, {
        volumeId,
        instanceId: instanceId ?? null,
        connector: connectorOf(connector),
        mode: modeIn(body.attachment),
        demand,
      });
      return { attachment: attachmentDetail(attachment) };
    },
  }),

  route({
    method: 'GET',
    path: '/attachments/:id',
    since: ATTACHMENTS,
    policy: '@',
    async handle({ desk, caller, params, may }) {
      const attachment = await attachmentFor(desk.db.read, caller, params.id);
      return { attachment: attachmentDetail(attachment, { withSecret: may('volume:attachment_update') }) };
    },
  }),

  route({
    method: 'PUT',
    path: '/attachments/:id',
    since: ATTACHMENTS,
    policy: 'volume:attachment_update',
    body: [
      [OLDEST, UpdateBody],
      [ATTACHMENT_MODE, UpdateWithModeBody],
    ],
    async handle({ desk, caller, params, body }) {
      const connector = connectorOf(body.attachment.connector);
      if (connector === null) throw new InvalidInput('The connector is empty.');
      const mode = modeIn(body.attachment);
      return { attachment: attachmentDetail(await updateAttachment(desk, caller, params.id, { connector, mode })) };
    },
  }),

  route({
    method: 'DELETE',
    path: '/attachments/:id',
    since: ATTACHMENTS,
    policy: 'volume:attachment_delete',
    async handle({ desk, caller, params }) {
      const remaining = await deleteAttachment(desk, caller, params.id);
      return { attachments: remaining.map(attachmentSummary) };
    },
  }),

  route({
    method: 'POST',
    path: '/attachments/:id/action',
    action: 'os-complete',
    since: ATTACHMENT_COMPLETE,
    policy: 'volume:attachment_complete',
    status: 204,
    async handle({ desk, caller, params }) {
      await completeAttachment(desk, caller, params.id);
      return undefined;
    },
  }),
];

async function listed(call: ApiCall): Promise<readonly Attachment[]> {
  const filters = filtersOf(call, 'attachment', ATTACHMENT_FILTERS);
  const page = pageOf(call, SORT_KEYS);
  if (filters === undefined || page.limit === 0) return [];
  const projectId = projectShown(call);
  const mine: readonly ListFilter<AttachmentField>[] =
    projectId === undefined ? filters : [...filters, { is: 'equal', field: 'projectId', value: projectId }];
  return listAttachments(call.desk.db, { ...page, filters: mine });
}

/** An empty connector connects nothing. */
function connectorOf(connector: object | null | undefined): Connector | null {
  return connector == null || Object.keys(connector).length === 0 ? null : (connector as Connector);
}

const modeIn = (request: object): AttachMode | null => ('mode' in request ? (request.mode as AttachMode) : null);
