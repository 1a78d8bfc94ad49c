/** `[webhooks.NAME]`: addresses that events are posted to. */
import { Type } from '../schema.ts';

const KEY = '(whsec_)?[A-Za-z0-9+/]{32,86}={0,2}';

export const Webhook = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://[^\\s/?#@]+(/[^\\s#]*)?$',
      form: 'a URL without a name or password (http://… or https://…)',
      description: 'Where events are posted to.',
    }),
    secret: Type.String({
      pattern: `^${KEY}( ${KEY})?$`,
      form: '24 to 64 bytes in base64, with whsec_ before them; or two such, separated by a blank',
      secret: true,
      description:
        'The key of signatures, which the receiver has too: `echo whsec_$(openssl rand -base64 32)`. With two, each event is signed by both, until every receiver has the new one.',
    }),
    types: Type.Array(
      Type.String({ pattern: '^[a-z_]+(\\.[a-z_]+)*$', form: 'types of events, or their beginnings' }),
      {
        uniqueItems: true,
        default: [],
        description: 'Which events are posted: `volume` stands for all that begin with `volume.`. None: all.',
      },
    ),
    ca_certificates_file: Type.Optional(
      Type.String({
        minLength: 1,
        path: '',
        description: 'Certificates (PEM) to trust in place of those that come with Node.',
      }),
    ),
  },
  { description: 'An address that events are posted to ([webhooks](webhooks.md)).' },
);
