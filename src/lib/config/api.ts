/** `[api]`: the door for HTTP. */
import { Type } from '../schema.ts';
import { positive } from './forms.ts';

export const Api = Type.Object(
  {
    host: Type.String({ minLength: 1, default: '127.0.0.1', description: 'Address to listen on.' }),
    port: Type.Integer({
      minimum: 0,
      maximum: 65535,
      default: 8776,
      description: 'Port to listen on. 0: any free one.',
    }),
    public_endpoint: Type.Optional(
      Type.String({
        pattern: '^https?://',
        form: 'a URL (http://… or https://…)',
        description: 'What links in answers begin with, behind a proxy. Without it: what the client asked for.',
      }),
    ),
    auth_strategy: Type.Enum(['noauth', 'keystone', 'local'], {
      default: 'noauth',
      description:
        'How callers are known. `noauth`: everyone is who they say they are, and an administrator. `keystone`: a Keystone is asked. `local`: by the users in [identity], who get tokens at `/identity/v3`.',
    }),
    listen_beyond_loopback: Type.Boolean({
      default: false,
      description: 'Must be true for `noauth` on an address that other machines can reach.',
    }),
    enforce_new_defaults: Type.Boolean({
      default: true,
      description:
        'Whether reading takes the role reader and changing the role member. `false`: any role in the owning project will do.',
    }),
    project_id_regex: Type.String({
      minLength: 1,
      default: '[0-9a-f\\-]+',
      description: 'What a project id in a path looks like.',
    }),
    rpc_response_timeout: Type.Integer({
      minimum: 0,
      default: 60,
      description: 'Seconds a request waits for the end of what it began, where its answer tells of it.',
    }),
    osapi_max_limit: Type.Integer({ ...positive, default: 1000, description: 'Most rows in one page of a list.' }),
    osapi_max_request_body_size: Type.Integer({
      minimum: 1024,
      default: 114688,
      description: 'Longest body of a request, bytes.',
    }),
    client_request_timeout: Type.Integer({
      ...positive,
      default: 30,
      description: 'Seconds a client may take to send a request, its body included.',
    }),
    max_connections: Type.Integer({
      ...positive,
      default: 4096,
      description: 'Connections at once, of each process; one more is closed as it comes.',
    }),
    rate_limit_per_minute: Type.Integer({
      minimum: 0,
      default: 0,
      description: 'Requests a project may make a minute in the long run, of each process. 0: any number.',
    }),
    rate_limit_burst: Type.Integer({
      ...positive,
      default: 100,
      description: 'Requests a project may make at once, where requests are limited.',
    }),
  },
  { description: 'The door for HTTP.' },
);
