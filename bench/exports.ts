/**
 * What a client of a volume sees, over iSCSI: how long its writes wait when the volume is extended under it, and how fast they
 * are with the one worker thread that this needs, beside two.
 */

import { uuid } from '../src/lib/clock.ts';
import { type Exec, exec } from '../src/lib/exec.ts';
import { calm } from '../test/drivers/driver-world.ts';
import { attached as attach } from '../test/drivers/exports/export-changes.ts';
import type { IscsiSession } from '../test/drivers/exports/iscsi-session.ts';
import { noTgt, tgtWorld, withWorkers } from '../test/drivers/exports/tgt-world.ts';
import type { Part } from './part.ts';
import { quantity, type Result, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import type { World } from './world.ts';

const GROWS = 20;
const WRITES = 20_000;
const FLUSHES = 100;
/** Writes between two flushes. */
const BETWEEN = 16;

interface Measured {
  readonly calmMs: number;
  readonly grownMs: number;
  readonly writesPerSecond: number;
  readonly flushesPerSecond: number;
}

export const exports: Part = {
  limit:
    "The pause is that of a target's own change of size; the rate with one worker thread is limited by that of " +
    'two.',
  measure: measureExports,
};

async function measureExports(world: World): Promise<Result[]> {
  if (noTgt !== null) return [{ figure: 'writes over iSCSI', skipped: noTgt }];
  const { one, two } = await rounds(
    world.rounds,
    { one: () => measure(world, exec), two: () => measure(world, withWorkers(2)) },
    world.tell,
  );
  const each = (of: readonly Measured[], key: keyof Measured): number[] => of.map((round) => round[key]);
  const compared = (figure: string, key: keyof Measured, unit: string): Result => ({
    figure,
    measured: quantity(each(one, key), unit),
    beside: { what: 'two workers', quantity: quantity(each(two, key), unit) },
    ratio: ratios(each(one, key), each(two, key)),
  });
  return [
    {
      figure: 'longest write while the volume is extended, iSCSI',
      measured: quantity(each(one, 'grownMs'), 'ms'),
      beside: { what: 'as many writes in calm', quantity: quantity(each(one, 'calmMs'), 'ms') },
      ratio: ratios(each(one, 'grownMs'), each(one, 'calmMs')),
      wanted: { of: 'measured', atMost: 100 },
    },
    compared('4 KiB writes, 16 at once, iSCSI, one worker', 'writesPerSecond', '/s'),
    compared(`flushes beside them, one in ${BETWEEN}`, 'flushesPerSecond', '/s'),
  ];
}

async function measure({ directory, haste }: World, run: Exec): Promise<Measured> {
  const world = await tgtWorld(run, directory);
  try {
    const { wanted, writer } = await attach(world, { id: uuid(), sizeGiB: 1 });
    const session = writer.client as IscsiSession;
    const writesPerSecond = await perSecond(WRITES / haste, () => writer.goesOn(WRITES / haste));
    const flushesPerSecond = await perSecond(FLUSHES / haste, async () => {
      for (let flushes = 0; flushes < FLUSHES / haste; flushes += 1) {
        await writer.goesOn(BETWEEN);
        await session.flush();
      }
    });
    writer.longestMs = 0;
    const before = writer.written.answered;
    for (let sizeGiB = 2; sizeGiB < 2 + GROWS; sizeGiB += 1) {
      await world.driver.extendVolume(wanted.volume, sizeGiB, calm());
      await writer.goesOn();
    }
    // Another round's daemon ends its sessions instead.
    const grownMs = writer.longestMs;
    const writes = writer.written.answered - before;
    writer.longestMs = 0;
    await writer.goesOn(writes);
    const calmMs = writer.longestMs;
    const { lost, failed } = await writer.stop();
    if (lost + failed > 0) throw new Error(`${lost} writes are lost, ${failed} failed.`);
    return { calmMs, grownMs, writesPerSecond, flushesPerSecond };
  } finally {
    await world.cleanup();
  }
}

async function perSecond(count: number, body: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await body();
  return (count * 1000) / (performance.now() - begun);
}
