/** bench/RESULTS.md keeps what a run has not measured, and tells how far from its limit each figure is. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { quantity, type Row } from '../../bench/report.ts';
import { merged, type Section } from '../../bench/sections.ts';

const row = (figure: string, value: number): Row => ({ figure, measured: quantity([value], '/s') });

const section = (name: string, ...results: readonly Row[]): Section => ({
  name,
  machine: ['a day', 'a machine'],
  limit: 'A disk.',
  results,
});

/** The headings, in order. */
const headings = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('#'));

describe('the sections of bench/RESULTS.md', () => {
  const parts = ['first', 'second', 'third'];

  test('a part that is measured again has its new section, and every other its old one, to the letter', () => {
    const third = merged('', section('third', row('of the third', 3)), parts);
    const both = merged(third, section('first', row('of the first', 1)), parts);
    const again = merged(both, section('first', row('of the first', 7)), parts);
    assert.deepEqual(headings(again), ['# Results', '## first', '## third']);
    const [, ofThird] = third.split('## third');
    assert.equal(again.split('## third')[1], ofThird);
    assert.ok(again.includes('| of the first | 7 /s |'));
    assert.ok(!again.includes('| of the first | 1 /s |'));
  });

  test('a part that is written twice alike leaves the file as it was', () => {
    const once = merged('', section('second', row('a figure', 1)), parts);
    assert.equal(merged(once, section('second', row('a figure', 1)), parts), once);
  });

  test('sections stand in the order of the parts, whichever is measured first', () => {
    const text = parts.toReversed().reduce((before, name) => merged(before, section(name), parts), '');
    assert.deepEqual(headings(text), ['# Results', '## first', '## second', '## third']);
  });

  test('the head names the parts that no run has measured, and nothing when there is none', () => {
    const one = merged('', section('second'), parts);
    assert.ok(one.includes('Without a whole run: first, third.'));
    const all = merged(merged(one, section('first'), parts), section('third'), parts);
    assert.ok(!all.includes('Without a whole run'));
  });

  test('the section of a part that is no more goes', () => {
    const text = merged(merged('', section('gone'), ['gone', ...parts]), section('first'), parts);
    assert.deepEqual(headings(text), ['# Results', '## first']);
  });

  test('a figure beside its limit is told with its distance, one beside anything else is not', () => {
    const limited: Row = {
      ...row('creates', 60),
      beside: { what: 'bare commits', quantity: quantity([100], '/s'), isLimit: true },
      ratio: [0.6],
    };
    const compared: Row = {
      ...row('others', 60),
      beside: { what: 'a peer', quantity: quantity([30], '/s') },
      ratio: [2],
    };
    const text = merged('', section('first', limited, compared), parts);
    assert.ok(text.includes('- creates: the limit is 100 /s (bare commits), and this is 0.6 × it.'));
    assert.ok(!text.includes('- others'));
  });

  test('what is missed is named below the table', () => {
    const missed: Row = { ...row('slow', 1), wanted: { of: 'measured', atLeast: 2 } };
    assert.ok(merged('', section('first', missed, row('met', 3)), parts).includes('\nMissed: slow.\n'));
  });
});
