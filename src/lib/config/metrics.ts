/** `[metrics]`: figures for Prometheus. */
import { Type } from '../schema.ts';

export const Metrics = Type.Object(
  {
    enabled: Type.Boolean({
      default: false,
      description: 'Whether what the service does is counted, and told at `/metrics` of the address below.',
    }),
    host: Type.String({
      minLength: 1,
      default: '127.0.0.1',
      description: 'Address to listen on for those who scrape. One that other machines can reach needs a token.',
    }),
    port: Type.Integer({
      minimum: 0,
      maximum: 65535,
      default: 9776,
      description: 'Port to listen on for them. 0: any free one, which the log tells.',
    }),
    bearer_token: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9._~+/=-]+$',
        form: 'letters, digits and any of . _ ~ + / = -',
        secret: true,
        description: 'What must come with each scrape, as `Authorization: Bearer TOKEN`.',
      }),
    ),
    openstack_all_volumes: Type.Boolean({
      default: false,
      description:
        'Whether `/metrics/openstack` has series of each volume. Otherwise of those alone whose status is an error.',
    }),
  },
  { description: 'Figures for Prometheus ([monitoring.md](monitoring.md)).' },
);
