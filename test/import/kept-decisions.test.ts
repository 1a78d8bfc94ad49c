/** What was decided of an import is kept: it need not be typed again, and what is typed otherwise is named. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withKept } from '../../src/cli/import/kept-decisions.ts';

describe('what was decided of an import', () => {
  test('is what is typed the first time, whatever its order', () => {
    const [one, other] = [
      [
        ['b@x', 'n@x'],
        ['a@x', 'n@y'],
      ],
      [
        ['a@x', 'n@y'],
        ['b@x', 'n@x'],
      ],
    ] as const;
    const first = withKept(undefined, { mapHost: one, adoptType: 'ssd' });
    assert.deepEqual(first.changed, []);
    assert.equal(first.text, withKept(undefined, { mapHost: other, adoptType: 'ssd' }).text);
  });

  test('is kept where nothing is typed, and told where it is typed otherwise', () => {
    const { text: decisions } = withKept(undefined, { mapHost: [['a@x', 'n@x']], revive: true });
    const same = withKept({ decisions }, { mapHost: [] });
    assert.deepEqual(same, { flags: { mapHost: [['a@x', 'n@x']], revive: true }, text: decisions, changed: [] });
    const other = withKept(
      { decisions },
      {
        mapHost: [
          ['a@x', 'n@y'],
          ['c@x', 'n@z'],
        ],
        adoptType: 'ssd',
        missingAsError: true,
      },
    );
    assert.deepEqual(other.changed, [
      '--map-host a@x=n@y (it was n@x)',
      '--map-host c@x=n@z (it was not given)',
      '--adopt-type ssd (it was not given)',
      '--missing-as-error (it was not given)',
    ]);
    assert.deepEqual(withKept({ decisions: other.text }, { mapHost: [] }).flags, {
      mapHost: [
        ['a@x', 'n@y'],
        ['c@x', 'n@z'],
      ],
      adoptType: 'ssd',
      revive: true,
      missingAsError: true,
    });
  });
});
