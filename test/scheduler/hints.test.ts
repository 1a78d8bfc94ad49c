import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { InvalidInput } from '../../src/model/errors.ts';
import { readHints } from '../../src/scheduler/hints.ts';

const one = '11111111-2222-4333-8444-555555555555';
const two = '66666666-7777-4888-9999-aaaaaaaaaaaa';

describe('scheduler hints', () => {
  it('may be absent', () => {
    for (const none of [undefined, null, {}, { different_host: [], same_host: [] }]) {
      assert.deepEqual(readHints(none), { differentHost: [], sameHost: [] });
    }
  });

  it('name one volume or several', () => {
    assert.deepEqual(readHints({ different_host: one, same_host: [one, two] }), {
      differentHost: [one],
      sameHost: [one, two],
    });
  });

  it('take an id without hyphens', () => {
    assert.deepEqual(readHints({ same_host: one.replaceAll('-', '') }).sameHost, [one.replaceAll('-', '')]);
  });

  it('that no filter reads are let through', () => {
    const unread = { local_to_instance: one, query: '[">=", "$free_capacity_gb", 10]', anything: { at: 'all' } };
    assert.deepEqual(readHints(unread), { differentHost: [], sameHost: [] });
    assert.deepEqual(readHints({ local_to_instance: null, query: {} }), { differentHost: [], sameHost: [] });
  });

  const bad: readonly (readonly [hints: unknown, message: RegExp])[] = [
    ['different_host', /must be an object/],
    [[one], /must be an object/],
    [{ different_host: 'node1@lvm' }, /different_host must be the id of a volume/],
    [{ different_host: null }, /different_host must be/],
    [{ different_host: [one, 7] }, /different_host must be/],
    [{ different_host: [one, one] }, /different_host names a volume twice/],
    [{ same_host: { id: one } }, /same_host must be/],
    [{ same_host: '' }, /same_host must be/],
    [{ same_host: `${one}\n` }, /same_host must be/],
    [{ local_to_instance: 'here' }, /local_to_instance must be/],
    [{ query: 3 }, /query must be/],
    [{ query: ['='] }, /query must be/],
  ];
  for (const [hints, message] of bad) {
    it(`of the shape ${JSON.stringify(hints)} are refused`, () => {
      assert.throws(
        () => readHints(hints),
        (error) => error instanceof InvalidInput && message.test(error.message),
      );
    });
  }

  it('of any shape are read or refused, nothing else', () => {
    const value = fc.oneof(fc.uuid(), fc.array(fc.uuid()), fc.anything());
    const hints = fc.oneof(
      fc.anything(),
      fc.record(
        { different_host: value, same_host: value, local_to_instance: value, query: value },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(hints, (given) => {
        try {
          const { differentHost, sameHost } = readHints(given);
          assert.ok([...differentHost, ...sameHost].every((id) => typeof id === 'string'));
        } catch (error) {
          assert.ok(error instanceof InvalidInput);
        }
      }),
    );
  });
});
