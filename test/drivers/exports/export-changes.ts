/**
 * What is done to a volume, or beside it, while a client that checks has it open and writes. Whatever it is, no write that was
 * answered is lost.
 */
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import type { ExportRef, VolumeDriver, VolumeRef } from '../../../src/drivers/driver.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { GIB } from '../content.ts';
import { calm, type DriverWorld } from '../driver-world.ts';
import { CheckingWriter } from './checking-writer.ts';

export interface Attached {
  readonly wanted: ExportRef;
  readonly writer: CheckingWriter;
}

export interface ExportChange {
  readonly title: string;
  /** `is` goes on writing meanwhile. */
  readonly make: (world: DriverWorld, is: Attached) => Promise<void>;
  /** It takes the writing away, so that writes may fail. */
  readonly ends?: boolean;
}

export const EXPORT_CHANGES: readonly ExportChange[] = [
  {
    title: 'it is extended a hundred times',
    make: async ({ driver }, is) => {
      for (let sizeGiB = 2; sizeGiB <= 101; sizeGiB += 1) await grownUnder(driver, is, sizeGiB);
    },
  },
  {
    title: 'it is opened again to the same attachment',
    make: async ({ driver }, { wanted, writer }) => {
      for (let times = 0; times < 10; times += 1) {
        await driver.ensureExport(wanted, calm());
        await writer.goesOn();
      }
    },
  },
  {
    title: 'it is opened to a second attachment, extended, and closed to it again',
    make: async ({ driver }, is) => {
      for (let sizeGiB = 2; sizeGiB < 7; sizeGiB += 1) {
        const second = { ...is.wanted, attachmentId: uuid() };
        await driver.ensureExport(second, calm());
        await grownUnder(driver, is, sizeGiB);
        await driver.removeExport(second, calm());
        await is.writer.goesOn();
      }
    },
  },
  {
    title: 'another volume is opened, extended and closed beside it',
    make: async ({ driver }, { wanted, writer }) => {
      for (let times = 0; times < 5; times += 1) {
        const volume = { id: uuid(), sizeGiB: 1 };
        await driver.createVolume(volume, calm());
        const beside = { ...wanted, attachmentId: uuid(), volume };
        await driver.ensureExport(beside, calm());
        await driver.extendVolume(volume, 2, calm());
        await driver.removeExport(beside, calm());
        await driver.deleteVolume(volume, calm());
        await writer.goesOn();
      }
    },
  },
  {
    title: 'it is snapshotted and cloned',
    make: async ({ driver }, { wanted: { volume }, writer }) => {
      await driver.createSnapshot({ id: uuid(), volumeId: volume.id, sizeGiB: 1 }, calm());
      await driver.createClonedVolume({ id: uuid(), sizeGiB: 1 }, volume, calm());
      await writer.goesOn();
    },
  },
  {
    title: 'its process is followed by another, which opens and extends it',
    make: async (world, is) => {
      for (let sizeGiB = 2; sizeGiB < 12; sizeGiB += 1) {
        const next = await world.restarted();
        assert.ok((await next.listExports(calm().signal)).length > 0);
        await next.ensureExport(is.wanted, calm());
        await grownUnder(next, is, sizeGiB);
      }
    },
  },
  {
    title: 'it becomes read-only, and is opened for writing again',
    ends: true,
    make: async ({ driver }, { wanted, writer }) => {
      for (let times = 0; times < 5; times += 1) {
        await driver.ensureExport({ ...wanted, readOnly: true }, calm());
        await driver.ensureExport(wanted, calm());
        await writer.goesOn();
      }
    },
  },
];

/** A volume that is made, and opened to a client that writes so many blocks at once. */
export async function attached(world: DriverWorld, volume: VolumeRef, depth?: number): Promise<Attached> {
  const wanted = {
    attachmentId: uuid(),
    volume,
    connector: { host: hostname(), initiator: 'iqn.2004-10.test:initiator' },
    readOnly: false,
    secret: 'abcdefghijklmnop',
  };
  await world.driver.createVolume(volume, calm());
  const info = await world.driver.ensureExport(wanted, calm());
  const writer = await CheckingWriter.start(await world.client(wanted, info), await world.backing(volume), depth);
  return { wanted, writer };
}

export async function grownUnder(driver: VolumeDriver, { wanted, writer }: Attached, sizeGiB: number): Promise<void> {
  await driver.extendVolume(wanted.volume, sizeGiB, calm());
  assert.equal(await writer.client.bytes(), sizeGiB * GIB);
  await writer.goesOn();
}

export async function keptAll({ writer }: Attached, { ends = false }: { readonly ends?: boolean } = {}): Promise<void> {
  await writer.goesOn();
  const { lost, failed } = await writer.stop();
  assert.deepEqual({ lost, failed: ends ? 0 : failed }, { lost: 0, failed: 0 });
}
