import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLog } from '../../src/lib/logging.ts';
import { beat, pool } from './heartbeats.ts';
import { type Answer, freshWorld, type World } from './world.ts';

const put = (world: World, verb: string, body: object, version = '3.32'): Promise<Answer> =>
  world.ask('PUT', `/os-services/${verb}`, { version, body });

async function status(asked: Promise<Answer>): Promise<number> {
  return (await asked).status;
}

describe('a backend', () => {
  it('that is frozen is given nothing new, and says so until it is thawed', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'node@file', pools: [pool('file')] });
    const shown = async () => (await world.get('/os-services')).body.services[0];
    const pools = async () => (await world.get('/scheduler-stats/get_pools')).body.pools.length;

    const frozen = await put(world, 'freeze', { host: 'node@file' });
    assert.equal(frozen.status, 200);
    assert.equal(frozen.text, '');
    assert.partialDeepStrictEqual(await shown(), { frozen: true, status: 'disabled', disabled_reason: 'frozen' });
    assert.equal(await pools(), 0);
    assert.equal(await status(put(world, 'freeze', { host: 'node@file' })), 400);

    assert.equal(await status(put(world, 'thaw', { host: 'node@file' })), 200);
    assert.partialDeepStrictEqual(await shown(), { frozen: false, status: 'enabled', disabled_reason: null });
    assert.equal(await pools(), 1);
    assert.equal(await status(put(world, 'thaw', { host: 'node@file' })), 400);
  });

  it('that was disabled before it was frozen stays disabled when it is thawed', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'node@file' });
    const named = { host: 'node@file', binary: 'cinder-volume' };
    await put(world, 'disable-log-reason', { ...named, disabled_reason: 'moving' });
    await put(world, 'freeze', { host: 'node@file' });
    await put(world, 'thaw', { host: 'node@file' });
    const { services } = (await world.get('/os-services')).body;
    assert.partialDeepStrictEqual(services[0], { status: 'disabled', disabled_reason: 'moving' });
  });

  it('that is not there is neither frozen nor thawed', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'node', binary: 'cinder-scheduler' });
    for (const verb of ['freeze', 'thaw']) {
      assert.equal(await status(put(world, verb, { host: 'nobody' })), 400);
      assert.equal(await status(put(world, verb, { host: 'node' })), 400);
      assert.equal(await status(put(world, verb, {})), 400);
    }
  });

  it('does not fail over, since none replicates', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'node@file' });
    const refused = await put(world, 'failover_host', { host: 'node@file', backend_id: 'other' });
    assert.equal(refused.status, 400);
    assert.match(refused.body.badRequest.message, /replication status is disabled/);
    assert.equal(await status(put(world, 'failover_host', { host: 'nobody' })), 404);
    assert.equal(await status(put(world, 'failover_host', { host: '' })), 400);
    assert.equal(await status(put(world, 'failover_host', { host: 'node@file', cluster: 'c' })), 400);

    assert.equal(await status(put(world, 'failover', { host: 'node@file' }, '3.26')), 400);
    assert.equal(await status(put(world, 'failover', { host: 'nobody' }, '3.26')), 404);
    assert.equal(await status(put(world, 'failover', { cluster: 'c' }, '3.26')), 404);
    assert.equal(await status(put(world, 'failover', { cluster: 'c', host: 'node@file' }, '3.26')), 400);
    assert.equal(await status(put(world, 'failover', {}, '3.26')), 400);
    assert.equal(await status(put(world, 'failover', { host: 'node@file' }, '3.25')), 404);
  });
});

describe('the level of the log', () => {
  /** A service that writes its log here. */
  async function logging(context: Parameters<typeof freshWorld>[0]) {
    const written: { readonly level: string; readonly msg: string; readonly url?: string }[] = [];
    const log = createLog({ level: 'info', to: { write: (line) => void written.push(JSON.parse(line)) } });
    return { world: await freshWorld(context, { log }), written };
  }

  it('is that of each service of the process', async (context) => {
    const { world } = await logging(context);
    const answer = await put(world, 'get-log', {});
    assert.equal(answer.status, 200);
    const levels = { pumice: 'INFO' };
    assert.deepEqual(answer.body, {
      log_levels: [
        { binary: 'cinder-api', host: 'node', levels },
        { binary: 'cinder-scheduler', host: 'node', levels },
        { binary: 'cinder-volume', host: 'node@file', levels },
      ],
    });
  });

  it('is changed at once, for requests and for what lives on', async (context) => {
    const { world, written } = await logging(context);
    const requests = () => written.filter(({ msg }) => msg === 'request answered').map(({ url }) => url);
    await world.get('//healthcheck', { project: null });
    const raised = await put(world, 'set-log', { level: 'debug', binary: '*' });
    assert.equal(raised.status, 202);
    assert.equal(raised.text, '');
    await world.get('//healthcheck', { project: null });
    assert.deepEqual(requests(), ['/healthcheck']);
    assert.equal((await put(world, 'get-log', { binary: 'cinder-api' })).body.log_levels[0].levels.pumice, 'DEBUG');
    await put(world, 'set-log', { level: 'WARNING' });
    const before = written.length;
    await world.get('//healthcheck', { project: null });
    assert.equal(written.length, before);
    assert.equal((await put(world, 'get-log', {})).body.log_levels[0].levels.pumice, 'WARNING');
  });

  it('is asked for by binary, by server and by the beginning of a logger', async (context) => {
    const { world } = await logging(context);
    const found = async (body: object) =>
      (await put(world, 'get-log', body)).body.log_levels.map(({ host }: { host: string }) => host);
    assert.deepEqual(await found({ binary: 'cinder-volume' }), ['node@file']);
    assert.deepEqual(await found({ binary: 'cinder-backup' }), []);
    assert.deepEqual(await found({ server: 'node@file' }), ['node@file']);
    assert.deepEqual(await found({ server: 'node' }), ['node', 'node', 'node@file']);
    assert.deepEqual(await found({ server: 'nobody' }), []);
    const levels = async (prefix: string) => (await put(world, 'get-log', { prefix })).body.log_levels[0].levels;
    assert.deepEqual(await levels('cinder.'), { pumice: 'INFO' });
    assert.deepEqual(await levels('sqlalchemy'), {});
    await put(world, 'set-log', { level: 'DEBUG', prefix: 'sqlalchemy' });
    await put(world, 'set-log', { level: 'DEBUG', server: 'nobody' });
    assert.deepEqual(await levels(''), { pumice: 'INFO' });
  });

  it('of another process is not changed here, which is said', async (context) => {
    const { world } = await logging(context);
    await beat(world, { host: 'node2@file' });
    const server = 'node2@file';
    assert.equal(await status(put(world, 'set-log', { level: 'DEBUG', server })), 400);
    assert.equal(await status(put(world, 'get-log', { server })), 400);
  });

  it("must be one there is, and is nobody's business before 3.32", async (context) => {
    const { world } = await logging(context);
    for (const level of ['loud', '', null, undefined, 7])
      assert.equal(await status(put(world, 'set-log', { level })), 400, String(level));
    assert.equal(await status(put(world, 'set-log', { level: 'DEBUG', binary: 'nova-api' })), 400);
    assert.equal(await status(put(world, 'set-log', { level: 'DEBUG' }, '3.31')), 404);
    assert.equal(await status(put(world, 'get-log', {}, '3.31')), 404);
  });
});
