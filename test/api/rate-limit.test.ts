import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RateLimit, RateLimited } from '../../src/api/rate-limit.ts';
import { freshWorld, PROJECT } from './world.ts';

const OTHER_PROJECT = 'ffffffffffffffffffffffffffffffff';

describe('the rate limit', () => {
  it('lets a burst through, then the pace, and says when to come again', () => {
    let now = 1_000;
    const limit = new RateLimit(60, 3, () => now);
    for (const remaining of [3, 2, 1]) {
      assert.deepEqual(limit.allowance('p'), { perMinute: 60, remaining, waitMs: 0 });
      limit.take('p');
    }
    assert.equal(limit.allowance('p').remaining, 0);
    assert.throws(() => limit.take('p'), { name: 'RateLimited', retryAfterSeconds: 1 });
    limit.take('another');
    now += 999;
    assert.throws(() => limit.take('p'), RateLimited);
    now += 1;
    limit.take('p');
    assert.throws(() => limit.take('p'), RateLimited);
    now += 1_000_000;
    assert.equal(limit.allowance('p').remaining, 3);
  });

  it('never lets more through in any while than the burst and the pace allow', () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 60 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 20 }),
        pauses,
        (perMinute, burst, waits) => {
          let now = 0;
          const limit = new RateLimit(perMinute, burst, () => now);
          const passed: number[] = [];
          for (const wait of waits) {
            now += wait;
            const { remaining } = limit.allowance('p');
            try {
              limit.take('p');
              passed.push(now);
              assert.ok(remaining > 0);
            } catch (error) {
              assert.ok(error instanceof RateLimited && remaining === 0);
            }
          }
          for (const [index, from] of passed.entries()) {
            for (const [further, to] of passed.slice(index).entries())
              assert.ok(further + 1 <= burst + ((to - from) * perMinute) / 60_000 + 1e-3);
          }
        },
      ),
    );
  });

  it('is off unless it is configured', async (context) => {
    const world = await freshWorld(context);
    for (let request = 0; request < 300; request++) await world.get('/limits');
    assert.deepEqual((await world.get('/limits')).body.limits.rate, []);
  });

  it('is answered as clients know it, shown by the limits, and counted by project', async (context) => {
    const world = await freshWorld(context, { set: ['api.rate_limit_per_minute=1', 'api.rate_limit_burst=3'] });
    const [rate] = (await world.get('/limits')).body.limits.rate;
    const [limit] = rate.limit;
    assert.match(limit['next-available'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(rate, {
      uri: '*',
      regex: '.*',
      limit: [{ verb: '*', value: 1, remaining: 2, unit: 'MINUTE', 'next-available': limit['next-available'] }],
    });
    await world.get('/volumes');
    await world.get('/volumes');
    const refused = await world.ask('GET', '/volumes');
    assert.equal(refused.status, 413);
    const seconds = String(refused.headers['retry-after']);
    assert.ok(Number(seconds) >= 1 && Number(seconds) <= 60, seconds);
    assert.deepEqual(refused.body, {
      overLimit: { code: 413, message: refused.body.overLimit.message, retryAfter: seconds },
    });
    assert.doesNotMatch(refused.body.overLimit.message, /exceed/);
    assert.equal((await world.ask('GET', '/nowhere')).status, 413);
    await world.get('/volumes', { project: OTHER_PROJECT });
    assert.equal((await world.ask('GET', '//v3/')).status, 200);
    assert.equal((await world.ask('GET', `//v3/${PROJECT}/volumes`)).status, 413);
  });

  it('counts nothing of a body that is too long, which is refused for good', async (context) => {
    const world = await freshWorld(context, { set: ['api.osapi_max_request_body_size=2048'] });
    const body = { volume: { size: 1, description: 'x'.repeat(2048) } };
    const answer = await world.ask('POST', '/volumes', { body });
    assert.equal(answer.status, 413);
    assert.deepEqual(Object.keys(answer.body), ['overLimit']);
    assert.equal(answer.body.overLimit.code, 413);
    assert.equal(answer.headers['retry-after'], undefined);
  });
});
