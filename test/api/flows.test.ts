/** Flows by our own API: the list and its pages, a story, orders, and what a project's users see of them. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { showFlow } from '../../src/cli/flows-show.ts';
import { insertMessage } from '../../src/db/messages.ts';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { fromNow, uuid } from '../../src/lib/clock.ts';
import { beginFlow } from '../cli/begin-flow.ts';
import { capturedCommand } from '../cli/captured.ts';
import { identityWorld } from './identity-world.ts';
import { type Answer, freshWorld, PROJECT, USER, until, type World } from './world.ts';

const FLOWS = '//pumice/v1/flows';
const idsOf = ({ body }: Answer): string[] => body.flows.map(({ id }: { readonly id: string }) => id);

async function set(
  { service }: World,
  id: string,
  values: { readonly [column: string]: string | null },
): Promise<void> {
  await service.db.write(({ db }) => db.updateTable('flow').set(values).where('id', '=', id).execute());
}

/** Three of the tests' project, stuck, failed and in flight, and one of another. */
async function scene(context: TestContext) {
  const world = await freshWorld(context);
  const { db } = world.service;
  const mine = { projectId: PROJECT, requestId: 'req-of-mine' };
  const stuck = await beginFlow(db, 'volume:v1', { ...mine, name: 'extend_volume' });
  await set(world, stuck, { state: 'stuck' });
  const failed = await beginFlow(db, 'volume:v3', { ...mine, holds: [] });
  await set(world, failed, { state: 'reverted', ended_at: fromNow(0) });
  const running = await beginFlow(db, 'snapshot:s1', { ...mine, name: 'create_snapshot' });
  const foreign = await beginFlow(db, 'volume:v9', { projectId: 'another' });
  return { world, stuck, failed, running, foreign };
}

describe('the list of flows', () => {
  it('is newest first, and filtered by state, name, resource, project and whether they have ended', async (context) => {
    const { world, stuck, failed, running, foreign } = await scene(context);
    for (const [query, expected] of [
      ['', [foreign, running, failed, stuck]],
      ['?unended=true', [foreign, running, stuck]],
      ['?state=stuck', [stuck]],
      ['?state=reverted', [failed]],
      ['?name=create_snapshot', [running]],
      ['?resource=volume:v1', [stuck]],
      ['?resource=s1', [running]],
      ['?resource=v1&state=reverted', []],
      ['?project_id=another', [foreign]],
      [`?project_id=${PROJECT}&unended=1`, [running, stuck]],
    ] as const)
      assert.deepEqual(idsOf(await world.get(`${FLOWS}${query}`)), expected, query);
  });

  it('goes on at a marker until nothing is next', async (context) => {
    const { world, stuck, failed, running, foreign } = await scene(context);
    const first = await world.get(`${FLOWS}?limit=2`);
    assert.deepEqual([idsOf(first), first.body.next], [[foreign, running], running]);
    const second = await world.get(`${FLOWS}?limit=2&marker=${first.body.next}`);
    assert.deepEqual([idsOf(second), second.body.next], [[failed, stuck], null]);
    assert.deepEqual((await world.get(`${FLOWS}?limit=0`)).body, { flows: [], next: null });
    assert.equal((await world.ask('GET', `${FLOWS}?marker=${uuid()}`)).status, 404);
  });

  it('refuses a filter, a state and a number that mean nothing', async (context) => {
    const world = await freshWorld(context);
    for (const query of ['colour=red', 'state=happy', 'limit=-1', 'unended=perhaps'])
      assert.equal((await world.ask('GET', `${FLOWS}?${query}`)).status, 400, query);
  });
});

describe('the story of a flow', () => {
  it('is what the command line prints for programs, with the messages of its request', async (context) => {
    const world = await freshWorld(context, { running: true });
    const extraSpecs = { volume_backend_name: 'nowhere' };
    await world.service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold', extraSpecs }));
    const made = await world.ask('POST', '/volumes', { body: { volume: { size: 1, volume_type: 'gold' } } });
    assert.equal(made.status, 202, made.text);
    const { body } = await until(
      () => world.ask('GET', `${FLOWS}?resource=volume:${made.body.volume.id}`),
      (answer) => answer.body.flows[0]?.ended_at !== null && answer.body.flows.length === 1,
    );
    const [{ id }] = body.flows;
    const story = (await world.get(`${FLOWS}/${id}`)).body;
    assert.deepEqual([story.state, story.now, story.next], ['reverted', null, []]);
    assert.ok(story.steps.length > 1);
    assert.deepEqual(
      story.messages.map(({ event_id }: { readonly event_id: string }) => event_id),
      ['VOLUME_VOLUME_001_003'],
    );
    const { around, out } = capturedCommand();
    const config = [`data_directory=${world.config.data_directory}`, `database.url=${world.config.database.url}`];
    assert.equal(await showFlow(id, { set: config, json: true }, around), 0);
    assert.deepEqual(JSON.parse(out.text), story);
  });

  it('has messages of its own request and resource only', async (context) => {
    const { world, stuck } = await scene(context);
    const message = {
      projectId: PROJECT,
      requestId: 'req-of-mine',
      resourceType: 'VOLUME',
      resourceId: 'v1',
      eventId: 'VOLUME_VOLUME_001_003',
      level: 'ERROR',
      expiresAt: fromNow(3_600_000),
    };
    await world.service.db.write(async (tx) => {
      await insertMessage(tx, { ...message, text: 'of this flow' });
      await insertMessage(tx, { ...message, text: 'of another request', requestId: 'req-2' });
      await insertMessage(tx, { ...message, text: 'of another resource', resourceId: 'v2' });
      await insertMessage(tx, { ...message, text: 'expired', expiresAt: fromNow(-1) });
    });
    const { body } = await world.get(`${FLOWS}/${stuck}`);
    assert.deepEqual(
      body.messages.map(({ user_message }: { readonly user_message: string }) => user_message),
      ['of this flow'],
    );
  });

  it('of a flow that is not there is not found', async (context) => {
    const world = await freshWorld(context);
    assert.equal((await world.ask('GET', `${FLOWS}/${uuid()}`)).status, 404);
  });
});

describe('an order to a flow', () => {
  it('is kept with its reason and who gave it', async (context) => {
    const { world, stuck } = await scene(context);
    const { status, body } = await world.ask('POST', `${FLOWS}/${stuck}/action`, {
      body: { resume: { reason: 'there is room again' } },
    });
    assert.deepEqual([status, body.id, body.wish], [202, stuck, 'resume']);
    assert.match(body.wish_reason, new RegExp(`^there is room again \\(${USER} of project ${PROJECT}, req-.*\\)$`));
    const shown = (await world.get(`${FLOWS}/${stuck}`)).body;
    assert.equal(shown.wish_reason, body.wish_reason);
  });

  it('that makes no sense is refused and leaves nothing', async (context) => {
    const { world, stuck, failed, running } = await scene(context);
    for (const [id, wish, said] of [
      [failed, 'cancel', /has ended: reverted/],
      [running, 'resume', /not stuck but pending; only a stuck one can be resumed/],
      [running, 'abandon', /only a stuck one can be abandoned/],
      [stuck, 'cancel', /stuck in a revert/],
    ] as const) {
      const { status, text } = await world.ask('POST', `${FLOWS}/${id}/action`, { body: { [wish]: {} } });
      assert.equal(status, 409, text);
      assert.match(text, said);
      assert.equal((await world.get(`${FLOWS}/${id}`)).body.wish, null);
    }
    const nowhere = await world.ask('POST', `${FLOWS}/${uuid()}/action`, { body: { cancel: {} } });
    assert.equal(nowhere.status, 404);
    for (const body of [
      { dance: {} },
      { cancel: { because: 'x' } },
      { cancel: null },
      { cancel: { reason: 'x'.repeat(256) } },
    ])
      assert.equal((await world.ask('POST', `${FLOWS}/${running}/action`, { body })).status, 400, JSON.stringify(body));
  });
});

describe('a user who is no administrator', () => {
  it('sees the flows of the own project alone, without hosts, and orders nothing', async (context) => {
    const world = await identityWorld(context);
    const token = await world.signIn('bob');
    const ask = (method: string, path: string, body?: unknown): Promise<Answer> =>
      world.ask(method, path, {
        project: null,
        headers: { 'x-auth-token': token },
        ...(body !== undefined && { body }),
      });
    const { project_id: projectId } = (await ask('GET', '//pumice/v1/whoami')).body;
    const { db } = world.service;
    const mine = await beginFlow(db, 'volume:v1', { projectId, lane: 'host:secret@file' });
    const foreign = await beginFlow(db, 'volume:v2', { projectId: 'another' });
    for (const [query, expected] of [
      ['', [mine]],
      ['?unended=true', [mine]],
      ['?project_id=another', []],
      [`?project_id=${projectId}`, [mine]],
      ['?resource=volume:v2', []],
    ] as const) {
      const answer = await ask('GET', `${FLOWS}${query}`);
      assert.deepEqual(idsOf(answer), expected, query);
      assert.doesNotMatch(answer.text, /secret/);
    }
    const shown = await ask('GET', `${FLOWS}/${mine}`);
    assert.deepEqual([shown.status, shown.body.lane], [200, null]);
    assert.equal((await ask('GET', `${FLOWS}/${foreign}`)).status, 404);
    assert.equal((await ask('GET', `${FLOWS}?marker=${foreign}`)).status, 404);
    for (const id of [mine, foreign])
      assert.equal((await ask('POST', `${FLOWS}/${id}/action`, { cancel: {} })).status, 403);
  });
});
