import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseTraceparent, traceparent } from '../../src/lib/traceparent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('a traceparent', () => {
  it('says in which span of which trace somebody is, and whether it is kept', () => {
    assert.deepEqual(parseTraceparent(`00-${TRACE}-${SPAN}-01`), { traceId: TRACE, spanId: SPAN, sampled: true });
    assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-00`)?.sampled, false);
    assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-03`)?.sampled, true);
  });

  it('is written as it was read', () => {
    for (const text of [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-00`]) {
      const read = parseTraceparent(text);
      assert.equal(read && traceparent(read), text);
    }
  });

  it('of a later version is read as far as it is known', () => {
    assert.equal(parseTraceparent(`cc-${TRACE}-${SPAN}-01-what-will-be`)?.traceId, TRACE);
    assert.equal(parseTraceparent(`cc-${TRACE}-${SPAN}-01`)?.traceId, TRACE);
  });

  it('is none when it is not wholly right, so that a trace begins anew', () => {
    for (const text of [
      undefined,
      '',
      TRACE,
      `00-${TRACE}-${SPAN}`,
      `00-${TRACE}-${SPAN}-01-more`,
      `00-${TRACE}-${SPAN}-1`,
      `ff-${TRACE}-${SPAN}-01`,
      `00-${TRACE.toUpperCase()}-${SPAN}-01`,
      `00-${'0'.repeat(32)}-${SPAN}-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
      `00-${TRACE.slice(1)}-${SPAN}-01`,
      ` 00-${TRACE}-${SPAN}-01`,
      `cc-${TRACE}-${SPAN}-01.what`,
    ])
      assert.equal(parseTraceparent(text), undefined, text);
  });
});
