import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type AccessRule, allows } from '../../src/model/access-rules.ts';

const rule = (path: string, more: Partial<AccessRule> = {}): AccessRule => ({
  service: 'volumev3',
  method: 'GET',
  path,
  ...more,
});
const may = (path: string, url: string): boolean => allows([rule(path)], 'volumev3', { method: 'GET', url });

describe('access rules', () => {
  for (const [path, good, bad] of [
    [
      '/v3/volumes',
      ['/v3/volumes', '/v3/volumes?all_tenants=1'],
      ['/v3/volumes/', '/v3/Volumes', '/v3/volumesx', '/v3'],
    ],
    ['/v3/*/volumes', ['/v3/p/volumes', '/v3/p%2Fq/volumes'], ['/v3//volumes', '/v3/p/q/volumes', '/v3/volumes']],
    ['/v3/{project_id}/volumes/{id}', ['/v3/p/volumes/i'], ['/v3/p/volumes', '/v3/p/volumes/i/action']],
    ['/v3/vol*/x', ['/v3/volumes/x', '/v3/vol1/x'], ['/v3/vol/x', '/v3/vo/x', '/v3/vol/y/x']],
    ['/v3/**', ['/v3/', '/v3/p/volumes/detail'], ['/v3', '/v2/p']],
    ['**', ['/', '/v3/p'], []],
    ['/**/detail', ['/v3/p/volumes/detail', '//detail'], ['/detail', '/v3/volumes/detail/x']],
    ['/v3.volumes', ['/v3.volumes'], ['/v3/volumes', '/v3xvolumes']],
    ['/v3/(a+)+$', ['/v3/(a+)+$'], ['/v3/aaa']],
    ['', [], ['/', '']],
  ] as const)
    it(`with the path ${path || '(none)'} allow what it says and nothing else`, () => {
      assert.deepEqual(
        good.filter((url) => !may(path, url)),
        [],
      );
      assert.deepEqual(
        bad.filter((url) => may(path, url)),
        [],
      );
    });

  it('are asked about the path that is served: it ends before a query or a fragment and begins with a slash', () => {
    assert.ok(!may('**/volumes', '/v3/p/snapshots#/volumes'));
    assert.ok(!may('**/volumes', '/v3/p/snapshots?/volumes'));
    assert.ok(!may('**volumes**', 'http://volumes/v3/p/snapshots'));
    assert.ok(!allows([rule('**')], 'volumev3', { method: 'GET', url: undefined }));
  });

  it('are of one method and one service, which has all the names of block storage', () => {
    const url = '/v3/volumes';
    const allowed = (service: string, ours = 'volumev3', method = 'GET') =>
      allows([rule('/v3/**', { service })], ours, { method, url });
    for (const service of ['volumev3', 'block-storage', 'block-store', 'volumev2', 'volume'])
      assert.ok(allowed(service));
    for (const service of ['compute', 'Volumev3', 'volumev4', '']) assert.ok(!allowed(service));
    assert.ok(allowed('our-storage', 'our-storage'));
    assert.ok(!allowed('volumev3', 'our-storage'));
    for (const method of ['POST', 'HEAD', 'get', '']) assert.ok(!allowed('volumev3', 'volumev3', method));
  });

  it('that are none allow nothing', () => {
    assert.ok(!allows([], 'volumev3', { method: 'GET', url: '/' }));
  });

  it('allow what any of them allows, unless they are too many or too long to be judged', () => {
    const others = Array.from({ length: 1_000 }, (_, n) => rule('/**', { service: `other-${n}` }));
    const asked = { method: 'GET', url: '/v3/volumes' };
    assert.ok(allows([...others, rule('/v2/*'), rule('/v3/*')], 'volumev3', asked));
    const many = Array.from({ length: 101 }, () => rule('/v3/*'));
    assert.ok(!allows(many, 'volumev3', asked));
    assert.ok(allows(many.slice(1), 'volumev3', asked));
    assert.ok(!may(`/v3/${'*'.repeat(200)}`, '/v3/volumes'));
    assert.ok(!may('/v3/**', `/v3/${'a'.repeat(5_000)}`));
  });

  it('mean what keystonemiddleware’s regular expressions mean', () => {
    const pieces = fc.array(fc.constantFrom('*', '**', '{id}', '/', 'a', 'b', '/a', 'v3'), { maxLength: 6 });
    const path = fc
      .array(fc.constantFrom('/', 'a', 'b', 'v3', '%2F'), { maxLength: 8 })
      .map((all) => `/${all.join('')}`);
    fc.assert(
      fc.property(pieces, path, (all, url) => {
        const text = `/${all.join('')}`;
        const source = text.replace(/\{[^}]*\}|\*\*|\*/g, (each) => (each === '**' ? '.*' : '[^/]+'));
        assert.equal(may(text, url), new RegExp(`^${source}$`).test(url));
      }),
    );
  });
});
