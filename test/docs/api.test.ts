import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { isServed, reasonOf } from '../../scripts/print-api.ts';
import { openApi } from '../../scripts/print-openapi.ts';
import { LONG_TEXT } from '../../src/api/long-text.ts';
import { endpoints } from '../api/endpoints.ts';
import { everyOwnRoute, everyRoute } from '../api/every-route.ts';

interface Parameter {
  readonly name?: string;
  readonly $ref?: string;
}

interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: object } } };
  readonly parameters?: readonly { readonly name: string; readonly schema: object }[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

type PathItem = { readonly parameters: readonly Parameter[] } & Readonly<Record<string, Operation>>;

const document = openApi();
const paths = Object.entries(document.paths as Readonly<Record<string, PathItem>>);
const operations = paths.flatMap(([, item]) =>
  Object.values(item).filter((each): each is Operation => 'responses' in each),
);

describe('the page of the API', () => {
  test('says of each call that is not served why', () => {
    const silent = endpoints.filter((endpoint) => !isServed(endpoint) && reasonOf(endpoint) === undefined);
    assert.deepEqual(
      silent.map(({ id, method, path, action }) => [id, method, path, action].join(' ')),
      [],
    );
  });
});

describe('the page of our own API', () => {
  test('has a row for each route, with its rule', () => {
    const rows = readFileSync('docs/own-api.md', 'utf8').matchAll(
      /^\| (\w+) `([^`]+)`(?: `([^`]+)`)? \| `([^`]+)` \|/gm,
    );
    const told = [...rows].map(([, ...cells]) => cells.map((cell = '') => cell).join(' '));
    const served = everyOwnRoute.map(({ method, path, action = '', policy }) =>
      [method, `/pumice/v1${path.replaceAll(/:(\w+)/g, '{$1}')}`, action, policy].join(' '),
    );
    assert.deepEqual(told.sort(), served.sort());
  });
});

describe('the description for programs', () => {
  test('has every route', () => {
    const described = paths.flatMap(([path, item]) =>
      Object.keys(item)
        .filter((name) => name !== 'parameters' && name !== 'servers')
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served = new Set(
      everyRoute.map(({ root, method, path }) => {
        const whole = `${root === '/v3' ? '' : root}${path}`;
        return `${method} ${whole.replaceAll(/:(\w+)/g, '{$1}')}`;
      }),
    );
    assert.deepEqual(described.sort(), [...served].sort());
  });

  test('names each operation once, and each part of its path', () => {
    const ids = operations.map(({ operationId }) => operationId);
    assert.deepEqual(ids, [...new Set(ids)]);
    for (const [path, { parameters }] of paths) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      assert.deepEqual(
        parameters.flatMap(({ name }) => name ?? []),
        inPath,
        path,
      );
    }
  });

  test('refers to nothing that is not in it', () => {
    const text = JSON.stringify(document);
    const found = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
    assert.ok(found.length > 0);
    for (const path of new Set(found)) {
      const target = path.split('/').reduce<unknown>((node, key) => (node as Record<string, unknown>)?.[key], document);
      assert.notEqual(target, undefined, path);
    }
  });

  test('holds schemas of JSON Schema 2020-12', () => {
    const ajv = new Ajv2020({
      strict: true,
      strictTypes: false,
      strictRequired: false,
      allowMatchingProperties: true,
      formats: { uuid: true, [LONG_TEXT]: true },
    });
    for (const word of ['x-openstack-min-version', 'x-openstack-policy']) ajv.addKeyword(word);
    for (const { operationId, requestBody, parameters = [], responses } of operations) {
      const schemas = [
        ...(requestBody === undefined ? [] : [requestBody.content['application/json'].schema]),
        ...parameters.map(({ schema }) => schema),
        ...Object.values(responses).flatMap(({ content = {} }) => Object.values(content).map(({ schema }) => schema)),
      ];
      for (const schema of schemas)
        assert.doesNotThrow(() => ajv.compile(JSON.parse(JSON.stringify(schema))), operationId);
    }
  });

  test('has what is answered to each call of our own', () => {
    const silent = everyOwnRoute.filter(
      ({ status, answer, mediaType }) => status !== 204 && answer === undefined && mediaType === undefined,
    );
    assert.deepEqual(
      silent.map(({ method, path }) => `${method} ${path}`),
      [],
    );
  });
});
