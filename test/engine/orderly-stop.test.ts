import assert from 'node:assert/strict';
import { Gate } from './gate.ts';
import { type Life, proveEngine, until, type World } from './journals.ts';
import { flow, makes } from './tasks.ts';

const MAX_CLAIMS = 2;

proveEngine('a stop in order', (test) => {
  const three = flow<object>('three').add(makes('a')).add(makes('b')).add(makes('c')).build({ version: 1 });
  const live = (w: World): Promise<Life> => w.live([three], { maxClaims: MAX_CLAIMS });
  const claimsOf = async (w: World, id: string): Promise<number | undefined> =>
    (await w.ground.journal.find(id))?.claims;

  /** A flow has come to `b` for the nth time. */
  const stands = (w: World, times: number): Promise<void> =>
    until(() => {
      assert.ok(!w.tools.did.includes('-b interrupted'), 'it is not taken back');
      return w.tools.did.filter((what) => what === '+b').length === times;
    }, 'it stands at b');

  async function stops(w: World, life: Life): Promise<void> {
    await life.engine.stop();
    await w.ground.living(life.engine.process, false);
  }

  /** A flow waits at `b`, and processes end there as they are told, one after the other. Resolves with the last, at work again. */
  async function livesEnd(w: World, ends: readonly ('stop' | 'SIGKILL')[]) {
    const gate = new Gate();
    w.tools.on.b = gate.pass;
    let life = await live(w);
    const id = await w.begin(life, three, {});
    for (const [index, end] of ends.entries()) {
      await stands(w, index + 1);
      await (end === 'stop' ? stops(w, life) : life.die());
      life = await live(w);
    }
    await stands(w, ends.length + 1);
    return { id, life, gate };
  }

  test('is counted against no flow, however many come in the midst of one task', async (w) => {
    const { id, life, gate } = await livesEnd(w, Array(MAX_CLAIMS + 2).fill('stop'));
    assert.equal(await claimsOf(w, id), 1);
    assert.ok(life.events.some((event) => event.is === 'flow-started' && event.recovered));
    gate.open();
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+a', ...Array(MAX_CLAIMS + 3).fill('+b'), '+c']);
  });

  test('takes no death back: a flow has its last chance after it, and is judged, as without it', async (w) => {
    const ends = ['SIGKILL', 'stop', 'SIGKILL', 'stop', 'stop'] as const;
    const { id, life } = await livesEnd(w, ends);
    assert.equal(await claimsOf(w, id), MAX_CLAIMS);
    await life.die();
    assert.equal((await w.settled(await live(w), id)).state, 'reverted');
    assert.equal((await w.failure(id, 'cancelled')).name, 'Poisonous');
    assert.deepEqual(w.tools.did, ['+a', ...Array(ends.length + 1).fill('+b'), '-b interrupted', '-a done']);
  });

  test('is not counted against a flow that was claimed and had not begun', async (w) => {
    const { id, life: owner } = await livesEnd(w, []);
    await owner.die();
    await w.ground.living(owner.engine.process, true);
    const life = await live(w);
    const stopped = whenItAdmits(life, () => stops(w, life));
    await w.ground.living(owner.engine.process, false);
    await stopped;
    assert.equal((await w.ground.journal.find(id))?.owner, life.engine.process);
    await live(w);
    await stands(w, 2);
    assert.equal(await claimsOf(w, id), 1);
  });

  test('is not counted when the process is killed while it waits for a task that is deaf to its signal', async (w) => {
    let gate = new Gate();
    w.tools.on.b = () => gate.passDeaf();
    const first = await live(w);
    const id = await w.begin(first, three, {});
    await stands(w, 1);
    first.journal.die();
    gate.open();
    await first.die();
    gate = new Gate();
    const second = await live(w);
    await stands(w, 2);
    const stopped = stops(w, second);
    await until(async () => (await claimsOf(w, id)) === 0, 'the claim is handed back').finally(() => {
      second.journal.die();
      gate.open();
    });
    await stopped;
    gate = new Gate();
    const third = await live(w);
    const claims = await claimsOf(w, id);
    gate.open();
    assert.equal(claims, 1);
    assert.equal((await w.settled(third, id)).state, 'success');
  });
});

/** The first time that it has admitted a flow that waits. Resolves when what is done then is done. */
function whenItAdmits({ ground: { journal } }: Life, then: () => Promise<void>): Promise<void> {
  const claim = journal.claim.bind(journal);
  return new Promise((resolve) => {
    const admitting: typeof claim = (request) =>
      claim({
        ...request,
        admit: (waiting) => {
          const admission = request.admit(waiting);
          if (waiting.length === 0) return admission;
          Object.assign(journal, { claim });
          resolve(then());
          return admission;
        },
      });
    Object.assign(journal, { claim: admitting });
  });
}
