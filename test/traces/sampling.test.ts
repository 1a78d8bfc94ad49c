import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { samplingOf } from '../../src/traces/sampling.ts';
import { collectorIn } from '../../src/traces/wanted.ts';

const LOW = '00000000000000000000000000000001';
const HIGH = 'ffffffff000000000000000000000000';
const parent = (sampled: boolean) => ({ traceId: LOW, spanId: '00f067aa0ba902b7', sampled });

describe('which traces are sent', () => {
  it('is what their beginner says, and all that nobody else began, unless the environment says otherwise', () => {
    const sample = samplingOf({});
    assert.equal(sample(HIGH, undefined), true);
    assert.equal(sample(HIGH, parent(false)), false);
    assert.equal(sample(HIGH, parent(true)), true);
  });

  it('is a ratio of the ids, of our own or of all', () => {
    const ratio = { OTEL_TRACES_SAMPLER_ARG: '0.5' };
    const own = samplingOf({ ...ratio, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio' });
    assert.deepEqual([own(LOW, undefined), own(HIGH, undefined), own(HIGH, parent(true))], [true, false, true]);
    const all = samplingOf({ ...ratio, OTEL_TRACES_SAMPLER: 'traceidratio' });
    assert.deepEqual([all(LOW, parent(false)), all(HIGH, parent(true))], [true, false]);
  });

  it('is none where none is wanted', () => {
    assert.equal(samplingOf({ OTEL_TRACES_SAMPLER: 'parentbased_always_off' })(LOW, undefined), false);
    assert.equal(samplingOf({ OTEL_TRACES_SAMPLER: 'always_off' })(LOW, parent(true)), false);
  });

  it('is not guessed from a word or a number that is wrong', () => {
    assert.throws(() => samplingOf({ OTEL_TRACES_SAMPLER: 'jaeger_remote' }), /there is no jaeger_remote/);
    const sampler = { OTEL_TRACES_SAMPLER: 'traceidratio' };
    for (const wrong of ['2', '-1', 'half'])
      assert.throws(() => samplingOf({ ...sampler, OTEL_TRACES_SAMPLER_ARG: wrong }), /no ratio/);
  });
});

describe('a collector', () => {
  const own = 'http://own/v1/traces';
  const all = 'http://all';

  it('is the one for traces, or else the one for everything', () => {
    assert.equal(collectorIn({ OTEL_EXPORTER_OTLP_ENDPOINT: all }), all);
    assert.equal(collectorIn({ OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own }), own);
  });

  it('is none where nobody names one, or traces are switched off', () => {
    assert.equal(collectorIn({}), undefined);
    assert.equal(collectorIn({ OTEL_EXPORTER_OTLP_ENDPOINT: '' }), undefined);
    assert.equal(collectorIn({ OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_SDK_DISABLED: 'TRUE' }), undefined);
    assert.equal(collectorIn({ OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_TRACES_EXPORTER: 'none' }), undefined);
  });
});
