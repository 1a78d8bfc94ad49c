/**
 * Prints `docs/api.md`: every call of the Block Storage API with what is served of it, from the table of routes and the list
 * of all calls there are. A test fails when it differs, and when a call is missing without a reason.
 */
import { bodiesByVersion } from '../src/api/body.ts';
import * as microversions from '../src/api/microversion.ts';
import type { Route } from '../src/api/route.ts';
import { routes } from '../src/api/routes.ts';
import * as errors from '../src/model/errors.ts';
import { type Endpoint, endpoints } from '../test/api/endpoints.ts';

const PREFACE = `# API

Printed from \`src/api/routes.ts\` and \`test/api/endpoints.ts\` by \`npm run docs\`; edit it there. For programs:
[openapi.json](openapi.json), with the whole schema of each body.

All paths stand below \`/v3\` and below \`/v3/{project_id}\`. *since* is the microversion below which there is nothing. *policy* is the
rule of Cinder that says who may. Bodies are below each table as shapes: \`name?\` may be left out or be null, \`…\` is whatever
else is sent and not looked at.

Lists are filtered by names in the query. A *name*, a *description* and other text of yours is compared as it stands, whatever it
looks like: \`name=[prod]\` finds \`[prod]\`. An id, a status, a zone may be one word, \`None\` for rows without one, or a list as Python
writes it: \`status=['available', 'error']\`. From 3.34 on \`name~=part\` finds a part of a text. \`GET /resource_filters\` tells what
others than administrators may filter by; for administrators a name that means nothing finds nothing.
`;

/** Why a call is not served: the first pattern that it fits. */
const REASONS: readonly (readonly [call: RegExp, reason: string])[] = [];

/** What else is to be known of a call that is served. */
const REMARKS: readonly (readonly [call: RegExp, remark: string])[] = [
  [
    /action os-extend_volume_completion/,
    'no backend here waits for compute to extend a volume, attached or not, so that there is never one to complete: 400',
  ],
];

export function apiMarkdown(): string {
  const served = endpoints.filter(isServed).length;
  return [
    PREFACE,
    `Of ${endpoints.length} calls ${served} are served.\n`,
    ...[...Map.groupBy(endpoints, resourceOf)].flatMap(([resource, calls]) => section(resource, calls)),
    alsoServed(),
    microversionTable(),
    errorTable(),
  ].join('\n');
}

/** A call that is neither served nor has a reason not to be has none. */
export const reasonOf = (endpoint: Endpoint): string | undefined => fitting(REASONS, endpoint);

function fitting(texts: typeof REASONS, { method, path, action }: Endpoint): string | undefined {
  const call = [method, path, action ?? []].flat().join(' ');
  return texts.find(([pattern]) => pattern.test(call))?.[1];
}

function stateOf(endpoint: Endpoint): string {
  const remark = fitting(REMARKS, endpoint);
  return remark === undefined ? 'done' : `done; ${remark}`;
}

export const isServed = (endpoint: Endpoint): boolean => endpoint.open === true || routeOf(endpoint) !== undefined;

const resourceOf = ({ path, open }: Endpoint): string => (open ? 'No version needed' : (path.split('/')[1] ?? ''));

/** Whatever a name in the path is called. */
const keyOf = ({ method, path, action }: Pick<Route, 'method' | 'path' | 'action'> | Endpoint): string =>
  `${method} ${path.replaceAll(/:\w+/g, ':')} ${action ?? ''}`;

const byKey = new Map(routes.map((route) => [keyOf(route), route]));
const routeOf = (endpoint: Endpoint): Route | undefined => byKey.get(keyOf(endpoint));

function section(resource: string, calls: readonly Endpoint[]): string[] {
  const rows = calls.map((endpoint) => {
    const { id, method, path, action, since, status } = endpoint;
    const route = routeOf(endpoint);
    const call = shownCall(method, path, action);
    if (endpoint.open) return `| ${id} | ${call} | | | ${status} | done |`;
    if (route !== undefined) return `| ${id} | ${call} | ${cellsOf(route)} | ${stateOf(endpoint)} |`;
    return `| ${id} | ${call} | ${versionOf(since)} | | ${status} | ${reasonOf(endpoint) ?? '**nobody knows why**'} |`;
  });
  return [
    `## ${resource}\n`,
    `| | call | since | policy | answer | state |\n|---|---|---|---|---|---|\n${rows.join('\n')}\n`,
    ...bodiesOf(calls.flatMap((endpoint) => routeOf(endpoint) ?? [])),
  ];
}

function alsoServed(): string {
  const known = new Set(endpoints.map(keyOf));
  const beside = routes.filter((route) => !known.has(keyOf(route)));
  const rows = beside.map((route) => `| ${shownCall(route.method, route.path, route.action)} | ${cellsOf(route)} |`);
  return [
    '## Served beside these\n',
    `| call | since | policy | answer |\n|---|---|---|---|\n${rows.join('\n')}\n`,
    ...bodiesOf(beside),
  ].join('\n');
}

const cellsOf = ({ since, policy, status = 200 }: Route): string => `${versionOf(since)} | \`${policy}\` | ${status}`;

const shownCall = (method: string, path: string, action: string | undefined): string =>
  `${method} \`${path.replaceAll(/:(\w+)/g, '{$1}')}\`${action === undefined ? '' : ` \`${action}\``}`;

const versionOf = (since = 0): string => (since === 0 ? '' : `3.${since}`);

// ── Bodies

function bodiesOf(some: readonly Route[]): readonly string[] {
  const lines = some.flatMap((route) => {
    if (route.body === undefined) return [];
    const [[, first], ...later] = bodiesByVersion(route.body) as readonly [Version, ...Version[]];
    const changes = later.flatMap(([since, schema], index) => {
      const before = index === 0 ? first : later[index - 1]?.[1];
      const text = difference(before as Schema, schema as Schema);
      return text === '' ? [] : [`  - from 3.${since} ${text}`];
    });
    return [`- ${shownCall(route.method, route.path, route.action)} \`${shapeOf(first as Schema)}\``, ...changes];
  });
  return lines.length === 0 ? [] : [`${lines.join('\n')}\n`];
}

type Version = ReturnType<typeof bodiesByVersion>[number];

/** The part of JSON Schema that is used here. */
interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
}

/** What null may stand for is the same as nothing, so it is not told. */
function shapeOf(schema: Schema): string {
  if (schema.anyOf !== undefined)
    return [...new Set(schema.anyOf.filter(({ type }) => type !== 'null').map(shapeOf))].join(' | ');
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === 'array') return `[${shapeOf(schema.items ?? {})}, …]`;
  if (schema.type === 'object') return objectShape(schema);
  return schema.format ?? schema.type ?? 'anything';
}

function objectShape(schema: Schema): string {
  const { properties = {}, required = [], patternProperties = {} } = schema;
  const named = Object.entries(properties).map(
    ([name, value]) => `${name}${required.includes(name) ? '' : '?'}: ${shapeOf(value)}`,
  );
  const patterned = Object.values(patternProperties).map((value) => `[name]: ${shapeOf(value)}`);
  return `{${[...named, ...patterned, ...(isOpen(schema) ? ['…'] : [])].join(', ')}}`;
}

const isOpen = ({ additionalProperties, patternProperties }: Schema): boolean =>
  additionalProperties !== false && patternProperties === undefined;

/** What a later body takes beside an earlier one, and no more. */
function difference(before: Schema, after: Schema): string {
  const was = namesIn(before);
  const is = namesIn(after);
  const also = [...is].filter(([path]) => !was.has(path)).map(([path, shape]) => `\`${path}: ${shape}\``);
  const other = [...is].filter(([path, shape]) => was.has(path) && was.get(path) !== shape);
  const gone = [...was.keys()].filter((path) => !is.has(path)).map((path) => `no \`${path}\``);
  const changed = other.map(([path, shape]) => `\`${path}: ${shape}\` instead`);
  const parts = [...(also.length > 0 ? [`also ${also.join(', ')}`] : []), ...changed, ...gone];
  if (anyOpen(before) && !anyOpen(after)) parts.push('nothing that is not named');
  return parts.join('; ');
}

/** `volume.size` → its shape. */
function namesIn({ properties = {} }: Schema, above = ''): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(properties).flatMap(([name, value]): readonly (readonly [string, string])[] =>
      value.properties === undefined ? [[`${above}${name}`, shapeOf(value)]] : [...namesIn(value, `${above}${name}.`)],
    ),
  );
}

const anyOpen = (schema: Schema): boolean =>
  schema.type === 'object' && (isOpen(schema) || Object.values(schema.properties ?? {}).some(anyOpen));

// ── Versions and errors

function microversionTable(): string {
  const named = Object.entries(microversions)
    .flatMap(([name, version]) => (typeof version === 'number' ? [{ name, version }] : []))
    .filter(({ name }) => name !== 'OLDEST' && name !== 'NEWEST')
    .sort((a, b) => a.version - b.version);
  const rows = [...Map.groupBy(named, ({ version }) => version)].map(
    ([version, brings]) => `| 3.${version} | ${brings.map(({ name }) => wordsOf(name)).join(', ')} |`,
  );
  return `## Microversions\n\nThe versions that \`src/api/microversion.ts\` knows by name; a client may ask for any from 3.0 to 3.71.\n\n| from | brings |\n|---|---|\n${rows.join('\n')}\n`;
}

const wordsOf = (constant: string): string => constant.toLowerCase().replaceAll('_', ' ');

function errorTable(): string {
  const rows = Object.values(errors)
    .filter((each) => each !== errors.PumiceError)
    .map((each) => Reflect.construct(each, ['']) as errors.PumiceError)
    .map(({ name, status, fault }) => ({ name, status, fault }))
    .sort((a, b) => a.status - b.status || (a.name < b.name ? -1 : 1))
    .map(({ name, status, fault }) => `| ${status} | \`${fault}\` | ${name} |`);
  return `## Errors\n\nA fault is \`{"<fault>": {"code", "message"}}\`.\n\n| status | fault | error |\n|---|---|---|\n${rows.join('\n')}\n`;
}
