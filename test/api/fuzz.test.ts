/**
 * Every route, asked well and badly: never a 500, and nothing changed by a request that was refused.
 *
 * The routes are those of the table, so one that is added is asked too. Bodies are made from its schemas, ids from rows that
 * exist and from nonsense, query strings from names that mean something somewhere.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { bodiesByVersion } from '../../src/api/body.ts';
import { NEWEST } from '../../src/api/microversion.ts';
import { insertAttachment } from '../../src/db/attachments.ts';
import { insertBackup } from '../../src/db/backups.ts';
import { setDefaultType } from '../../src/db/default-types.ts';
import { insertGroupType } from '../../src/db/group-types.ts';
import { insertMessage } from '../../src/db/messages.ts';
import { insertQosSpecs } from '../../src/db/qos-specs.ts';
import { type Heartbeat, recordHeartbeat } from '../../src/db/services.ts';
import { insertTransfer } from '../../src/db/transfers.ts';
import { insertTypeEncryption } from '../../src/db/type-encryption.ts';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { fromNow, uuid } from '../../src/lib/clock.ts';
import { newAuthKey } from '../../src/model/auth-key.ts';
import { beginFlow } from '../cli/begin-flow.ts';
import { baseFor, callOf, everyRoute, type PlacedRoute } from './every-route.ts';
import { beat, pool } from './heartbeats.ts';
import { identityWorld } from './identity-world.ts';
import { fitting, type Hints, junk, wild } from './schema-values.ts';
import { dump, freshWorld, PROJECT, USER, type World } from './world.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 20);

describe('every route, asked well and badly, answers without a 500 and changes nothing that it refuses:', () => {
  for (const route of everyRoute) {
    it(callOf(route), async (context) => {
      const world = await freshWorld(context, { set: ['api.rpc_response_timeout=0'] });
      const hints = await seed(world);
      const seeded = await dump(world);
      await fc.assert(
        fc.asyncProperty(requestOf(route, hints), async (request) => {
          const version = await dataVersion(world);
          const answer = await world.ask(request.method, `/${baseFor(route, PROJECT)}${request.path}`, {
            ...request,
            headers: { ...HEADERS },
          });
          const story = `${JSON.stringify(request)} was answered ${answer.status}: ${answer.text}`;
          assert.ok(answer.status < 500 || EXPECTED.has(answer.status), story);
          if ((await dataVersion(world)) === version) return;
          if (answer.status >= 400 && answer.status !== UNFINISHED)
            assert.deepEqual(await dump(world), seeded, `Refused, but done: ${story}`);
          await restore(world, seeded);
        }),
        { numRuns: RUNS },
      );
    });
  }
});

describe('with users of our own', () => {
  it('no route answers a member, a reader or a stranger with a 500, or changes what it refuses', async (context) => {
    const world = await identityWorld(context, { set: ['api.rpc_response_timeout=0'] });
    const tokens = [await world.signIn('bob'), await world.signIn('eve'), await world.signIn('bob', 'other')];
    const hints = await seed(world);
    const seeded = await dump(world);
    for (const route of everyRoute) {
      const asked = fc.tuple(requestOf(route, hints), fc.constantFrom(...tokens));
      await fc.assert(
        fc.asyncProperty(asked, async ([{ path, ...request }, token]) => {
          const version = await dataVersion(world);
          const headers = { ...HEADERS, 'x-auth-token': token };
          const answer = await world.ask(request.method, `/${route.root}${path}`, {
            ...request,
            project: null,
            headers,
          });
          const who = ['a member', 'a reader', 'a stranger'][tokens.indexOf(token)];
          const story = `${JSON.stringify(request)} ${path} by ${who} was answered ${answer.status}: ${answer.text}`;
          const isKnown = route.open || answer.status !== 401;
          assert.ok((answer.status < 500 || EXPECTED.has(answer.status)) && isKnown, story);
          if ((await dataVersion(world)) === version) return;
          const now = await dump(world);
          assert.ok(token !== tokens[1] || isDeepStrictEqual(now, seeded), `Changed by a reader: ${story}`);
          if (answer.status >= 400 && answer.status !== UNFINISHED)
            assert.deepEqual(now, seeded, `Refused, but done: ${story}`);
          await restore(world, seeded);
        }),
        { numRuns: Math.ceil(RUNS / 4) },
      );
    }
  });

  it('identity answers whatever it is asked without a 500, and gives no token', async (context) => {
    const world = await identityWorld(context);
    const text = fc.oneof(fc.string({ maxLength: 12 }), junk);
    const proof = fc.record(
      {
        methods: fc.oneof(fc.constantFrom(['password'], ['token'], ['application_credential']), junk),
        password: fc.oneof(
          fc.record({ user: fc.oneof(fc.dictionary(fc.constantFrom('id', 'name', 'password', 'domain'), text), junk) }),
          junk,
        ),
        token: fc.oneof(fc.record({ id: text }), junk),
        application_credential: fc.oneof(fc.dictionary(fc.constantFrom('id', 'name', 'secret', 'user'), text), junk),
      },
      { requiredKeys: ['methods'] },
    );
    const scope = fc.oneof(junk, fc.record({ project: fc.oneof(fc.record({ id: text }), junk) }));
    const body = fc.oneof(
      { weight: 5, arbitrary: fc.record({ auth: fc.record({ identity: proof, scope }) }) },
      { weight: 1, arbitrary: junk },
    );
    await fc.assert(
      fc.asyncProperty(body, async (given) => {
        const { status, text: told } = await world.identity('POST', '/auth/tokens', { body: given });
        assert.ok(status >= 400 && status < 500, `${JSON.stringify(given)} was answered ${status}: ${told}`);
      }),
      { numRuns: RUNS * 10 },
    );
  });
});

/** As the page asks: what changes a session is to come from there. */
const HEADERS = { origin: 'http://pumice.test:8776', 'content-type': 'application/json' };
/** Not supported; no service there. */
const EXPECTED: ReadonlySet<number> = new Set([501, 503, 504]);
/** Begun, but no flow runs here. */
const UNFINISHED = 504;

interface Request {
  readonly method: string;
  readonly path: string;
  readonly version: string;
  readonly body?: unknown;
}

function requestOf(route: PlacedRoute, hints: Hints): fc.Arbitrary<Request> {
  const version = fc.oneof(fc.integer({ min: route.since ?? 0, max: NEWEST }), fc.constant(0));
  const path = fc
    .tuple(...[...route.path.matchAll(/:([a-z_]+)/g)].map(([, name]) => nameFor(route, name ?? '', hints)))
    .map((names) => route.path.replace(/:[a-z_]+/g, () => encodeURIComponent(names.shift() ?? '')));
  return fc.record({
    method: fc.constant(route.method),
    path: fc.tuple(path, query).map((parts) => parts.join('')),
    version: version.map((minor) => `3.${minor}`),
    ...(route.method !== 'GET' && { body: bodyOf(route, hints) }),
  });
}

/** Mostly one that exists, of the kind the path is about. */
function nameFor({ path }: PlacedRoute, name: string, hints: Hints): fc.Arbitrary<string> {
  const kind = /^\/([a-z_-]+)\//.exec(path)?.[1] ?? 'id';
  const likely = (name === 'id' ? hints[kind] : hints[name]) ?? hints.id ?? [];
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...(likely as readonly string[])) },
    { weight: 1, arbitrary: fc.constantFrom(...(hints.id as readonly string[]), ...NAMES) },
  );
}

function bodyOf({ body, action }: PlacedRoute, hints: Hints): fc.Arbitrary<unknown> {
  const schemas = body === undefined ? [] : bodiesByVersion(body).map(([, schema]) => schema);
  const values = schemas.flatMap((each) => [fitting(each, hints), wild(each, hints)]);
  const none = fc.constant(action === undefined ? undefined : null);
  const value = fc.oneof(...(values.length > 0 ? values : [none, none, none, junk]));
  if (action === undefined) return value;
  return fc.oneof({ weight: 9, arbitrary: value.map((each) => ({ [action]: each })) }, { weight: 1, arbitrary: junk });
}

const NAMES = [
  uuid(),
  'None',
  'default',
  'detail',
  'defaults',
  '..',
  'é',
  '\0',
  'a'.repeat(300),
  'node@file',
  'key',
  '%',
];

/** Of which there is no volume. */
const SPARE_TYPE = uuid();

/** Names that mean something to some list, each with a value that it may well have. */
const LIKELY: Readonly<Record<string, string>> = {
  limit: '1',
  offset: '1',
  marker: NAMES[0] ?? '',
  sort: 'name:asc,created_at',
  sort_key: 'id',
  sort_dir: 'asc',
  with_count: 'true',
  all_tenants: '1',
  name: 'a volume',
  'name~': 'vol',
  status: "['available','error']",
  metadata: "{'key': 'value'}",
  glance_metadata: '{"key": "value"}',
  bootable: 'False',
  size: '1',
  created_at: 'gt:2026-01-01T00:00:00,lt:2030-01-01',
  updated_at: '2026-01-01T00:00:00',
  host: 'node@file',
  binary: 'cinder-volume',
  project_id: PROJECT,
  is_public: 'None',
  vol_type_id: SPARE_TYPE,
  consumer: 'both',
  extra_specs: "{'key': 'value'}",
  consumes_quota: 'yes',
  usage: 'True',
  cascade: 'True',
  force: 'true',
  detail: 'true',
  volume_type: '__DEFAULT__',
  resource: 'volume',
  state: 'running',
  unended: 'true',
  nonsense: 'x',
  '': '',
};

const UNLIKELY = ['', '0', '-1', 'None', 'x,y:z', '{', 'lt:nothing', '\0', '99999999999999999999', '[', "{'a': {}}"];

const query = fc
  .array(
    fc
      .constantFrom(...Object.entries(LIKELY))
      .chain(([name, likely]) =>
        fc
          .oneof(
            { weight: 4, arbitrary: fc.constant(likely) },
            { weight: 2, arbitrary: fc.constantFrom(...UNLIKELY, ...Object.values(LIKELY)) },
            { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) },
          )
          .map((value): [string, string] => [name, value]),
      ),
    { maxLength: 3 },
  )
  .map((entries) => (entries.length === 0 ? '' : `?${new URLSearchParams(entries)}`));

/** Known and up, but not by this process: whatever asks its driver is told so. */
const BACKEND: Heartbeat = {
  host: 'node@file',
  binary: 'cinder-volume',
  availabilityZone: 'nova',
  failure: null,
  pools: [
    {
      pool_name: 'file',
      total_capacity_gb: 100,
      free_capacity_gb: 100,
      reserved_percentage: 0,
      max_over_subscription_ratio: 1,
      thin_provisioning_support: true,
      thick_provisioning_support: false,
      multiattach: false,
    },
  ],
};

/** Rows to be found, and where a body may name them. */
async function seed(world: World): Promise<Hints> {
  const volume = await world.volume({ host: 'node@file#file', metadata: { key: 'value' }, name: 'a volume' });
  const busy = await world.volume({ host: 'node@file#file', status: 'in-use', attachStatus: 'attached' });
  const failed = await world.volume({ status: 'error' });
  const snapshot = await world.snapshot(volume, { metadata: { key: 'value' } });
  await world.service.db.write((tx) => recordHeartbeat(tx, BACKEND));
  await beat(world, { host: 'node@file', pools: [pool('file')] });
  const spare = await world.service.db.write((tx) =>
    insertVolumeType(tx, { id: SPARE_TYPE, name: 'spare', isPublic: false, extraSpecs: { key: 'value' } }),
  );
  const sealed = await world.service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'sealed' }));
  await world.service.db.write((tx) =>
    insertTypeEncryption(tx, {
      encryptionId: uuid(),
      volumeTypeId: sealed.id,
      provider: 'luks',
      controlLocation: 'front-end',
      cipher: null,
      keySize: 256,
    }),
  );
  await world.service.db.write((tx) => setDefaultType(tx, { projectId: USER, volumeTypeId: spare.id }));
  const groupType = await world.service.db.write((tx) =>
    insertGroupType(tx, {
      id: uuid(),
      name: 'together',
      description: null,
      isPublic: false,
      groupSpecs: { key: 'value' },
    }),
  );
  const qosSpecs = await world.service.db.write((tx) =>
    insertQosSpecs(tx, { id: uuid(), name: 'slow', consumer: 'both', specs: { key: 'value' } }),
  );
  const offered = await world.volume({ host: 'node@file#file', status: 'awaiting-transfer' });
  const { authKey, kept } = newAuthKey();
  const transfer = await world.service.db.write((tx) =>
    insertTransfer(tx, { volumeId: offered.id, name: 'mine', noSnapshots: false, projectId: PROJECT, kept }),
  );
  const attached = { projectId: PROJECT, volumeId: busy.id, attachMode: 'rw' } as const;
  const [attachment, reservation] = await world.service.db.write(async (tx) => [
    await insertAttachment(tx, {
      ...attached,
      id: uuid(),
      attachStatus: 'attached',
      connector: { host: 'h' },
      connectionInfo: { driver_volume_type: 'local', data: {} },
    }),
    await insertAttachment(tx, { ...attached, id: uuid(), attachStatus: 'reserved', instanceId: uuid() }),
  ]);
  const message = await world.service.db.write((tx) =>
    insertMessage(tx, {
      projectId: PROJECT,
      requestId: 'req-1',
      resourceType: 'VOLUME',
      resourceId: failed.id,
      eventId: 'VOLUME_VOLUME_001_003',
      level: 'ERROR',
      text: 'No storage backend can take it.',
      expiresAt: fromNow(3_600_000),
    }),
  );
  const backup = await world.service.db.write((tx) =>
    insertBackup(tx, {
      id: uuid(),
      projectId: PROJECT,
      userId: USER,
      volumeId: volume.id,
      status: 'available',
      sizeGiB: 1,
      metadata: { key: 'value' },
    }),
  );
  const flow = await beginFlow(world.service.db, `volume:${busy.id}`, { projectId: PROJECT });
  const id = [volume.id, busy.id, failed.id, snapshot.id, volume.volumeTypeId, spare.id, message, PROJECT];
  const types = [volume.volumeTypeId, '__DEFAULT__', 'spare', 'sealed', null];
  return {
    id,
    volumes: [volume.id, failed.id, busy.id],
    snapshots: [snapshot.id],
    backups: [backup.id],
    attachments: [attachment.id, reservation.id],
    attachment_id: [attachment.id, reservation.id, null],
    volume_uuid: [volume.id, busy.id],
    connector: [{ host: 'h' }, { initiator: 'iqn.1993-08.org.debian:01:x' }, {}],
    types: [volume.volumeTypeId, spare.id, sealed.id],
    'default-types': [PROJECT, USER],
    group_types: [groupType.id, 'default'],
    'qos-specs': [qosSpecs.id],
    'os-volume-transfer': [transfer.id],
    'volume-transfers': [transfer.id],
    auth_key: [authKey],
    flows: [flow],
    keys: [['key'], ['key', 'other']],
    key: ['key', 'provider'],
    meta: [{ key: 'other' }],
    volume_id: [volume.id, busy.id, snapshot.id],
    source_volid: [volume.id, busy.id, null],
    snapshot_id: [snapshot.id, volume.id, null],
    volume_type: types,
    project: [PROJECT, USER],
    host: ['node@file', 'node@file#file', 'node'],
    binary: ['cinder-volume', 'cinder-scheduler'],
    size: [1, '1', null],
    new_size: [1, 2, '3'],
    imageRef: [null, uuid()],
    image_id: [null, ''],
    backup_id: [null],
    group_id: [null],
    consistencygroup_id: [null],
    availability_zone: [null, 'nova'],
  };
}

/** Changes with every commit of anyone else, so an unchanged one says that nothing was written. */
async function dataVersion({ service }: World): Promise<unknown> {
  const [row] = await service.db.reader.query<{ data_version: number }>('PRAGMA data_version');
  return row?.data_version;
}

async function restore({ service }: World, rows: Awaited<ReturnType<typeof dump>>): Promise<void> {
  await service.db.write(async ({ connection }) => {
    await connection.query('PRAGMA defer_foreign_keys = ON');
    for (const table of Object.keys(rows)) await connection.execute(`DELETE FROM "${table}"`);
    for (const [table, each] of Object.entries(rows)) {
      for (const row of each as readonly Record<string, unknown>[]) {
        const names = Object.keys(row).map((name) => `"${name}"`);
        const places = names.map(() => '?');
        await connection.execute(`INSERT INTO "${table}" (${names}) VALUES (${places})`, Object.values(row));
      }
    }
  });
}
