import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { frontEndSpecs, type QosSpecs } from '../../src/model/qos-specs.ts';

const made = (consumer: QosSpecs['consumer'], specs: QosSpecs['specs']): QosSpecs => ({
  id: 'q',
  name: 'slow',
  consumer,
  specs,
  createdAt: '2026-01-01T00:00:00.000000',
  updatedAt: null,
});

describe('what a host is told of QoS specs', () => {
  it('is what is for the front end, alone or too', () => {
    for (const consumer of ['front-end', 'both'] as const)
      assert.deepEqual(frontEndSpecs(made(consumer, { read_iops_sec: '7' }), 3), { read_iops_sec: '7' });
    assert.equal(frontEndSpecs(made('back-end', { read_iops_sec: '7' }), 3), null);
  });

  it('grows with the volume where it is said for each GiB, from the least that is said', () => {
    const specs = { total_iops_sec_per_gb: '10', total_iops_sec_per_gb_min: '25', read_bytes_sec_per_gb: '2' };
    assert.deepEqual(frontEndSpecs(made('both', specs), 1), { total_iops_sec: '25', read_bytes_sec: '2' });
    assert.deepEqual(frontEndSpecs(made('both', specs), 4), { total_iops_sec: '40', read_bytes_sec: '8' });
  });

  it('leaves out what is no number for each GiB', () => {
    assert.deepEqual(frontEndSpecs(made('both', { read_iops_sec_per_gb: 'many' }), 4), {});
  });
});
