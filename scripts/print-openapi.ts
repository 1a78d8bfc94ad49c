/**
 * Prints `docs/openapi.json` from the tables of routes: OpenAPI 3.1, whose schemas are JSON Schema 2020-12.
 *
 * OpenAPI knows neither microversions nor actions. A body that differs by version is any of its versions', each titled with the
 * first that takes it; the actions of a path are any of the objects with one key. What Cinder says and OpenAPI has no word
 * for stands under `x-openstack-…`. The routes of our own API stand below the root of the server.
 */
import { readFileSync } from 'node:fs';
import { bodiesByVersion } from '../src/api/body.ts';
import { NEWEST, OLDEST, versionText } from '../src/api/microversion.ts';
import { sessionRoutes } from '../src/api/page/session-routes.ts';
import { ownRoutes } from '../src/api/pumice/own-routes.ts';
import type { Route } from '../src/api/route.ts';
import { routes } from '../src/api/routes.ts';

type Node = Readonly<Record<string, unknown>>;

const { version, license } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

export function openApiJson(): string {
  return `${JSON.stringify(openApi(), undefined, 2)}\n`;
}

export function openApi(): Node {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Pumice, Block Storage API v3',
      summary:
        'The Block Storage API of OpenStack, microversions 3.0 to 3.71, as far as it is served, and an API of its own beside it.',
      version,
      license: { name: license, identifier: license },
    },
    servers: [
      { url: 'http://127.0.0.1:8776/v3' },
      {
        url: 'http://127.0.0.1:8776/v3/{project_id}',
        variables: { project_id: { default: 'demo', description: 'Must be the project of the token.' } },
      },
    ],
    security: [{ token: [] }],
    paths: paths(),
    components: {
      securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } },
      parameters: { version: VERSION_HEADER },
      responses: { fault: FAULT },
    },
  };
}

const VERSION_HEADER: Node = {
  name: 'OpenStack-API-Version',
  in: 'header',
  description: `The microversion: \`volume ${versionText(OLDEST)}\` (the default) to \`volume ${versionText(NEWEST)}\`, or \`volume latest\`.`,
  schema: { type: 'string', examples: [`volume ${versionText(NEWEST)}`] },
};

const FAULT: Node = {
  description: 'What went wrong: one key, the name of the fault.',
  content: {
    'application/json': {
      schema: {
        type: 'object',
        minProperties: 1,
        maxProperties: 1,
        additionalProperties: {
          type: 'object',
          required: ['code', 'message'],
          properties: { code: { type: 'integer' }, message: { type: 'string' }, retryAfter: { type: 'string' } },
        },
      },
    },
  },
};

const OWN = '/pumice/v1';
const OWN_SERVERS: readonly Node[] = [{ url: 'http://127.0.0.1:8776' }];

function paths(): Node {
  const own = [...ownRoutes, ...sessionRoutes(nobody)].map((route) => ({ ...route, path: `${OWN}${route.path}` }));
  return {
    ...pathsOf(routes, { parameters: [{ $ref: '#/components/parameters/version' }] }),
    ...pathsOf(own, { servers: OWN_SERVERS }),
  };
}

/** Routes are described, not asked. */
function nobody(): never {
  throw new Error('No session is wanted.');
}

function pathsOf(
  table: readonly Route[],
  { servers, parameters = [] }: { readonly servers?: readonly Node[]; readonly parameters?: readonly Node[] },
): Node {
  const byPath = Map.groupBy(table, ({ path }) => path.replaceAll(/:(\w+)/g, '{$1}'));
  return Object.fromEntries(
    [...byPath].map(([path, ofPath]) => [
      path,
      {
        ...(servers && { servers }),
        parameters: [...namedIn(path), ...parameters],
        ...Object.fromEntries(
          [...Map.groupBy(ofPath, ({ method }) => method.toLowerCase())].map(([method, ofMethod]) => [
            method,
            operation(method, path, ofMethod as [Route, ...Route[]]),
          ]),
        ),
      },
    ]),
  );
}

const namedIn = (path: string): readonly Node[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', minLength: 1 },
  }));

function operation(method: string, path: string, sharing: readonly [Route, ...Route[]]): Node {
  const [first] = sharing;
  const body = first.action === undefined ? bodySchema(first) : { anyOf: sharing.map(actionSchema) };
  return {
    operationId: [method, ...path.matchAll(/\w[\w-]*/g)].join('-'),
    tags: [path.split('/')[1]],
    ...(first.action === undefined && described(first)),
    ...(first.open && { security: [] }),
    ...(first.query && { parameters: queried(first.query) }),
    ...(body !== undefined && { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: {
      ...Object.fromEntries(sharing.map((route) => [String(route.status ?? 200), answer(route)])),
      default: { $ref: '#/components/responses/fault' },
    },
  };
}

const described = ({ path, since = OLDEST, policy }: Route): Node => ({
  ...(!path.startsWith(OWN) && { 'x-openstack-min-version': versionText(since) }),
  'x-openstack-policy': policy,
});

function actionSchema(route: Route): Node {
  const name = route.action ?? '';
  return {
    title: name,
    type: 'object',
    required: [name],
    properties: { [name]: bodySchema(route) ?? {} },
    additionalProperties: false,
    ...described(route),
  };
}

function bodySchema({ body }: Route): Node | undefined {
  if (body === undefined) return undefined;
  const versions = bodiesByVersion(body).map(([since, schema]) => ({ title: `from ${versionText(since)}`, ...schema }));
  const [only] = versions;
  return versions.length > 1 ? { anyOf: versions } : (only as Node);
}

function queried({ properties = {} }: { readonly properties?: Readonly<Record<string, unknown>> }): readonly Node[] {
  return Object.entries(properties).map(([name, schema]) => {
    const { description, ...form } = schema as Node;
    return { name, in: 'query', ...(description !== undefined && { description }), schema: form };
  });
}

const answer = ({ status, mediaType = 'application/json', answer: schema = {} }: Route): Node =>
  status === 204 ? { description: 'Done.' } : { description: 'Done.', content: { [mediaType]: { schema } } };
