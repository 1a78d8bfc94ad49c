/**
 * Any flow, whatever fails and whenever its processes die: in the end every task that started is kept (the flow
 * succeeded) or reverted, exactly in reverse order, or the flow is stuck and says so; records have run as often as the
 * journal says; no hold is left.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  type Ground,
  type Kind,
  type Life,
  memoryGround,
  proveEngine,
  until,
  type World,
  worldOn,
} from './journals.ts';
import { buildFlow, nameOf, plant, type Story, stories, tell } from './random-flows.ts';

const RUNS = { memory: 400, SQLite: 80, PostgreSQL: 30 } as const;

proveEngine('any flow', (test) => {
  test('ends kept, undone or stuck, and leaves nothing else', async (w) => {
    const outcomes: Record<string, number> = {};
    await fc.assert(
      fc.asyncProperty(stories, async (story) => {
        const ground = w.kind === 'memory' ? memoryGround() : w.ground;
        const state = await live(w.kind, ground, story);
        outcomes[state] = (outcomes[state] ?? 0) + 1;
      }),
      { numRuns: RUNS[w.kind] },
    );
    assert.ok((outcomes.success ?? 0) > 0 && (outcomes.reverted ?? 0) > 0, JSON.stringify(outcomes));
  });
});

let flows = 0;

async function live(kind: Kind, ground: Ground, story: Story): Promise<string> {
  const lives: Life[] = [];
  const w = worldOn(kind, ground, lives);
  const there = new Set<string>();
  const flow = buildFlow(story, there);
  plant(story, w.tools);
  flows += 1;
  const id = `random-${flows}`;
  const before = await w.ground.rows();
  const lanes = ['host:a', 'host:b'];
  try {
    const options = { id, holds: [{ resource: 'thing:1', mode: 'exclusive' }] } as const;
    if (story.cancelAt === -1) {
      const idle = await w.live([flow], { concurrency: 0 });
      await w.begin(idle, flow, {}, options);
      await idle.engine.wish(id, 'cancel', 'by chance');
      await idle.die();
    }
    for (const [index, crash] of [...story.crashes, undefined].entries()) {
      const faults = {
        ...(crash ? { crash } : {}),
        onWrite: async (write: number) => {
          if (index === 0 && write === story.cancelAt) await lives[0]?.engine.wish(id, 'cancel', 'by chance');
        },
      };
      const life = await w.live([flow], { lanes, faults });
      if (index === 0 && story.cancelAt !== -1) await w.begin(life, flow, {}, options);
      await Promise.race([life.journal.death, w.settled(life, id).catch(() => {})]);
      if (crash) await life.die();
    }
    return await rests(w, lives.at(-1) as Life, id, flow, there, before);
  } finally {
    for (const life of lives) {
      await life.engine.stop();
      await w.ground.living(life.engine.process, false);
    }
  }
}

async function rests(
  w: World,
  life: Life,
  id: string,
  flow: ReturnType<typeof buildFlow>,
  there: ReadonlySet<string>,
  before: Readonly<Record<string, string>>,
): Promise<string> {
  let row = await w.settled(life, id);
  const { state } = row;
  let steps = await w.ground.journal.steps(id);
  if (state === 'stuck') {
    assert.equal(steps.at(-1)?.event, 'revert_failed');
    assert.deepEqual(await w.ground.holds(), ['thing:1 exclusive']);
    for (const name of Object.keys(w.tools.on)) if (name.startsWith('-')) delete w.tools.on[name];
    assert.equal(await life.engine.wish(id, 'resume', 'mended'), true);
    row = await w.settled(life, id);
    // A try that was stuck in its undoing is followed by another.
    const tried = flow.nodes.some(({ kind }) => kind === 'span');
    assert.ok(row.state === 'reverted' || (tried && row.state === 'success'), row.state);
    steps = await w.ground.journal.steps(id);
  }
  await until(() => life.engine.running().length === 0, 'rest');
  const rejected = steps.filter(({ event }) => event === 'rejected').length;
  for (const node of flow.nodes) if (node.kind === 'span') assert.ok(rejected < node.options.limit(w.tools as never));
  const told = tell(flow, steps);
  const worldly = new Set(
    flow.nodes
      .flatMap((node) => (node.kind === 'task' ? [node] : node.kind === 'parallel' ? node.branches : []))
      .filter(({ record }) => !record)
      .map(({ path }) => nameOf(path)),
  );
  const kept = [...told.kept].filter((name) => worldly.has(name)).sort();
  assert.deepEqual([...there].sort(), kept, 'what is there');
  if (row.state === 'reverted') assert.deepEqual([...told.kept], [], 'all is undone');
  assert.deepEqual(await w.ground.holds(), []);
  const after = await w.ground.rows();
  for (const node of flow.nodes) {
    if (node.kind !== 'task' || !node.record) continue;
    const name = nameOf(node.path);
    const times = (key: string): number => Number(after[key] ?? 0) - Number(before[key] ?? 0);
    if (node.body.execute) assert.equal(times(name), told.done.get(name) ?? 0, `${name} is done`);
    assert.equal(times(`-${name}`), told.undone.get(name) ?? 0, `${name} is undone`);
  }
  const started = flow.nodes.findIndex((node) => node.kind !== 'task' || node.body.execute !== undefined);
  for (const owed of flow.nodes.slice(0, started))
    assert.equal(told.undone.get(owed.path) ?? 0, row.state === 'reverted' ? 1 : 0, `${owed.path} is put right`);
  return state;
}
