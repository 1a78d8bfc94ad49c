/** `messages`: why operations of a project failed, in words for its users. */
import { deleteMessage } from '../../commands/delete-message.ts';
import { messageFor } from '../../commands/find.ts';
import { listMessages, type Message, type MessageField } from '../../db/messages.ts';
import type { ListFilter } from '../../db/sql/list-query.ts';
import { type FilterTable, filtersOf } from '../filters.ts';
import type { Links } from '../links.ts';
import { MESSAGES, PAGED_MESSAGES } from '../microversion.ts';
import { nextLinks, type PageQuery, pageOf, projectShown } from '../page.ts';
import { type ApiCall, route } from '../route.ts';

export const MESSAGE_FILTERS: FilterTable<MessageField> = {
  id: { field: 'id', as: 'word' },
  resource_uuid: { field: 'resourceId', as: 'word' },
  resource_type: { field: 'resourceType', as: 'word' },
  event_id: { field: 'eventId', as: 'word' },
  request_id: { field: 'requestId', as: 'word' },
  message_level: { field: 'level', as: 'word' },
  project_id: { field: 'projectId', as: 'word' },
  created_at: { field: 'createdAt', as: 'time' },
  guaranteed_until: { field: 'expiresAt', as: 'time' },
};

const SORT_KEYS: Readonly<Record<string, MessageField>> = {
  id: 'id',
  resource_uuid: 'resourceId',
  resource_type: 'resourceType',
  event_id: 'eventId',
  request_id: 'requestId',
  message_level: 'level',
  created_at: 'createdAt',
  guaranteed_until: 'expiresAt',
};

export const messages = [
  route({
    method: 'GET',
    path: '/messages',
    since: MESSAGES,
    policy: 'message:get_all',
    async handle(call) {
      const page = wantedPage(call);
      const filters = wanted(call);
      const found =
        filters === undefined || page.limit === 0 ? [] : await listMessages(call.desk.db, { ...page, filters });
      const links = nextLinks(call, '/messages', page, { length: found.length, last: found.at(-1)?.id });
      return {
        messages: found.map((message) => view(message, call.links)),
        ...(call.version >= PAGED_MESSAGES && links.length > 0 && { messages_links: links }),
      };
    },
  }),

  route({
    method: 'GET',
    path: '/messages/:id',
    since: MESSAGES,
    policy: 'message:get',
    async handle({ desk, caller, params, links }) {
      return { message: view(await messageFor(desk.db.read, caller, params.id), links) };
    },
  }),

  route({
    method: 'DELETE',
    path: '/messages/:id',
    since: MESSAGES,
    policy: 'message:delete',
    status: 204,
    async handle({ desk, caller, params }) {
      await deleteMessage(desk, caller, params.id);
      return undefined;
    },
  }),
];

/** Below 3.5 a query says nothing about pages. */
function wantedPage(call: ApiCall): PageQuery<MessageField> {
  return call.version >= PAGED_MESSAGES ? pageOf(call, SORT_KEYS) : { limit: call.desk.config.api.osapi_max_limit };
}

function wanted(call: ApiCall): readonly ListFilter<MessageField>[] | undefined {
  const filters = call.version >= PAGED_MESSAGES ? filtersOf(call, 'message', MESSAGE_FILTERS) : [];
  const projectId = projectShown(call);
  if (filters === undefined || projectId === undefined) return filters;
  return [...filters, { is: 'equal', field: 'projectId', value: projectId }];
}

function view(message: Message, { prefix, bookmark }: Links): object {
  return {
    id: message.id,
    event_id: message.eventId,
    user_message: message.text,
    message_level: message.level,
    created_at: message.createdAt,
    guaranteed_until: message.expiresAt,
    request_id: message.requestId,
    resource_type: message.resourceType,
    resource_uuid: message.resourceId,
    links: [
      { rel: 'self', href: `${prefix}/messages/${message.id}` },
      { rel: 'bookmark', href: `${bookmark}/messages/${message.id}` },
    ],
  };
}
