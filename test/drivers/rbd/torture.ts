/**
 * `npm run torture:rbd`: each operation of the RBD driver killed at random moments, its process with its helper and its programs; whoever takes its
 * place fences it, looks that nothing is half made, asks again, and compares content and leftovers.
 *
 *   npm run torture:rbd -- [--rounds 10] [--only WORDS] [--seed NUMBER]
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { elapsed, pause, uuid } from '../../../src/lib/clock.ts';
import { exec } from '../../../src/lib/exec.ts';
import { noRbd } from '../../ceph-cluster.ts';
import { calm, perform } from '../driver-world.ts';
import { unharmed } from '../faulty-exec.ts';
import { type Images, makeImages } from '../images/images.ts';
import { EXPORT_OPERATIONS, OPERATIONS, type Operation, type Scene } from '../operations.ts';
import { Pools, rbdWorld } from './rbd-world.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    seed: { type: 'string' },
  },
});
if (noRbd) {
  console.log(`Skipped: ${noRbd}`);
  process.exit(0);
}
const { signal } = calm();
const rounds = Number(values.rounds);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
let state = seed;
/** 0…1, the same again with the same seed. */
const chance = (): number => {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
  return state / 2 ** 31;
};

const pools = new Pools();
const images = await makeImages();
let failed = false;
console.log(`seed ${seed}, ${rounds} rounds`);
for (const operation of [...OPERATIONS, ...EXPORT_OPERATIONS]) {
  if (!operation.title.includes(values.only)) continue;
  await torture(operation).catch((error: unknown) => {
    failed = true;
    console.log(operation.title.padEnd(60), 'FAILED', error);
  });
}
await pools.end();
await images.remove();
process.exit(failed ? 1 : 0);

async function torture(operation: Operation): Promise<void> {
  const found = new Map<string, number>();
  let [killed, longestMs, slowestMs] = [0, 0, 0];
  for (let round = 0; round <= rounds; round += 1) {
    const scene = await enter(images);
    const { world } = scene;
    try {
      await operation.prepare(scene);
      // The first one ends by itself, and says how long it takes.
      const tookMs = await strike(scene, operation, round === 0 ? null : chance() * longestMs * 1.05);
      if (round === 0) longestMs = tookMs;
      else if (tookMs < 0) killed += 1;
      const begun = elapsed();
      await world.succeed?.();
      const left = await world.leftovers();
      const object = operation.makes?.(scene);
      const probe = object === undefined ? null : await world.driver.probe(object, signal);
      const seen = `${probe?.is ?? '-'}${left.length > 0 ? ` and ${left.length} left` : ''}`;
      found.set(seen, (found.get(seen) ?? 0) + 1);
      if (operation.replaces !== undefined) await Promise.any([operation.replaces(scene), operation.done(scene)]);
      else if (probe?.is === 'present') await operation.done(scene);
      await perform(world.driver, operation.request(scene), calm());
      slowestMs = Math.max(slowestMs, elapsed() - begun);
      await operation.done(scene);
      await world.driver.sweep(new Set(), signal);
      assert.deepEqual(await world.leftovers(), []);
    } finally {
      await world.cleanup();
    }
  }
  const states = JSON.stringify(Object.fromEntries(found));
  console.log(
    operation.title.padEnd(60),
    `killed ${killed} of ${rounds}; found ${states}; again in ${Math.round(slowestMs)} ms or less`,
  );
}

/** Milliseconds that it took, or -1 when it was killed in the middle. */
async function strike(scene: Scene, operation: Operation, afterMs: number | null): Promise<number> {
  const child = scene.world.elsewhere(operation.request(scene));
  const ended = once(child, 'exit');
  assert.ok(child.stdout);
  await Promise.race([once(child.stdout, 'data'), ended]);
  const begun = elapsed();
  if (afterMs !== null) await Promise.race([pause(afterMs, signal, { ref: true }), ended]);
  else await ended;
  const alive = child.exitCode === null && child.signalCode === null;
  child.kill('SIGKILL');
  await ended;
  assert.ok(alive || child.exitCode === 0, `the other process ended with ${child.exitCode}`);
  return alive ? -1 : elapsed() - begun;
}

async function enter(images: Images): Promise<Scene> {
  const world = await rbdWorld(pools, exec, unharmed);
  const source = { id: uuid(), sizeGiB: 1 };
  const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
  return {
    world,
    source,
    snapshot,
    target: { id: uuid(), sizeGiB: 2 },
    images,
    ref: {},
    located: { path: '', bytes: 0 },
  };
}
