/**
 * Flows that kill their processes, among others that do not. The worlds are drawn by chance; who is innocent is told by who
 * never kills, and the engine must find that out by deaths alone.
 */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { Gate } from './gate.ts';
import {
  type Ground,
  type Kind,
  type Life,
  memoryGround,
  proveEngine,
  REQUEST,
  until,
  type World,
  worldOn,
} from './journals.ts';
import { type Call, flow, makes } from './tasks.ts';

const RUNS = { memory: 100, SQLite: 15, PostgreSQL: 8 } as const;
const NODES = ['a', 'b', 'c'] as const;

/** A flow of three tasks. It kills its process whenever it comes to `kills`, after so many milliseconds. */
interface Actor {
  /** In which life it begins. */
  readonly from: number;
  readonly ms: number;
  readonly kills: (typeof NODES)[number] | '-a' | '-b' | null;
  /** Its last task fails. */
  readonly fails: boolean;
}

interface Course {
  readonly maxClaims: number;
  /** Lives at once. */
  readonly processes: number;
  /** Each nth life is stopped in order soon after it has begun; none, when 0. */
  readonly stopEvery: number;
}

const innocent: fc.Arbitrary<Actor> = fc.record({
  from: fc.nat(8),
  ms: fc.nat(6),
  kills: fc.constant(null),
  fails: fc.boolean(),
});
const culprit: fc.Arbitrary<Actor> = fc.oneof(
  fc.record({ from: fc.nat(8), ms: fc.nat(6), kills: fc.constantFrom(...NODES), fails: fc.constant(false) }),
  fc.record({ from: fc.nat(8), ms: fc.nat(6), kills: fc.constantFrom('-a', '-b'), fails: fc.constant(true) }),
);
const worlds = fc.record({
  innocents: fc.array(innocent, { minLength: 1, maxLength: 24 }),
  culprits: fc.array(culprit, { maxLength: 4 }),
  maxClaims: fc.integer({ min: 1, max: 6 }),
  processes: fc.integer({ min: 1, max: 2 }),
  stopEvery: fc.constantFrom(0, 2, 3),
});

/** Innocents that wait among culprits for their last chance: whoever is claimed once too often pays for it. */
const WAITING: Course & { innocents: Actor[]; culprits: Actor[] } = {
  innocents: [
    { from: 1, ms: 3, kills: null, fails: false },
    { from: 1, ms: 3, kills: null, fails: true },
  ],
  culprits: [
    { from: 1, ms: 3, kills: '-b', fails: true },
    { from: 0, ms: 0, kills: '-a', fails: true },
    { from: 1, ms: 0, kills: 'a', fails: false },
  ],
  maxClaims: 1,
  processes: 1,
  stopEvery: 0,
};

const three = flow<{ n: number }>('three').add(makes('a')).add(makes('b')).add(makes('c')).build({ version: 1 });

proveEngine('whoever kills its process', (test) => {
  test('is taken back or stuck, and nobody else is, whoever and how many they are', async (w) => {
    await fc.assert(
      fc.asyncProperty(worlds, async ({ innocents, culprits, processes, ...course }) => {
        await play(w.kind, w.kind === 'memory' ? memoryGround() : w.ground, [...innocents, ...culprits], {
          ...course,
          processes: w.kind === 'PostgreSQL' || w.kind === 'memory' ? processes : 1,
        });
      }),
      { numRuns: RUNS[w.kind], examples: [[WAITING]] },
    );
  });
});

proveEngine('a quarantine', (test) => {
  /** Flows that stand at `a` until they are let go; `at` tells who has come there in this life. */
  class Stage {
    readonly at: number[] = [];
    readonly #w: World;
    #gates = new Map<number, Gate>();

    constructor(w: World) {
      this.#w = w;
      w.tools.on.a = ({ input, context }) => {
        const n = Number(input.n);
        this.at.push(n);
        return this.#gate(n).pass({ context });
      };
    }

    begin(life: Life, n: number): Promise<string> {
      return this.#w.begin(life, three, { n }, { id: `flow-${n}` });
    }

    letGo(n: number): void {
      this.#gate(n).open();
    }

    async dies(life: Life): Promise<void> {
      life.journal.die();
      for (const gate of this.#gates.values()) gate.open();
      await life.die();
      this.#gates = new Map();
      this.at.length = 0;
    }

    #gate(n: number): Gate {
      const gate = this.#gates.get(n) ?? new Gate();
      this.#gates.set(n, gate);
      return gate;
    }
  }

  const succeeds = async (w: World, life: Life, n: number): Promise<void> =>
    assert.equal((await w.settled(life, `flow-${n}`)).state, 'success');
  const many = Array.from({ length: 30 }, (_, n) => n);

  test('is for nobody after one death: all are taken up at once', async (w) => {
    const stage = new Stage(w);
    const first = await w.live([three]);
    for (const n of many) await stage.begin(first, n);
    await until(() => stage.at.length === many.length, 'all have begun');
    await stage.dies(first);
    const life = await w.live([three]);
    await until(() => stage.at.length === many.length, 'all have begun again');
    for (const n of many) stage.letGo(n);
    for (const n of many) await succeeds(w, life, n);
  });

  test('holds back suspects after the second death, lets others go on as they are cleared, and hinders nobody new', async (w) => {
    const stage = new Stage(w);
    let life = await w.live([three]);
    for (const n of many) await stage.begin(life, n);
    for (let death = 0; death < 2; death += 1) {
      await until(() => stage.at.length === many.length, 'all have begun');
      await stage.dies(life);
      life = await w.live([three]);
    }
    await until(() => stage.at.length > 0, 'some have begun');
    stage.letGo(99);
    await stage.begin(life, 99);
    await succeeds(w, life, 99);
    const suspects = stage.at.filter((n) => n !== 99);
    assert.equal(suspects.length, 16);
    stage.letGo(suspects[0] as number);
    await until(() => stage.at.length === 18, 'another is taken up for the one that is cleared');
    for (const n of many) stage.letGo(n);
    for (const n of many) await succeeds(w, life, n);
  });

  test('lets nothing run beside a last chance, not even what is begun here', async (w) => {
    const stage = new Stage(w);
    const options = { maxClaims: 2, aloneMs: 20_000 };
    let life = await w.live([three], options);
    for (const n of [0, 1]) await stage.begin(life, n);
    for (let death = 0; death < 2; death += 1) {
      await until(() => stage.at.length === 2, 'both have begun');
      await stage.dies(life);
      life = await w.live([three], options);
    }
    await until(() => stage.at.length === 1, 'one has begun');
    await stage.begin(life, 2);
    await pause(40);
    assert.deepEqual(stage.at, [0]);
    stage.letGo(0);
    await until(() => stage.at.length === 2, 'the next has begun');
    await pause(40);
    assert.deepEqual(stage.at, [0, 1]);
    stage.letGo(1);
    stage.letGo(2);
    for (const n of [0, 1, 2]) await succeeds(w, life, n);
    assert.deepEqual(stage.at, [0, 1, 2]);
  });

  /** A flow whose owner is taken for alive until `dies` says otherwise: then it has its last chance. */
  async function orphan(w: World, stage: Stage, options: object): Promise<{ dies(): Promise<void> }> {
    const owner = await w.live([three], options);
    await stage.begin(owner, 0);
    await until(() => stage.at.length === 1, 'it has begun');
    await stage.dies(owner);
    await w.ground.living(owner.engine.process, true);
    return { dies: () => w.ground.living(owner.engine.process, false) };
  }

  /** Resolves when it has seen what was in the queue before this. */
  async function looksAtQueue({ journal }: Life): Promise<void> {
    const claim = journal.claim.bind(journal);
    let looks = 0;
    journal.claim = async (request) => {
      const rows = await claim(request);
      looks += 1;
      return rows;
    };
    // The first may have begun before.
    await until(() => looks > 1, 'it has looked');
  }

  test('waits until nothing runs before it gives a last chance', async (w) => {
    const stage = new Stage(w);
    const options = { maxClaims: 1, aloneMs: 20_000 };
    const owner = await orphan(w, stage, options);
    const life = await w.live([three], { ...options, ground: await w.ground.other() });
    await stage.begin(life, 1);
    await until(() => stage.at.length === 1, 'it has begun');
    await owner.dies();
    await looksAtQueue(life);
    await stage.begin(life, 2);
    await pause(40);
    assert.deepEqual(stage.at, [1]);
    for (const n of [1, 2]) stage.letGo(n);
    await until(() => stage.at.includes(0), 'it has its last chance');
    await pause(40);
    assert.deepEqual(stage.at, [1, 0]);
    stage.letGo(0);
    for (const n of [0, 1, 2]) await succeeds(w, life, n);
  });

  test('keeps apart a last chance and what is being begun when it is given', async (w) => {
    const stage = new Stage(w);
    const options = { maxClaims: 1, aloneMs: 20_000 };
    const owner = await orphan(w, stage, options);
    const life = await w.live([three], { ...options, ground: await w.ground.other() });
    await life.ground.transaction(async (tx) => {
      await life.engine.begin(tx, three, { n: 1 }, { ...REQUEST, id: 'flow-1' });
      await owner.dies();
      await pause(40);
    });
    await until(() => stage.at.length === 1, 'one has begun');
    await pause(40);
    assert.equal(stage.at.length, 1);
    stage.letGo(stage.at[0] as number);
    await until(() => stage.at.length === 2, 'the other has begun');
    for (const n of [0, 1]) stage.letGo(n);
    for (const n of [0, 1]) await succeeds(w, life, n);
  });

  test('lets all go on in the end beside a last chance that takes long, and beside one that waits long', async (w) => {
    const stage = new Stage(w);
    const options = { maxClaims: 1, aloneMs: 30 };
    const owner = await orphan(w, stage, options);
    const life = await w.live([three], { ...options, ground: await w.ground.other() });
    await stage.begin(life, 1);
    await until(() => stage.at.length === 1, 'it has begun');
    await owner.dies();
    await until(() => stage.at.includes(0), 'it runs beside what does not end');
    stage.letGo(2);
    await stage.begin(life, 2);
    await succeeds(w, life, 2);
    for (const n of [0, 1]) stage.letGo(n);
    for (const n of [0, 1]) await succeeds(w, life, n);
  });

  /** When it looks at the queue, and there are flows that wait, but before the quarantine is asked which are taken up. */
  const whenItLooks = ({ ground: { journal } }: Life, then: () => void): void => {
    const claim = journal.claim.bind(journal);
    const looking: typeof claim = (request) =>
      claim({
        ...request,
        admit: (waiting) => {
          if (waiting.length > 0) then();
          return request.admit(waiting);
        },
      });
    Object.assign(journal, { claim: looking });
  };

  test('is asked nothing by a process that has died meanwhile', async (w) => {
    const stage = new Stage(w);
    const owner = await orphan(w, stage, {});
    const life = await w.live([three], { ground: await w.ground.other() });
    whenItLooks(life, () => life.journal.die());
    await owner.dies();
    await life.journal.death;
    await life.die();
    assert.equal((await w.ground.journal.find('flow-0'))?.epoch, 1);
  });

  test('admits nobody to a process that was told to stop meanwhile', async (w) => {
    const stage = new Stage(w);
    const owner = await orphan(w, stage, {});
    const life = await w.live([three], { ground: await w.ground.other() });
    const stopped = new Promise<void>((resolve) => whenItLooks(life, () => resolve(life.engine.stop())));
    await owner.dies();
    await stopped;
    assert.equal((await w.ground.journal.find('flow-0'))?.epoch, 1);
  });

  test('judges one whose processes died again and again: it is told to the log, with its node', async (w) => {
    let life = await w.live([three], { maxClaims: 2 });
    w.tools.on.b = () => w.kill();
    await w.begin(life, three, { n: 0 }, { id: 'guilty' });
    for (let death = 0; death < 3; death += 1) {
      await life.journal.death;
      await life.die();
      life = await w.live([three], { maxClaims: 2 });
    }
    assert.equal((await w.settled(life, 'guilty')).state, 'reverted');
    const told = life.events.flatMap((event) => (event.is === 'flow-poisonous' ? [[event.task, event.claims]] : []));
    assert.deepEqual(told, [['b', 3]]);
    assert.match((await w.failure('guilty', 'cancelled')).message, /died 3 times in a row while it stood at b/);
  });
});

let played = 0;

async function play(
  kind: Kind,
  ground: Ground,
  actors: readonly Actor[],
  { maxClaims, processes, stopEvery }: Course,
): Promise<void> {
  const lives: Life[] = [];
  const w = worldOn(kind, ground, lives);
  played += 1;
  const idOf = (n: number): string => `w${played}-${n}`;
  const kill = (flowId: string): void =>
    lives.find(({ engine, journal }) => !journal.dead && engine.running().includes(flowId))?.journal.die();
  const at =
    (node: string) =>
    async ({ input, context }: Call): Promise<void> => {
      const actor = actors[Number(input.n)] as Actor;
      await pause(actor.ms);
      if (actor.kills === node) kill(context.flowId);
      if (node === 'c' && actor.fails) throw new Error('no room');
    };
  for (const node of [...NODES, '-a', '-b', '-c']) w.tools.on[node] = at(node);
  const begun = new Set<number>();
  const start = async (): Promise<void> => {
    const life = await w.live([three], { maxClaims, aloneMs: 20_000 });
    for (const [n, { from }] of actors.entries()) {
      if (begun.has(n) || from > lives.length - 1) continue;
      // One that is not begun since the process died is begun in the next.
      const id = await w.begin(life, three, { n }, { id: idOf(n) }).catch(() => undefined);
      if (id !== undefined || (await w.ground.journal.find(idOf(n))) !== undefined) begun.add(n);
    }
  };
  const rests = async (): Promise<boolean> =>
    (await w.ground.journal.list({ unended: true })).every(({ state }) => state === 'stuck');
  try {
    while (begun.size < actors.length || !(await rests())) {
      assert.ok(lives.length < 400, 'it comes to rest');
      const living = lives.filter(({ journal }) => !journal.dead);
      if (living.length < processes || begun.size < actors.length) await start();
      else await Promise.race([...living.map(({ journal }) => journal.death), pause(2)]);
      for (const [n, life] of lives.entries()) {
        const stops = stopEvery > 0 && n % stopEvery === stopEvery - 1;
        if (stops && !life.journal.dead) await life.engine.stop();
        if (stops || life.journal.dead) await life.die();
      }
    }
    for (const [n, actor] of actors.entries()) {
      const row = await w.ground.journal.find(idOf(n));
      const failures = (await w.ground.journal.steps(idOf(n))).flatMap((step) =>
        step.event === 'failed' || step.event === 'cancelled' || step.event === 'revert_failed'
          ? step.data.failure.name
          : [],
      );
      const told = `${n} ${JSON.stringify(actor)} of ${maxClaims}: ${row?.state}, ${failures}`;
      if (actor.kills === null) {
        assert.ok(!failures.includes('Poisonous'), told);
        assert.equal(row?.state, actor.fails ? 'reverted' : 'success', told);
      } else {
        assert.ok(failures.includes('Poisonous'), told);
        assert.equal(row?.state, actor.kills.startsWith('-') ? 'stuck' : 'reverted', told);
      }
    }
  } finally {
    for (const life of lives) if (!life.journal.dead) await life.die();
  }
}
