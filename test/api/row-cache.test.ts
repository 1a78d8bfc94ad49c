/** What is kept of rows and of answers is never stale. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { callerOf } from '../../src/api/caller.ts';
import { OLDEST } from '../../src/api/microversion.ts';
import { ALL_ATTRIBUTES } from '../../src/api/policy/attributes.ts';
import { Policy } from '../../src/api/policy/policy.ts';
import { type AnswerKey, ResponseCache } from '../../src/api/response-cache.ts';
import { RowCache } from '../../src/api/row-cache.ts';
import { buildApi } from '../../src/api/server.ts';
import { volumes as volumeRoutes } from '../../src/api/v3/volumes.ts';
import { View } from '../../src/api/view.ts';
import { recordHeartbeat } from '../../src/db/services.ts';
import { deleteSnapshotRow } from '../../src/db/snapshots.ts';
import { insertVolumeType, updateVolumeType } from '../../src/db/volume-types.ts';
import { deleteVolumeRow, findVolumes, updateVolume } from '../../src/db/volumes.ts';
import { uuid } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/logging.ts';
import type { Volume, VolumePatch } from '../../src/model/volume.ts';
import type { VolumeType } from '../../src/model/volume-type.ts';
import { askOverSocket } from './over-socket.ts';
import { freshWorld, PROJECT, USER, type World } from './world.ts';

const asking = {
  version: 71,
  isAdmin: true,
  attributes: ALL_ATTRIBUTES,
  links: { base: 'http://x', prefix: 'http://x/v3/p', bookmark: 'http://x/p' },
};

type Step =
  | { readonly is: 'create' }
  | { readonly is: 'delete'; readonly which: number }
  | { readonly is: 'patch'; readonly which: number; readonly patch: VolumePatch }
  | { readonly is: 'rename type'; readonly name: string }
  | { readonly is: 'other service' };

const patch: fc.Arbitrary<VolumePatch> = fc.oneof(
  fc.record({ name: fc.option(fc.string({ maxLength: 5 })) }),
  fc.record({ status: fc.constantFrom('available', 'error', 'in-use') }),
  fc.record({ metadata: fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2')) }),
  fc.record({ imageMetadata: fc.option(fc.constant({ image_name: 'i' })) }),
  fc.record({ host: fc.constantFrom('node@file#file', 'other@file#file', null) }),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Step>({ is: 'create' }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('delete' as const), which: fc.nat(9) }) },
  { weight: 5, arbitrary: fc.record({ is: fc.constant('patch' as const), which: fc.nat(9), patch }) },
  {
    weight: 1,
    arbitrary: fc.record({ is: fc.constant('rename type' as const), name: fc.constantFrom('t1', 't2', 't3') }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ is: 'other service' }) },
);

async function perform(world: World, type: VolumeType, volumes: Volume[], step: Step): Promise<void> {
  const { db } = world.service;
  const volume = 'which' in step ? volumes[step.which % Math.max(volumes.length, 1)] : volumes[0];
  if (step.is === 'create') volumes.push(await world.volume({ host: 'node@file#file', volumeTypeId: type.id }));
  else if (step.is === 'other service') {
    const service = { host: 'other@file', binary: 'cinder-volume', availabilityZone: 'nova', pools: [], failure: null };
    await db.write((tx) => recordHeartbeat(tx, service));
  } else if (volume === undefined) return;
  else if (step.is === 'patch') await db.write((tx) => updateVolume(tx, volume.id, step.patch));
  else if (step.is === 'rename type')
    await db.write((tx) => updateVolumeType(tx, volume.volumeTypeId, { name: step.name }));
  else {
    await db.write((tx) => deleteVolumeRow(tx, volume.id));
    volumes.splice(volumes.indexOf(volume), 1);
  }
}

/** Without what is another each time, or the connection's. */
function lasting(headers: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const {
    date,
    connection,
    'keep-alive': _,
    'x-compute-request-id': one,
    'x-openstack-request-id': same,
    ...others
  } = headers;
  assert.equal(one, same);
  assert.match(String(one), /^req-/);
  return others;
}

const reads = volumeRoutes.filter(({ cacheable: kept }) => kept);
const URLS = [
  '/volumes/detail',
  '/volumes',
  '/volumes/detail?limit=2',
  '/volumes/detail?sort=name:asc',
  '/volumes?with_count=1',
];
const VERSIONS = ['3.0', '3.45', '3.63', '3.71'];

describe('what is kept', () => {
  it('is what a service that keeps nothing would say, after any changes', async (context) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(step, fc.nat(4), fc.nat(3)), { minLength: 5, maxLength: 25 }),
        async (steps) => {
          const world = await freshWorld(context);
          const address = await world.service.api.listen({ host: '127.0.0.1', port: 0 });
          const type = await world.service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 't0' }));
          const volumes: Volume[] = [];
          for (const [each, url, version] of steps) {
            await perform(world, type, volumes, each);
            const asked = { version: VERSIONS[version] ?? '3.0' };
            const first = volumes[0];
            for (const path of [URLS[url] ?? '/volumes', ...(first ? [`/volumes/${first.id}`] : [])]) {
              const kept = await world.get(path, asked);
              // A second door to the same database, which has never seen a row.
              const fresh = await buildApi({
                desk: world.service.desk,
                log: silentLog,
                admit: callerOf,
                routes: reads,
              }).inject({
                url: `/v3/${PROJECT}${path}`,
                headers: {
                  host: 'pumice.test:8776',
                  'x-auth-token': `${USER}:${PROJECT}`,
                  'openstack-api-version': `volume ${asked.version}`,
                },
              });
              assert.equal(kept.text, fresh.body);
              // The first fills what is kept, if need be; the second takes the fast path.
              for (let turn = 0; turn < 2; turn += 1) {
                const sent = await askOverSocket(address, `/v3/${PROJECT}${path}`, asked);
                assert.deepEqual([sent.status, sent.text], [200, fresh.body]);
                assert.deepEqual(lasting(sent.headers), lasting(fresh.headers));
              }
            }
          }
        },
      ),
      { numRuns: 8 },
    );
  });

  it('is left out of a list when its row has gone since the list was read', async (context) => {
    const world = await freshWorld(context);
    const [kept, gone] = [await world.volume({ name: 'kept' }), await world.volume({ name: 'gone' })];
    await world.service.db.write((tx) => deleteVolumeRow(tx, gone.id));
    const rowCache = new RowCache(world.service.db);
    const texts = await rowCache.texts(nameView(), asking, [gone, kept]);
    assert.deepEqual(texts.map(String), ['{"name":"kept"}']);
  });

  it('is read only once while its row does not change', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume({ name: 'one' });
    const rowCache = new RowCache(world.service.db);
    const { view, loads } = counted();
    for (let round = 0; round < 3; round += 1) await rowCache.texts(view, asking, [volume]);
    assert.equal(loads(), 1);
    await world.service.db.write((tx) => updateVolume(tx, volume.id, { name: 'two' }));
    const [text] = await rowCache.texts(view, asking, [{ id: volume.id, revision: 2 }]);
    assert.deepEqual([String(text), loads()], ['{"name":"two"}', 2]);
  });

  it('is made a hundred rows at a time, and others are answered in between', async (context) => {
    const world = await freshWorld(context);
    const volumes: Volume[] = [];
    for (let made = 0; made < 250; made += 1) volumes.push(await world.volume());
    let most = 0;
    let inTurn = 0;
    let next = setImmediate(function reset() {
      inTurn = 0;
      next = setImmediate(reset);
    });
    context.after(() => clearImmediate(next));
    const counting = new View<Volume>('test', findVolumes, [
      [
        OLDEST,
        'id',
        ({ id }) => {
          inTurn += 1;
          most = Math.max(most, inTurn);
          return id;
        },
      ],
    ]);
    const texts = await new RowCache(world.service.db).texts(counting, asking, volumes);
    assert.deepEqual(
      texts.map(String),
      volumes.map(({ id }) => JSON.stringify({ id })),
    );
    assert.equal(most, 100);
  });

  it('takes no more room than it may, and gives up first what nobody asked for again', async (context) => {
    const world = await freshWorld(context);
    const volumes = await Promise.all(Array.from({ length: 40 }, () => world.volume()));
    const rowCache = new RowCache(world.service.db, 5_000);
    const { view, loads } = counted();
    const [wanted] = volumes as [Volume];
    for (const volume of volumes) {
      await rowCache.texts(view, asking, [volume]);
      await rowCache.texts(view, asking, [wanted]);
      assert.ok(rowCache.bytes <= 5_000);
    }
    assert.equal(loads(), 40);
  });

  it('is not kept when nobody has asked for it in a whole minute, however much room there is', async (context) => {
    const world = await freshWorld(context);
    const [wanted, gone, ...others] = (await Promise.all(Array.from({ length: 5 }, () => world.volume()))) as [
      Volume,
      Volume,
      ...Volume[],
    ];
    let ms = 0;
    const rowCache = new RowCache(world.service.db, undefined, () => ms);
    const { view, loads } = counted();
    const ask = (volume: Volume) => rowCache.texts(view, asking, [volume]);
    await ask(wanted);
    await ask(gone);
    const { bytes } = rowCache;
    for (const another of others) {
      ms += 60_000;
      await ask(wanted);
      await ask(another);
    }
    assert.equal(loads(), 5);
    assert.ok(rowCache.bytes < bytes * 2, 'of the others the last two are kept');
    await ask(wanted);
    assert.equal(loads(), 5);
    await ask(gone);
    assert.equal(loads(), 6);
  });
});

const nameView = (load: View<Volume>['load'] = findVolumes) =>
  new View<Volume>('test', load, [[OLDEST, 'name', ({ name }) => name]]);

/** The view, and how many rows were loaded for it. */
function counted() {
  let count = 0;
  const load: View<Volume>['load'] = (db, ids) => {
    count += ids.length;
    return findVolumes(db, ids);
  };
  return { view: nameView(load), loads: () => count };
}

const someone: AnswerKey = {
  caller: { userId: USER, projectId: PROJECT, roles: [], isAdmin: false, serviceRoles: [], requestId: '' },
  version: 0,
  host: undefined,
};

describe('a kept answer', () => {
  it('is given while nothing was committed, and never after', async (context) => {
    const world = await freshWorld(context);
    const answers = new ResponseCache(world.service.db, new Policy());
    const mark = await answers.mark();
    assert.equal(answers.markOf('/url'), undefined);
    answers.keep('/url', someone, mark, Buffer.from('answer'));
    assert.equal(String(answers.find('/url', someone, await answers.mark())?.bytes), 'answer');
    assert.equal(answers.markOf('/url'), mark);
    await world.volume();
    assert.equal(answers.find('/url', someone, await answers.mark()), undefined);
    assert.equal(answers.markOf('/url'), undefined);
  });

  it('takes no more room than it may', async (context) => {
    const world = await freshWorld(context);
    const answers = new ResponseCache(world.service.db, new Policy(), 10_000);
    for (let index = 0; index < 100; index += 1) {
      answers.keep(`/${index}`, { ...someone, host: `${index % 3}.test` }, 1, Buffer.alloc(1_000));
      assert.ok(answers.bytes <= 10_000);
    }
    assert.equal(answers.find('/0', { ...someone, host: '0.test' }, 1), undefined);
    assert.equal(answers.find('/99', { ...someone, host: '0.test' }, 1)?.bytes.length, 1_000);
    answers.keep('/long', someone, 1, Buffer.alloc(9_000));
    assert.equal(answers.find('/long', someone, 1), undefined);
    for (let index = 0; index < 100; index += 1) {
      answers.keep('/same', { ...someone, host: `${index % 2}.test` }, 1, Buffer.alloc(1_000));
      assert.ok(answers.bytes <= 10_000);
    }
    answers.keep('/new', someone, 2, Buffer.alloc(100));
    assert.ok(answers.bytes < 1_000, 'what is older than the last change is worth nothing');
    assert.equal(answers.find('/same', { ...someone, host: '0.test' }, 1), undefined);
  });

  it('is that of who asks, whoever was answered before', async (context) => {
    const world = await freshWorld(context);
    const answers = new ResponseCache(
      world.service.db,
      new Policy({ overrides: { 'volume:get': 'user_id:%(user_id)s' } }),
    );
    const { caller } = someone;
    const askers = [
      someone,
      { ...someone, version: 8 },
      { ...someone, host: 'other.test' },
      { ...someone, caller: { ...caller, projectId: 'other' } },
      { ...someone, caller: { ...caller, userId: 'other' } },
      { ...someone, caller: { ...caller, isAdmin: !caller.isAdmin } },
      { ...someone, caller: { ...caller, roles: ['reader'] } },
      { ...someone, caller: { ...caller, serviceRoles: ['service'] } },
    ];
    for (const [index, asking] of askers.entries()) {
      assert.equal(answers.find('/url', asking, 1), undefined);
      answers.keep('/url', asking, 1, Buffer.from(`for ${index}`));
      for (const again of [index, 0, index, index]) {
        const found = answers.find('/url', askers[again] ?? someone, 1);
        assert.equal(String(found?.bytes), `for ${again}`);
      }
    }
    answers.keep('/url', someone, 1, Buffer.from('another'));
    assert.equal(String(answers.find('/url', someone, 1)?.bytes), 'another');
  });

  it('of one caller, version or host is not another’s', async (context) => {
    const world = await freshWorld(context);
    const mine = await world.volume({ name: 'mine' });
    const listed = async (asked: Parameters<World['get']>[1] = {}) =>
      (await world.ask('GET', '//v3/volumes/detail', asked)).body.volumes;
    assert.equal((await listed()).length, 1);
    assert.equal((await listed({ project: 'abcdef' })).length, 0);
    assert.equal('group_id' in (await listed())[0], false);
    assert.equal('group_id' in (await listed({ version: '3.13' }))[0], true);
    const other = await listed({ headers: { host: 'other.test' } });
    assert.equal(other[0].links[0].href, `http://other.test/v3/volumes/${mine.id}`);
  });

  it('of a snapshot that has gone is not found', async (context) => {
    const world = await freshWorld(context);
    const snapshot = await world.snapshot(await world.volume());
    await world.get(`/snapshots/${snapshot.id}`);
    await world.service.db.write((tx) => deleteSnapshotRow(tx, snapshot.id));
    assert.equal((await world.ask('GET', `/snapshots/${snapshot.id}`)).status, 404);
  });
});
