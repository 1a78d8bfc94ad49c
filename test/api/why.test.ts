/** `why` by our own API and on the command line: the same answer, to whom it may be given. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { why } from '../../src/cli/why.ts';
import { uuid } from '../../src/lib/clock.ts';
import { shortId } from '../../src/why/short-id.ts';
import { beginFlow } from '../cli/begin-flow.ts';
import { capturedCommand } from '../cli/captured.ts';
import { makeVolume } from '../db/rows.ts';
import { identityWorld } from './identity-world.ts';
import { freshWorld, PROJECT } from './world.ts';

const WHY = '//pumice/v1/why';
/** Grows while time passes. */
const still = (text: string): string => text.replaceAll(/\d+(\.\d+)? (ms|s|min)\b|"spent_ms":\d+/g, '…');

describe('why', () => {
  it('is the same on the command line, by a whole id or the beginning of a flow’s', async (context) => {
    const world = await freshWorld(context);
    const { id } = await world.volume({ status: 'creating', name: 'web-3' });
    const flow = await beginFlow(world.service.db, `volume:${id}`, { projectId: PROJECT });
    const { data_directory, database } = world.config;
    const options = { set: [`data_directory=${data_directory}`, `database.url=${database.url}`], json: true };
    for (const [typed, asked] of [
      [id, id],
      [flow, flow],
      [shortId(flow), flow],
      [`${shortId(flow)}…`, flow],
      [`volume:${id}`, `volume:${id}`],
    ] as const) {
      const { around, out } = capturedCommand();
      assert.equal(await why(typed, options, around), 0);
      const answer = await world.get(`${WHY}/${asked}`);
      assert.equal(still(JSON.stringify(JSON.parse(out.text))), still(answer.text));
      assert.equal(answer.body.flow.id, flow);
    }
    const { around, out } = capturedCommand();
    await why(id, { set: options.set }, around);
    assert.match(out.text, /^web-3 {2}volume:.* waiting\n {2}status {5}creating\n {2}what/);
  });

  it('of what nobody knows is not found, and the command line says so', async (context) => {
    const world = await freshWorld(context);
    for (const asked of [uuid(), 'req-1', 'volume:', 'planet:earth'])
      assert.equal((await world.ask('GET', `${WHY}/${asked}`)).status, 404, asked);
    const { data_directory, database } = world.config;
    const set = [`data_directory=${data_directory}`, `database.url=${database.url}`];
    await assert.rejects(why('ffff', { set }, capturedCommand().around), { name: 'Complaint', message: /"ffff"/ });
  });

  it('is told to a user of the own project alone, without hosts', async (context) => {
    const world = await identityWorld(context);
    const token = await world.signIn('bob');
    const ask = (path: string) => world.ask('GET', path, { project: null, headers: { 'x-auth-token': token } });
    const { project_id: projectId } = (await ask('//pumice/v1/whoami')).body;
    const { db } = world.service;
    const mine = await makeVolume(db, { projectId });
    const foreign = await makeVolume(db, { projectId: 'another' });
    const flow = await beginFlow(db, `volume:${mine.id}`, {
      projectId,
      lane: 'host:secret@file',
      requestId: 'req-mine',
    });
    await beginFlow(db, `volume:${foreign.id}`, { projectId: 'another', requestId: 'req-foreign' });
    for (const asked of [mine.id, flow, 'req-mine']) {
      const answer = await ask(`${WHY}/${asked}`);
      assert.deepEqual([answer.status, answer.body.waits_for.text], [200, 'Nobody runs it: it waits for a server.']);
      assert.doesNotMatch(answer.text, /secret/);
    }
    for (const asked of [foreign.id, 'req-foreign']) assert.equal((await ask(`${WHY}/${asked}`)).status, 404);
  });
});
