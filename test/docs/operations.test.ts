/** What `docs/operations.md` says of statuses is what the table of transitions says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { SNAPSHOT_TRANSITIONS, VOLUME_TRANSITIONS } from '../../src/model/status.ts';

const text = readFileSync('docs/operations.md', 'utf8');

const failuresOf = (transitions: Readonly<Record<string, { readonly failure: string }>>): string[] =>
  [...new Set(Object.values(transitions).map(({ failure }) => failure))]
    .filter((status) => status.startsWith('error'))
    .sort();

describe('docs/operations.md', () => {
  test('says of each error status of a volume whether its owner may delete it', () => {
    const rows = [...text.matchAll(/^\| `(error\w*)`[^|]*\|[^|]+\| (yes|no) \|/gm)].map(([, status = '', may]) => [
      status,
      may,
    ]);
    const deletable: readonly string[] = VOLUME_TRANSITIONS.delete.from;
    const right = failuresOf(VOLUME_TRANSITIONS).map((status) => [status, deletable.includes(status) ? 'yes' : 'no']);
    assert.deepEqual(rows.toSorted(), right);
  });

  test('says that what may be deleted may be unmanaged', () => {
    assert.deepEqual(VOLUME_TRANSITIONS.unmanage.from, VOLUME_TRANSITIONS.delete.from);
  });

  test('says of each error status of a snapshot how it is left', () => {
    const [paragraph = ''] = /^A snapshot in `error`[\s\S]+?\n\n/m.exec(text) ?? [];
    const named = [...paragraph.matchAll(/`(error\w*)`/g)].map(([, status]) => status);
    assert.deepEqual(named.toSorted(), failuresOf(SNAPSHOT_TRANSITIONS));
    assert.deepEqual(
      SNAPSHOT_TRANSITIONS.delete.from.filter((status) => status.startsWith('error')),
      ['error'],
    );
  });
});
