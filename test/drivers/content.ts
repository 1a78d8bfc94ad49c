/** What volumes, snapshots and images hold in the proof of a driver, and whether they still do. */
import assert from 'node:assert/strict';
import type { ManageRef, ObjectName, VolumeRef } from '../../src/drivers/driver.ts';
import { calm, type DriverWorld, theVolume } from './driver-world.ts';

export const GIB = 1024 ** 3;
export const MIB = 1024 ** 2;

/** Where volumes hold data; everything else is zero. */
export const BLOCKS = [0, 3 * 4096, 8 * MIB + 512, 700 * MIB, GIB - 65_536];
export const BLOCK_BYTES = 65_536;

export function block(of: string, at: number): Buffer {
  return Buffer.alloc(BLOCK_BYTES, `${of} ${at} `);
}

/** Half a GiB and one sector. */
export const MANAGED_BYTES = 512 * MIB + 512;

export async function begins(world: DriverWorld, object: ObjectName): Promise<void> {
  assert.deepEqual(await world.driver.probe(object, calm().signal), { is: 'present', bytes: MANAGED_BYTES });
  same(await world.read(object, 0, BLOCK_BYTES), block('foreign', 0));
}

export async function isGivenBack(world: DriverWorld, object: ObjectName, ref: ManageRef): Promise<void> {
  await isGone(world, object);
  same(await world.readForeign(ref, BLOCK_BYTES), block('foreign', 0));
}

export async function holds(world: DriverWorld, object: ObjectName, bytes: number, of: string): Promise<void> {
  assert.deepEqual(await world.driver.probe(object, calm().signal), { is: 'present', bytes });
  for (const at of BLOCKS) {
    const found = await world.read(object, at, BLOCK_BYTES);
    assert.ok(found.equals(expected(of, at)), `${object.kind} differs at ${at}`);
  }
  for (const at of [4 * MIB, 300 * MIB, bytes - BLOCK_BYTES]) {
    if (BLOCKS.includes(at)) continue;
    assert.ok(
      (await world.read(object, at, BLOCK_BYTES)).equals(Buffer.alloc(BLOCK_BYTES)),
      `${object.kind} not zero at ${at}`,
    );
  }
}

/** The block at 12288 lies over the one at 0. */
function expected(of: string, at: number): Buffer {
  const own = block(of, at);
  if (at === BLOCKS[0]) block(of, 3 * 4096).copy(own, 3 * 4096);
  return own;
}

export async function holdsZeroes(world: DriverWorld, volume: VolumeRef): Promise<void> {
  const bytes = volume.sizeGiB * GIB;
  assert.deepEqual(await world.driver.probe(theVolume(volume), calm().signal), { is: 'present', bytes });
  for (const at of [...BLOCKS, bytes - BLOCK_BYTES]) {
    assert.ok(
      (await world.read(theVolume(volume), at, BLOCK_BYTES)).equals(Buffer.alloc(BLOCK_BYTES)),
      `not zero at ${at}`,
    );
  }
}

export async function isGone(world: DriverWorld, object: ObjectName): Promise<void> {
  assert.deepEqual(await world.driver.probe(object, calm().signal), { is: 'absent' });
}

/** Not `deepEqual`, which takes minutes to print how two blocks differ. */
export function same(found: Buffer, expected: Buffer): void {
  const begin = (of: Buffer): string => JSON.stringify(of.toString('latin1', 0, 16));
  assert.ok(found.equals(expected), `found ${begin(found)}, not ${begin(expected)}`);
}
