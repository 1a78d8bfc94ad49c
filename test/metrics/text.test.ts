import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { counters, histograms } from '../../src/metrics/registry.ts';
import { counted, gauge, textOf } from '../../src/metrics/text.ts';
import { readText, sampleOf } from './read-text.ts';

const head = (name: string, type: string): string => `# HELP ${name} Help.\n# TYPE ${name} ${type}\n`;
const histogram = (...lines: readonly string[]): string => `${head('h', 'histogram')}${lines.join('\n')}\n`;
const RIGHT = ['h_bucket{le="1"} 1', 'h_bucket{le="+Inf"} 2', 'h_sum 3', 'h_count 2'];

describe("the reader of Prometheus' text", () => {
  test('has nothing to say of what is right', () => {
    assert.deepEqual(readText(histogram(...RIGHT)).complaints, []);
  });

  for (const [what, text, complaint] of [
    ['a series that comes twice', `${head('g', 'gauge')}g{a="1",b="2"} 1\ng{b="2",a="1"} 2\n`, /^g \[\[/],
    [
      'a family in two pieces',
      `${head('g', 'gauge')}g 1\n${head('i', 'gauge')}i 1\n${head('g', 'gauge')}g{a="1"} 1\n`,
      /g is told twice/,
    ],
    ['a sample in another family', `${head('g', 'gauge')}i 1\n`, /i stands in the family g/],
    ['a sample without a family', 'g 1\n', /g stands in the family undefined/],
    ['a type without help', '# TYPE g gauge\ng 1\n', /g has no help/],
    ['labels that are not escaped', `${head('g', 'gauge')}g{a="x"y"} 1\n`, /wrong labels/],
    ['a label that comes twice', `${head('g', 'gauge')}g{a="1",a="2"} 1\n`, /a label twice/],
    ['what is no number', `${head('g', 'gauge')}g undefined\n`, /no number/],
    ['a last line without an end', `${head('g', 'gauge')}g 1`, /no end/],
    ['buckets that fall', histogram('h_bucket{le="1"} 3', ...RIGHT.slice(1)), /buckets fall/],
    ['bounds that do not rise', histogram('h_bucket{le="2"} 1', ...RIGHT), /bounds do not rise/],
    ['a histogram without +Inf', histogram('h_bucket{le="1"} 2', ...RIGHT.slice(2)), /no bucket \+Inf/],
    ['a histogram whose +Inf is not its count', histogram(...RIGHT.slice(0, 3), 'h_count 3'), /\+Inf is not its count/],
    ['a histogram without a sum', histogram(...RIGHT.slice(0, 2), 'h_count 2'), /no sum/],
    ['a count without buckets', histogram(...RIGHT, 'h_sum{a="1"} 1', 'h_count{a="1"} 1'), /no buckets/],
  ] as const) {
    test(`finds ${what}`, () => {
      assert.match(readText(text).complaints.join('\n'), complaint);
    });
  }
});

describe('the text of metrics', () => {
  test('carries every value and every label as it was', () => {
    const odd = 'a "quoted" \\ one\nand another';
    const reading = readText(
      textOf([
        gauge('pumice_thing', 'Things.', [
          [{ name: odd }, 1.5],
          [{ name: 'endless' }, Number.POSITIVE_INFINITY],
          [{ name: 'below' }, Number.NEGATIVE_INFINITY],
        ]),
        counted('pumice_things_total', 'Things.', [[{}, 12_345_678_901]]),
      ]),
    );
    assert.deepEqual(reading.complaints, []);
    assert.equal(sampleOf(reading, 'pumice_thing', { name: odd }), 1.5);
    assert.equal(sampleOf(reading, 'pumice_thing', { name: 'endless' }), Number.POSITIVE_INFINITY);
    assert.equal(sampleOf(reading, 'pumice_thing', { name: 'below' }), Number.NEGATIVE_INFINITY);
    assert.equal(sampleOf(reading, 'pumice_things_total'), 12_345_678_901);
  });

  test('has in each bucket of a histogram all that was at most its bound', () => {
    const durations = histograms({ name: 'pumice_wait_seconds', help: 'Waits.' }, [0.5, 1]);
    const child = durations.of({ kind: 'a' });
    for (const seconds of [0, 0.5, 0.6, 1, 7]) child.observe(seconds);
    durations.of({ kind: 'b' }).observe(1);
    assert.equal(durations.of({ kind: 'a' }), child);
    const reading = readText(textOf([durations.family()]));
    assert.deepEqual(reading.complaints, []);
    const of = (name: string, le?: string) =>
      sampleOf(reading, `pumice_wait_seconds_${name}`, { kind: 'a', ...(le !== undefined && { le }) });
    assert.deepEqual([of('bucket', '0.5'), of('bucket', '1'), of('bucket', '+Inf')], [2, 4, 5]);
    assert.deepEqual([of('count'), of('sum')], [5, 9.1]);
  });

  test('tells of a family that has counted nothing yet what it is', () => {
    const nothing = counters({ name: 'pumice_misses_total', help: 'Misses.' });
    const reading = readText(textOf([nothing.family()]));
    assert.deepEqual(reading.complaints, []);
    assert.deepEqual(reading.families, [
      { name: 'pumice_misses_total', type: 'counter', help: 'Misses.', samples: [] },
    ]);
  });
});
