/** Lists: pages, sort keys, filters, scope. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { filtersOf, readTime } from '../../src/api/filters.ts';
import type { ApiCall } from '../../src/api/route.ts';
import { freshWorld, onBoth, PROJECT, type World } from './world.ts';

interface Shown {
  readonly id: string;
  readonly name: string;
}

const names = ({ body }: { body: { volumes?: Shown[]; snapshots?: Shown[] } }): string[] =>
  (body.volumes ?? body.snapshots ?? []).map(({ name }) => name);

async function listed(world: World, query: string, version = '3.71'): Promise<string[]> {
  return names(await world.get(`/volumes/detail?${query}`, { version })).sort();
}

describe('a list', () => {
  it('followed by its links shows each row once, in the order of the whole', async (context) => {
    const world = await freshWorld(context);
    const sizes = [3, 1, 2, 2, 1, 3, 1];
    for (const [index, sizeGiB] of sizes.entries())
      await world.volume({ sizeGiB, name: index % 3 === 0 ? null : `v${index}` });
    const sort = fc.constantFrom(
      '',
      'size',
      'size:asc',
      'name:desc,size:asc',
      'name:asc',
      'id',
      'created_at:asc',
      'display_name',
    );
    await fc.assert(
      fc.asyncProperty(
        sort,
        fc.integer({ min: 1, max: 8 }),
        fc.constantFrom('volumes', 'volumes/detail'),
        async (sort, limit, path) => {
          const order = sort === '' ? '' : `&sort=${encodeURIComponent(sort)}`;
          const whole = (await world.get(`/${path}?limit=100${order}`)).body.volumes;
          const seen: Shown[] = [];
          let url: string | undefined = `http://pumice.test:8776/v3/${PROJECT}/${path}?limit=${limit}${order}`;
          for (let page = 0; url !== undefined; page += 1) {
            assert.ok(page <= sizes.length);
            const asked: string = url.replace('http://pumice.test:8776', '/');
            const { body } = await world.get(asked);
            assert.ok(body.volumes.length <= limit);
            seen.push(...body.volumes);
            const [next] = body.volumes_links ?? [];
            assert.equal(next === undefined, body.volumes.length < limit);
            assert.ok(next === undefined || next.rel === 'next');
            url = next?.href;
          }
          assert.deepEqual(seen, whole);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('keeps the rest of the query in the link to its next page', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume({ name: 'a b', status: 'available' });
    const { body } = await world.get('/volumes?name=a+b&limit=1&status=available');
    assert.deepEqual(body.volumes_links, [
      {
        rel: 'next',
        href: `http://pumice.test:8776/v3/${PROJECT}/volumes?name=a+b&limit=1&status=available&marker=${volume.id}`,
      },
    ]);
  });

  it('is cut at the configured limit, with a link', async (context) => {
    const world = await freshWorld(context, { set: ['api.osapi_max_limit=2'] });
    for (let count = 0; count < 3; count += 1) await world.volume();
    for (const query of ['', '?limit=10']) {
      const { body } = await world.get(`/volumes${query}`);
      assert.equal(body.volumes.length, 2);
      assert.equal(body.volumes_links.length, 1);
    }
  });

  it('of limit 0 is empty and has no link; of an offset begins there', async (context) => {
    const world = await freshWorld(context);
    for (const name of ['first', 'second', 'third']) await world.volume({ name });
    assert.deepEqual((await world.get('/volumes?limit=0')).body, { volumes: [] });
    assert.deepEqual(names(await world.get('/volumes?offset=1')), ['second', 'first']);
  });

  for (const query of [
    'limit=-1',
    'limit=x',
    'limit=',
    'offset=-1',
    'offset=1.5',
    'offset=99999999999',
    'sort=nonsense',
    'sort=name:up',
    'sort=name:asc:more',
    'sort=name&sort_key=id',
    'sort=name&sort_dir=asc',
    'sort_key=nonsense',
    'sort_dir=up',
    'all_tenants=maybe',
    'size=big',
    'metadata=x',
    "metadata=['a']",
    'created_at=yesterday',
    'multiattach=perhaps',
  ]) {
    it(`with ${query} is refused`, async (context) => {
      const world = await freshWorld(context);
      const answer = await world.ask('GET', `/volumes?${query}`, { version: '3.71' });
      assert.equal(answer.status, 400, answer.text);
    });
  }

  it('after a marker that names nothing, or another project’s row, is not found', async (context) => {
    const world = await freshWorld(context);
    const foreign = await world.volume({ projectId: 'abc' });
    assert.equal((await world.ask('GET', '/volumes?marker=nothing')).status, 404);
    assert.equal((await world.ask('GET', `/volumes?marker=${foreign.id}`)).status, 404);
    assert.equal((await world.ask('GET', `/snapshots?marker=${foreign.id}`)).status, 404);
  });

  it('is sorted by a key and a direction given apart', async (context) => {
    const world = await freshWorld(context);
    for (const name of ['b', 'a', 'c']) await world.volume({ name });
    assert.deepEqual(names(await world.get('/volumes?sort_key=name&sort_dir=asc')), ['a', 'b', 'c']);
    assert.deepEqual(names(await world.get('/volumes?sort_key=display_name')), ['c', 'b', 'a']);
    assert.deepEqual(names(await world.get('/volumes?sort_dir=asc')), ['b', 'a', 'c']);
    assert.deepEqual(names(await world.get('/volumes')), ['c', 'a', 'b']);
  });

  it('shows the caller’s project, or all to an administrator who asks', async (context) => {
    const world = await freshWorld(context);
    await world.volume({ name: 'mine' });
    await world.volume({ name: 'theirs', projectId: 'abc' });
    assert.deepEqual(await listed(world, ''), ['mine']);
    assert.deepEqual(await listed(world, 'all_tenants=1'), ['mine', 'theirs']);
    assert.deepEqual(await listed(world, 'all_tenants=1&project_id=abc'), ['theirs']);
    assert.deepEqual(await listed(world, 'project_id=abc'), []);
  });

  it('counts all that it would show without a limit', async (context) => {
    const world = await freshWorld(context);
    for (const name of ['a', 'a', 'b']) await world.volume({ name });
    const { body } = await world.get('/volumes?limit=1&with_count=true&name=a', { version: '3.45' });
    assert.deepEqual([body.volumes.length, body.count], [1, 2]);
    assert.equal((await world.get('/volumes?with_count=true&nonsense=1', { version: '3.45' })).body.count, 0);
    assert.equal('count' in (await world.get('/volumes?with_count=false', { version: '3.45' })).body, false);
  });
});

describe('a filter', () => {
  it('finds volumes by what they are', async (context) => {
    const world = await freshWorld(context);
    await world.volume({ name: 'one', sizeGiB: 1, status: 'error', bootable: true, metadata: { k: 'v', l: 'w' } });
    await world.volume({
      name: 'two',
      sizeGiB: 2,
      status: 'managing',
      host: 'node@file#file',
      imageMetadata: { os: 'x' },
    });
    await world.volume({
      name: 'three',
      sizeGiB: 3,
      status: 'error_managing',
      host: 'node@filed#file',
      usesQuota: false,
    });
    const cases: readonly [query: string, found: string[]][] = [
      ['name=one', ['one']],
      ['display_name=two', ['two']],
      ['status=creating', ['two']],
      ['status=error', ['one', 'three']],
      ["status=['error','creating']", ['one', 'three', 'two']],
      ['size=2', ['two']],
      ['bootable=true', ['one']],
      ['bootable=0', ['three', 'two']],
      ["metadata={'k':'v'}", ['one']],
      ["metadata={'k':'v','l':'x'}", []],
      ['metadata={"k":"v","l":"w"}', ['one']],
      ["glance_metadata={'os': 'x'}", ['two']],
      ['host=node@file', ['two']],
      ['host=node@filed%23file', ['three']],
      ['consumes_quota=False', ['three']],
      ['multiattach=false', ['one', 'three', 'two']],
      ['name~=o', ['one', 'two']],
      ['size~=1', []],
      ['nonsense=1', []],
      ['nonsense~=1', []],
      ['created_at=gt:2020-01-01T00:00:00,lt:2020-01-02', []],
      ['created_at=gte:2020-01-01', ['one', 'three', 'two']],
      ['updated_at=neq:2020-01-01', []],
    ];
    for (const [query, found] of cases) assert.deepEqual(await listed(world, query), found, query);
  });

  it('that came with a later version is passed over before it, and bootable is read loosely below 3.2', async (context) => {
    const world = await freshWorld(context);
    await world.volume({ name: 'one', bootable: true, usesQuota: false });
    for (const [query, below, at] of [
      ["glance_metadata={'a':'b'}", '3.3', '3.4'],
      ['group_id=none', '3.9', '3.10'],
      ['consumes_quota=true', '3.64', '3.65'],
    ] as const) {
      assert.deepEqual(await listed(world, query, below), ['one'], below);
      assert.deepEqual(await listed(world, query, at), [], at);
    }
    assert.deepEqual(await listed(world, 'bootable=perhaps', '3.1'), ['one']);
    assert.deepEqual(await listed(world, 'bootable=False', '3.1'), []);
    assert.equal((await world.ask('GET', '/volumes?bootable=perhaps', { version: '3.2' })).status, 400);
    const time = 'created_at=gt:2020-01-01';
    assert.equal((await world.ask('GET', `/volumes?${time}`, { version: '3.59' })).status, 400);
    assert.deepEqual(await listed(world, time, '3.60'), ['one']);
    assert.equal('count' in (await world.get('/volumes?with_count=1', { version: '3.44' })).body, false);
  });

  it('finds snapshots by what they are', async (context) => {
    const world = await freshWorld(context);
    const [first, second] = [await world.volume(), await world.volume()];
    await world.snapshot(first, { name: 'a', metadata: { k: 'v' } });
    await world.snapshot(second, { name: 'b', status: 'error' });
    for (const [query, found] of [
      [`volume_id=${first.id}`, ['a']],
      ['status=error', ['b']],
      ["metadata={'k':'v'}", ['a']],
      ['name~=b', ['b']],
      ['nonsense=1', []],
    ] as const) {
      assert.deepEqual(names(await world.get(`/snapshots?${query}`, { version: '3.71' })), found, query);
    }
  });
});

describe('a filter by what people write', () => {
  const NAMES = [
    '[prod]',
    '[prod] [1]',
    '[1]',
    "['a', 'b']",
    'None',
    "'x'",
    '"x"',
    '{}',
    "{'a': 1}",
    '(1, 2)',
    '1',
    'True',
    '[',
  ];

  onBoth('takes the text as it stands, whatever it looks like', async (context, database) => {
    const world = await freshWorld(context, { database });
    for (const name of NAMES) await world.volume({ name, description: name });
    const [volume] = [await world.volume({ name: null })];
    for (const name of NAMES) await world.snapshot(volume, { name, description: name });
    for (const name of NAMES) {
      for (const filter of ['name', 'display_name', 'description']) {
        const query = new URLSearchParams({ [filter]: name });
        assert.deepEqual(names(await world.get(`/volumes/detail?${query}`, { version: '3.71' })), [name]);
        assert.deepEqual(names(await world.get(`/snapshots/detail?${query}`, { version: '3.71' })), [name]);
      }
    }
    const part = new URLSearchParams({ 'name~': '[prod]' });
    assert.deepEqual(await listed(world, String(part)), ['[prod]', '[prod] [1]']);
  });
});

describe('a filter by a word of ours', () => {
  onBoth('takes one, one in quotes, None, or a list of them', async (context, database) => {
    const world = await freshWorld(context, { database });
    const group = '11111111-2222-4333-8444-555555555555';
    const one = await world.volume({ name: 'one', status: 'error', groupId: group, availabilityZone: '[prod]' });
    const two = await world.volume({ name: 'two', migrationStatus: 'success' });
    for (const [filter, text, found] of [
      ['id', one.id, ['one']],
      ['id', `['${one.id}', "${two.id}"]`, ['one', 'two']],
      ['id', `('${one.id}',)`, ['one']],
      ['id', '[]', []],
      ['status', "'error'", ['one']],
      ['status', "['error', 'available']", ['one', 'two']],
      ['status', '[error', []],
      ['group_id', 'None', ['two']],
      ['group_id', group, ['one']],
      ['group_id', `[None, '${group}']`, ['one', 'two']],
      ['group_id', 'none', []],
      ['migration_status', 'None', ['one']],
      ['migration_status', "['success']", ['two']],
      ['availability_zone', '[prod]', ['one']],
      ['host', 'None', []],
      ['bootable', 'None', 400],
    ] as const) {
      const asked = `/volumes/detail?${new URLSearchParams({ [filter]: text })}`;
      const answer = await world.ask('GET', asked, { version: '3.71' });
      assert.deepEqual(answer.status === 200 ? names(answer).sort() : answer.status, found, asked);
    }
  });
});

describe('a filter of someone who is no administrator', () => {
  const table = { name: { field: 'name', as: 'text' }, host: { field: 'host', as: 'text' } } as const;
  const asked = (version: number, isAdmin: boolean, ...query: [string, string][]) =>
    filtersOf(
      {
        caller: { isAdmin },
        version,
        query: new Map(query),
        desk: { config: { ignore_case: false } },
      } as unknown as ApiCall,
      'volume',
      table,
    );
  const byName = { is: 'equal', field: 'name', value: 'x' };

  it('that is not in the list of allowed ones is passed over below 3.31, and refused from then on', () => {
    assert.deepEqual(asked(30, false, ['host', 'h'], ['name', 'x']), [byName]);
    assert.throws(() => asked(31, false, ['host', 'h'], ['name', 'x']), /host/);
    assert.deepEqual(asked(31, false, ['name', 'x'], ['limit', '1']), [byName]);
    assert.deepEqual(asked(31, true, ['host', 'h']), [{ is: 'equal', field: 'host', value: 'h' }]);
  });

  it('by a part of a text is known from 3.34 on', () => {
    assert.equal(asked(33, true, ['name~', 'x']), undefined);
    assert.throws(() => asked(33, false, ['name~', 'x']), /name~/);
    assert.deepEqual(asked(34, false, ['name~', 'x']), [{ is: 'contains', field: 'name', text: 'x' }]);
  });
});

describe('a time in a filter', () => {
  for (const [text, time] of [
    ['2026-01-31T12:00:00', '2026-01-31T12:00:00.000000'],
    ['2026-01-31 12:00:00.25', '2026-01-31T12:00:00.250000'],
    ['2026-01-31T12:00:00.1234567Z', '2026-01-31T12:00:00.123456'],
    ['2026-01-31T12:00:00+02:00', '2026-01-31T10:00:00.000000'],
    ['2026-01-31', '2026-01-31T00:00:00.000000'],
  ] as const) {
    it(`${text} is ${time}`, () => assert.equal(readTime(text), time));
  }

  for (const text of ['', '2026', '2026-13-01', '2026-01-31T25:00:00', 'now']) {
    it(`${JSON.stringify(text)} is refused`, () => assert.throws(() => readTime(text), /ISO 8601/));
  }
});
