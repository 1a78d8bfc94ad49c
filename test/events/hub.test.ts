import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Change, Hub, type HubSource, type Watcher } from '../../src/events/hub.ts';

/** Events in memory, their place being their number; each look takes a while. */
class Source implements HubSource {
  readonly all: Change[] = [];
  moved: Change[] = [];
  /** No event before it is kept. */
  kept = 0;
  looks = 0;
  broken = false;

  add(key: string, projectId: string | null = 'p', text = `{"key":"${key}"}`): void {
    this.all.push({ key, projectId, own: text, full: text.replace('{', '{"full":1,') });
  }

  async version(): Promise<unknown> {
    this.looks += 1;
    await this.#answer();
    return `${this.all.length} ${this.moved.length}`;
  }

  async end(): Promise<string | null> {
    await this.#answer();
    return this.all.length === 0 ? null : String(this.all.length);
  }

  async isPlace(text: string): Promise<boolean> {
    await this.#answer();
    return /^\d+$/.test(text) && Number(text) > this.kept && Number(text) <= this.all.length;
  }

  isBehind = (place: string | null, other: string | null): boolean => Number(place) > Number(other);

  after = async (place: string | null, limit: number) => {
    await this.#answer();
    const from = Number(place);
    return this.all.slice(from, from + limit).map((change, n) => ({ place: String(from + n + 1), change }));
  };

  flows = async (): Promise<readonly Change[]> => this.moved.splice(0);

  async #answer(): Promise<void> {
    await delay(Math.random() * 2);
    if (this.broken) throw new Error('no database');
  }
}

interface Frame {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly keys: readonly string[];
}

class TestWatcher implements Watcher {
  readonly projectId: string | null;
  readonly frames: Frame[] = [];
  readonly buffers: Buffer[] = [];
  ended = false;

  constructor(projectId: string | null = null) {
    this.projectId = projectId;
  }

  send(frame: Buffer): void {
    this.buffers.push(frame);
    const text = frame.toString();
    assert.ok(text.endsWith('\n\n'));
    const line = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1];
    const { changes = [] } = JSON.parse(line('data') ?? '{}') as {
      readonly changes?: readonly { readonly key: string }[];
    };
    this.frames.push({ id: line('id'), event: line('event'), keys: changes.map(({ key }) => key) });
  }

  end(): void {
    this.ended = true;
  }

  get keys(): string[] {
    return this.frames.flatMap(({ keys }) => keys);
  }

  get last(): string | undefined {
    return this.frames.findLast(({ id }) => id !== undefined)?.id;
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 20_000; !condition(); await delay(2))
    assert.ok(performance.now() < deadline, `never happened: ${condition}`);
}

async function watching(context: TestContext, hub: Hub, watcher: TestWatcher, from?: string): Promise<TestWatcher> {
  await hub.watch(watcher, from);
  context.after(() => hub.leave(watcher));
  return watcher;
}

describe('the hub', () => {
  test('tells who comes without a place to read everything, and then each change', async (context) => {
    const source = new Source();
    source.add('old');
    const watcher = await watching(context, new Hub(source), new TestWatcher());
    assert.deepEqual(watcher.frames, [{ id: '1', event: 'reset', keys: [] }]);
    source.add('a');
    await until(() => watcher.frames.length === 2);
    assert.deepEqual(watcher.frames[1], { id: '2', event: 'changes', keys: ['a'] });
  });

  test('tells who comes back what it missed, and nothing twice', async (context) => {
    const source = new Source();
    for (const key of ['a', 'b', 'c']) source.add(key);
    const hub = new Hub(source);
    const watcher = await watching(context, hub, new TestWatcher(), '1');
    assert.deepEqual(watcher.frames, [{ id: '3', event: 'changes', keys: ['b', 'c'] }]);
    source.add('d');
    await until(() => watcher.frames.length === 2);
    const none = await watching(context, hub, new TestWatcher(), '4');
    assert.deepEqual(none.frames, [{ id: '4', event: undefined, keys: [] }]);
  });

  test('tells who comes with no good place, or missed too much, to read everything', async (context) => {
    const source = new Source();
    for (let n = 0; n < 1_200; n += 1) source.add(`k${n % 3}`);
    source.kept = 100;
    const hub = new Hub(source);
    for (const from of ['', 'nonsense', '1201', '100', '150']) {
      const watcher = await watching(context, hub, new TestWatcher(), from);
      assert.deepEqual(watcher.frames, [{ id: '1200', event: 'reset', keys: [] }], from);
    }
    const watcher = await watching(context, hub, new TestWatcher(), '300');
    assert.deepEqual(watcher.frames, [{ id: '1200', event: 'changes', keys: ['k0', 'k1', 'k2'] }]);
  });

  test('tells a project its own, in its own form, and renders that once', async (context) => {
    const source = new Source();
    const hub = new Hub(source);
    const watchers = [null, 'p', 'p', 'q', 'r'].map((project) => new TestWatcher(project));
    const [all, mine, too, other, none] = watchers as [TestWatcher, TestWatcher, TestWatcher, TestWatcher, TestWatcher];
    for (const watcher of watchers) await watching(context, hub, watcher);
    source.add('of-p', 'p');
    source.add('of-q', 'q');
    source.add('of-nobody', null);
    await until(() => all.keys.length === 3 && other.keys.length === 1);
    assert.deepEqual([mine.keys, other.keys, none.keys], [['of-p'], ['of-q'], []]);
    assert.equal(mine.buffers.at(-1), too.buffers.at(-1));
    assert.match(String(all.buffers.at(-1)), /"full":1/);
    assert.doesNotMatch(String(mine.buffers.at(-1)), /full|of-q/);
    const late = await watching(context, hub, new TestWatcher('q'), '1');
    assert.deepEqual(late.keys, ['of-q']);
  });

  test('of a thing that changes again and again tells the last state, and not each', async (context) => {
    const source = new Source();
    const hub = new Hub(source);
    const watcher = await watching(context, hub, new TestWatcher());
    for (let n = 1; n <= 300; n += 1) {
      source.add('busy', 'p', `{"key":"busy","n":${n}}`);
      if (n % 10 === 0) await delay(2);
    }
    await until(() => watcher.last === '300');
    assert.match(String(watcher.buffers.at(-1)), /"n":300\}\]/);
    assert.ok(watcher.frames.length < 100, String(watcher.frames.length));
  });

  test('of a thing that goes from one project to another tells both', async (context) => {
    const source = new Source();
    const hub = new Hub(source);
    const [giver, taker] = [new TestWatcher('p'), new TestWatcher('q')];
    for (const watcher of [giver, taker]) await watching(context, hub, watcher);
    source.add('moved', 'p');
    source.add('moved', 'q');
    await until(() => giver.keys.length === 1 && taker.keys.length === 1);
  });

  test('tells of flows without a new place', async (context) => {
    const source = new Source();
    source.add('a');
    const watcher = await watching(context, new Hub(source), new TestWatcher());
    source.moved.push({ key: 'flow:1', projectId: 'p', own: '{"key":"flow:1"}', full: '{"key":"flow:1"}' });
    await until(() => watcher.keys.includes('flow:1'));
    assert.equal(watcher.last, '1');
  });

  test('tells who would have to be told too much at once to read everything', async (context) => {
    const source = new Source();
    const watcher = await watching(context, new Hub(source), new TestWatcher());
    for (let n = 0; n < 100; n += 1) source.add(`k${n}`, 'p', `{"key":"k${n}","long":"${'x'.repeat(1_000)}"}`);
    await until(() => watcher.last === '100');
    assert.ok(watcher.frames.filter(({ event }) => event === 'reset').length > 1);
    assert.ok(watcher.buffers.every(({ length }) => length < 40_000));
  });

  test('asks nothing when nobody watches, and begins again when somebody does', async (context) => {
    const source = new Source();
    const hub = new Hub(source);
    assert.equal(source.looks, 0);
    const watcher = await watching(context, hub, new TestWatcher());
    hub.leave(watcher);
    let looks = -1;
    for (const deadline = performance.now() + 20_000; looks !== source.looks; await delay(200)) {
      assert.ok(performance.now() < deadline, 'It goes on looking.');
      looks = source.looks;
    }
    source.add('a');
    const again = await watching(context, hub, new TestWatcher());
    source.add('b');
    await until(() => again.keys.length === 1);
    assert.deepEqual([again.keys, watcher.keys], [['b'], []]);
  });

  test('lets nobody in while the database is in trouble, and goes on when that is over', async (context) => {
    const source = new Source();
    const hub = new Hub(source);
    source.broken = true;
    await assert.rejects(hub.watch(new TestWatcher(), undefined), /no database/);
    source.broken = false;
    const watcher = await watching(context, hub, new TestWatcher());
    source.broken = true;
    source.add('a');
    const looks = source.looks;
    await until(() => source.looks > looks + 1);
    await assert.rejects(hub.watch(new TestWatcher(), '1'), /no database/);
    source.broken = false;
    await until(() => watcher.keys.includes('a'));
  });

  test('ends all streams when the server does', async () => {
    const hub = new Hub(new Source());
    const watchers = [new TestWatcher(), new TestWatcher('p')];
    for (const watcher of watchers) await hub.watch(watcher, undefined);
    hub.end();
    assert.deepEqual(
      watchers.map(({ ended }) => ended),
      [true, true],
    );
  });

  test('whoever comes and goes and comes back is told of each change, in its order', async () => {
    const source = new Source();
    source.add('first');
    const hub = new Hub(source);
    const written: string[] = [];
    const all = 400;
    let came = 0;
    const comeAndGo = async (): Promise<string[]> => {
      const keys: string[] = [];
      let from: string | undefined;
      for (let done = false; !done; ) {
        done = written.length === all;
        const watcher = new TestWatcher();
        await hub.watch(watcher, from);
        if (from === undefined) came += 1;
        const resets = watcher.frames.filter(({ event }) => event === 'reset').length;
        assert.equal(resets, from === undefined ? 1 : 0);
        await delay(Math.random() * 120);
        if (done) await until(() => watcher.last === String(all + 1));
        hub.leave(watcher);
        from = watcher.last;
        keys.push(...watcher.keys);
      }
      return keys;
    };
    const watchers = Array.from({ length: 8 }, comeAndGo);
    await until(() => came === watchers.length);
    for (let n = 0; n < all; n += 1) {
      source.add(`k${n}`);
      written.push(`k${n}`);
      await delay(Math.random() * 3);
    }
    for (const keys of await Promise.all(watchers)) assert.deepEqual(keys, written);
  });
});
