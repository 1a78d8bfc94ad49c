/** `[keystone]`: the Keystone that is asked who callers are. */
import { Type } from '../schema.ts';
import { names, positive } from './forms.ts';

export const KeystoneService = Type.Object(
  {
    auth_url: Type.Optional(
      Type.String({
        pattern: '^https?://',
        form: 'a URL (http://… or https://…)',
        description: 'Where it answers. Must be given for `auth_strategy = "keystone"`.',
      }),
    ),
    www_authenticate_uri: Type.Optional(
      Type.String({
        pattern: '^https?://',
        form: 'a URL (http://… or https://…)',
        description: 'Where clients are sent for a token. Without it: `auth_url`.',
      }),
    ),
    username: Type.Optional(Type.String({ minLength: 1, description: 'The user that asks it about tokens.' })),
    password: Type.Optional(Type.String({ minLength: 1, secret: true, description: "That user's password." })),
    user_domain_name: Type.String({ minLength: 1, default: 'Default', description: "That user's domain." }),
    project_name: Type.String({
      minLength: 1,
      default: 'service',
      description: 'The project in which that user asks.',
    }),
    project_domain_name: Type.String({ minLength: 1, default: 'Default', description: "That project's domain." }),
    application_credential_id: Type.Optional(
      Type.String({ minLength: 1, description: 'An application credential, in place of user and password.' }),
    ),
    application_credential_secret: Type.Optional(
      Type.String({ minLength: 1, secret: true, description: 'The secret of that credential.' }),
    ),
    cafile: Type.Optional(
      Type.String({
        minLength: 1,
        path: '',
        description: 'Certificates (PEM) that vouch for it over https. Without it: those that come with Node.',
      }),
    ),
    http_request_timeout: Type.Integer({
      ...positive,
      default: 10,
      description: 'Seconds it may take to answer before the caller is told that it is not available.',
    }),
    token_cache_time: Type.Integer({
      minimum: 0,
      default: 300,
      description: 'Seconds a token is believed without asking again: a revoked one works as long.',
    }),
    service_type: Type.String({
      minLength: 1,
      default: 'volumev3',
      description:
        'What access rules of application credentials call this service. All names of block storage (`block-storage`, `volumev3`, …) count as one.',
    }),
    service_token_roles: Type.Array(names, {
      default: ['service'],
      description: 'Roles by which a service token counts as that of a service.',
    }),
    service_token_roles_required: Type.Boolean({
      default: true,
      description: 'Refuse a service token that has none of those roles.',
    }),
  },
  { description: 'The Keystone of `auth_strategy = "keystone"`.' },
);
