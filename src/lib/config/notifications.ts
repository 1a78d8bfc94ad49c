/** `[notifications]`: events for other programs. */
import { Type } from '../schema.ts';
import { names, positive } from './forms.ts';

export const Notifications = Type.Object(
  {
    drivers: Type.Array(Type.Enum(['file', 'amqp']), {
      uniqueItems: true,
      default: [],
      description: 'Where events go: `file` appends lines to a file, `amqp` publishes as oslo.messaging does.',
    }),
    file: Type.String({
      minLength: 1,
      default: '$data_directory/notifications.jsonl',
      path: '',
      description: 'The file of driver `file`.',
    }),
    amqp_url: Type.Optional(
      Type.String({
        pattern: '^amqps?://',
        form: 'a URL (amqp://… or amqps://…)',
        secret: true,
        description: 'The broker of driver `amqp`.',
      }),
    ),
    amqp_durable_queues: Type.Boolean({
      default: false,
      description:
        'Whether an exchange or a queue that is missing is declared durable, as consumers do with the option of the same name: where they differ, who comes later is refused. What is there is used as it is.',
    }),
    topics: Type.Array(names, {
      minItems: 1,
      default: ['notifications'],
      description: 'Topics to publish to; `.info` or `.error` is added.',
    }),
    retention_days: Type.Integer({
      ...positive,
      default: 7,
      description: 'Days an event is kept, for pages that reconnect; longer while a sink has not taken it.',
    }),
  },
  { description: 'Events for other programs.' },
);
