/** *Why* of anything that has an id, as it is read from the database. */
import assert from 'node:assert/strict';
import { insertAttachment } from '../../src/db/attachments.ts';
import type { Database } from '../../src/db/database.ts';
import { lateTimesOf } from '../../src/db/usual-times.ts';
import { uuid } from '../../src/lib/clock.ts';
import { readWhy } from '../../src/why/read-why.ts';
import { beginFlow } from '../cli/begin-flow.ts';
import { makeSnapshot, makeVolume } from '../db/rows.ts';
import { proveStore } from '../prove-store.ts';

const AT = '2026-01-01T00:00:00.000000';

/** A flow that has ended, with one world task that took so many seconds. */
async function ended(database: Database, id: string, name: string, seconds: number, state = 'success'): Promise<void> {
  const at = `2026-01-01T00:00:${String(seconds).padStart(2, '0')}.000000`;
  await database.write(async ({ db }) => {
    await db
      .insertInto('flow')
      .values({
        id,
        name,
        version: 3,
        lane: 'control',
        state: state as 'success',
        input: '{}',
        owner: null,
        epoch: 1,
        seq: 1,
        claims: 0,
        resource: `volume:${id}`,
        project_id: 'p',
        request_id: `req-${id}`,
        created_at: AT,
        updated_at: at,
        ended_at: at,
      })
      .execute();
    await db
      .insertInto('flow_step')
      .values({ flow_id: id, seq: 0, node: 'make', event: 'done', attempt: 1, data: 'null', started_at: AT, at })
      .execute();
  });
}

proveStore('why', (test) => {
  test('is known of a thing, its flow and its request, with and without the kind', async ({ database }) => {
    const volume = await makeVolume(database, { name: 'web-3', status: 'creating' });
    const flow = await beginFlow(database, `volume:${volume.id}`, { requestId: 'req-1', projectId: volume.projectId });
    for (const [asked, about] of [
      [volume.id, `volume:${volume.id}`],
      [`volume:${volume.id}`, `volume:${volume.id}`],
      [flow, `flow:${flow}`],
      [`flow:${flow}`, `flow:${flow}`],
      ['req-1', 'request:req-1'],
      ['request:req-1', 'request:req-1'],
    ] as const) {
      const told = await readWhy(database, asked);
      assert.deepEqual([told?.about, told?.flow?.id, told?.state], [about, flow, 'waiting'], asked);
    }
    const told = await readWhy(database, volume.id);
    assert.deepEqual([told?.name, told?.status], ['web-3', 'creating']);
  });

  test('is not known of what there is not, nor for whom it is not', async ({ database }) => {
    const { id } = await makeVolume(database);
    for (const asked of [uuid(), 'req-2', `snapshot:${id}`, `flow:${id}`, 'planet:x', 'volume:', ''])
      assert.equal(await readWhy(database, asked), undefined, asked);
    assert.equal(await readWhy(database, id, () => undefined), undefined);
  });

  test('of a thing at rest says so, and of one whose row is gone tells what was last', async ({ database }) => {
    const volume = await makeVolume(database, { status: 'available' });
    assert.deepEqual((await readWhy(database, volume.id))?.state, 'rest');
    const snapshot = await makeSnapshot(database, volume);
    assert.deepEqual((await readWhy(database, snapshot.id))?.about, `snapshot:${snapshot.id}`);
    await ended(database, 'f1', 'delete_volume', 3);
    const gone = await readWhy(database, 'volume:f1');
    assert.deepEqual([gone?.state, gone?.status, gone?.flow?.id], ['done', null, 'f1']);
    assert.match(gone?.what.text ?? '', /is gone/);
  });

  test('of an attachment tells what is at work on its volume', async ({ database }) => {
    const volume = await makeVolume(database, { status: 'attaching' });
    const flow = await beginFlow(database, `volume:${volume.id}`);
    const id = uuid();
    const { projectId } = volume;
    await database.write((tx) =>
      insertAttachment(tx, { id, projectId, volumeId: volume.id, attachMode: 'rw', attachStatus: 'attaching' }),
    );
    const told = await readWhy(database, id);
    assert.deepEqual([told?.about, told?.flow?.id, told?.status], [`attachment:${id}`, flow, 'attaching']);
  });

  test('says which of several flows at work on a thing has it, and which are beside it', async ({ database }) => {
    const volume = await makeVolume(database, { status: 'available' });
    const shared = [{ resource: `volume:${volume.id}`, mode: 'shared' }] as const;
    const first = await beginFlow(database, `snapshot:${uuid()}`, { holds: shared });
    const second = await beginFlow(database, `snapshot:${uuid()}`, { holds: shared });
    const told = await readWhy(database, volume.id);
    assert.deepEqual([told?.flow?.id, told?.others], [first, [second]]);
  });

  test('knows the usual time of a task from the flows that succeeded last, and no other', async ({ database }) => {
    for (const [index, seconds] of [4, 50, 6].entries()) await ended(database, `f${index}`, 'create_volume', seconds);
    await ended(database, 'f8', 'create_volume', 59, 'reverted');
    await ended(database, 'f9', 'delete_volume', 58);
    const times = await lateTimesOf(database.read, 'create_volume', 'make');
    assert.deepEqual(
      times.sort((a, b) => a - b),
      [4_000, 6_000, 50_000],
    );
    assert.deepEqual(await lateTimesOf(database.read, 'create_volume', 'other'), []);
    assert.deepEqual(await lateTimesOf(database.read, 'paint_volume', 'make'), []);
  });

  test('names the service of a flow that nobody runs', async ({ database }) => {
    const flow = await beginFlow(database, `volume:${uuid()}`, { lane: 'host:node7@east' });
    const told = await readWhy(database, flow);
    assert.match(told?.waits_for?.text ?? '', /a server that serves node7@east, which was never seen/);
  });
});
