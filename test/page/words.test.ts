/** What the page makes of what the API says, without a browser: times, statuses, places, lists and refusals. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { listQuery, sortedBy, sortOf, sortText } from '../../page/listing.ts';
import { hashOf, placeOf } from '../../page/places.ts';
import { fieldOf, refusalOf } from '../../page/refusal.ts';
import { ago, exactTime, inZone, millisOf, shortTime } from '../../page/times.ts';
import { isPassing, toneOf } from '../../page/tones.ts';
import { VOLUME_STATUSES } from '../../src/model/status.ts';

describe('times', () => {
  const at = millisOf('2026-11-30T23:30:05.123456');

  it('of the API are UTC, whether they say so or not', () => {
    assert.equal(at, millisOf('2026-11-30T23:30:05.123456Z'));
    assert.equal(millisOf('2026-12-01T00:30:05+01:00'), Date.UTC(2026, 10, 30, 23, 30, 5));
  });

  it('are shown in the zone of the reader, with the day where it is another', () => {
    assert.equal(exactTime(at, 'UTC'), '2026-11-30 23:30:05');
    assert.equal(exactTime(at, 'Europe/Berlin'), '2026-12-01 00:30:05');
    assert.equal(shortTime(at, at + 1_000, 'UTC'), '23:30');
    assert.equal(shortTime(at, at + 3_600_000, 'UTC'), '30 Nov 23:30');
    assert.equal(shortTime(at, at + 3_600_000, 'Europe/Berlin'), '00:30');
    assert.equal(shortTime(at, at + 60 * 86_400_000, 'UTC'), '30 Nov 2026');
    const said = 'It ended at 2026-11-30 23:30:05 UTC; it is tried again at 2026-12-01 00:00:00 UTC.';
    assert.equal(
      inZone(said, 'Europe/Berlin'),
      'It ended at 2026-12-01 00:30:05; it is tried again at 2026-12-01 01:00:00.',
    );
  });

  it('are told by how long ago they were, never in the future', () => {
    const told = [-5_000, 3_000, 45_000, 240_000, 7_200_000, 200_000_000].map((ms) => ago(at, at + ms));
    assert.deepEqual(told, ['just now', 'just now', '45 s ago', '4 min ago', '2 h ago', '2 days ago']);
  });
});

describe('statuses', () => {
  it('are bad, busy, good or in use as their words say, each of a volume', () => {
    const by = Object.groupBy(VOLUME_STATUSES, toneOf);
    assert.deepEqual(by.good, ['available']);
    assert.deepEqual(by.used, ['in-use']);
    assert.deepEqual(
      by.bad,
      VOLUME_STATUSES.filter((status) => status.includes('error')),
    );
    assert.deepEqual([isPassing('creating'), isPassing('in-use'), isPassing('error_deleting')], [true, false, false]);
  });
});

describe('a place', () => {
  it('is found again by its address, whatever its names are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 1, unit: 'grapheme' }), { maxLength: 3 }),
        fc.dictionary(fc.stringMatching(/^[a-z]+$/), fc.string({ minLength: 1, unit: 'grapheme' })),
        (path, query) => {
          const found = placeOf(hashOf(path, query));
          assert.deepEqual([found.path, { ...found.query }], [path, { ...query }]);
        },
      ),
    );
  });

  it('that somebody typed is no error', () => {
    assert.deepEqual(placeOf('#/volumes/%').path, ['volumes', '%']);
    assert.deepEqual(placeOf('').path, []);
    assert.equal(hashOf(['volumes'], { name: '', status: undefined }), '#/volumes');
  });
});

describe('a list', () => {
  it('is asked for as its address says', () => {
    const query = { name: 'a&b', status: 'error', all: '1', marker: 'm', sort: 'name:asc' };
    const asked = listQuery(query, sortOf(query, { key: 'created_at', down: true }));
    assert.equal(asked, 'limit=50&sort=name%3Aasc&name%7E=a%26b&status=error&all_tenants=1&marker=m');
    assert.equal(listQuery({}, sortOf({}, { key: 'created_at', down: true })), 'limit=50&sort=created_at%3Adesc');
  });

  it('is turned round by the column that it is sorted by', () => {
    const once = sortedBy({ key: 'name', down: false }, 'size', true);
    assert.deepEqual([sortText(once), sortText(sortedBy(once, 'size', true))], ['size:desc', 'size:asc']);
  });
});

describe('a refusal', () => {
  it('has the words of the fault, or says the status', () => {
    const fault = { badRequest: { code: 400, message: 'No.' } };
    assert.deepEqual([refusalOf(400, fault).message, refusalOf(400, fault).status], ['No.', 400]);
    for (const body of [undefined, null, {}, { a: 1 }, { a: null }, 'text', { a: { message: 1 } }])
      assert.equal(refusalOf(502, body).message, 'The service answered 502.');
  });

  it('stands at the field that it speaks of', () => {
    const fields = ['name', 'size', 'volume_type'];
    for (const [message, field] of [
      ['Invalid request body: /volume/size must be integer.', 'size'],
      ['Invalid request body: /volume/name must NOT have more than 255 characters.', 'name'],
      ['VolumeSizeExceedsAvailableQuota: Requested volume exceeds allowed gigabytes quota.', 'size'],
      ['Volume type with name gold could not be found.', 'volume_type'],
      ['Something else.', undefined],
    ] as const)
      assert.equal(fieldOf(message, fields), field, message);
    assert.equal(fieldOf('Volume a is of type gold already.', ['new_type', 'migration_policy']), 'new_type');
    assert.equal(fieldOf('Volume a of 1GiB is too small.', ['volume_id', 'name']), 'volume_id');
    const ofGroup = ['name', 'group_type', 'volume_types', 'description'];
    assert.equal(fieldOf('Group type a could not be found.', ofGroup), 'group_type');
    assert.equal(fieldOf('Volume type a could not be found.', ofGroup), 'volume_types');
  });
});
