/**
 * The service as `src/main.ts serve` runs it, with a fault planted in it that the proof must notice.
 *
 *     node test/crash/faulty-main.ts CONFIG FAULT
 */
import { DirectoryStore } from '../../src/backups/stores/directory-store.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { GlanceImages } from '../../src/clients/glance.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import type { DriverCall, VolumeRef } from '../../src/drivers/driver.ts';
import { FileDriver } from '../../src/drivers/file/file-driver.ts';
import type { Claimed } from '../../src/engine/journal.ts';
import { pause } from '../../src/lib/clock.ts';
import { readConfig } from '../../src/lib/config/read-config.ts';
import { createLog } from '../../src/lib/logging.ts';
import { DriverFailed, UploadedImageWrong } from '../../src/model/errors.ts';
import { wire } from '../../src/wiring.ts';

/** Nothing is wrong with it; it only goes on for a while after it has lost what it owned, as a process may that is slow. */
const SLOW_TO_NOTICE = 'slow-to-notice';
const SLOWLY_MS = 2_000;

const PLANTED: Readonly<Record<string, () => void>> = {
  [SLOW_TO_NOTICE]() {},

  /** A delete that was done before the kill fails when it is done again. */
  'delete-fails-when-gone'() {
    const { deleteVolume } = FileDriver.prototype;
    FileDriver.prototype.deleteVolume = async function (this: FileDriver, volume: VolumeRef, call: DriverCall) {
      const found = await this.probe({ ...volume, kind: 'volume' }, call.signal);
      if (found.is === 'absent') throw new DriverFailed(`Volume ${volume.id} is not there.`);
      await deleteVolume.call(this, volume, call);
    };
  },

  /** A volume of 7 GiB ends the process while it is made; the others take longer than that. */
  'dies-of-a-size'() {
    const { createVolume } = FileDriver.prototype;
    FileDriver.prototype.createVolume = async function (this: FileDriver, volume: VolumeRef, call: DriverCall) {
      if (volume.sizeGiB === 7) {
        await pause(100, call.signal);
        process.kill(process.pid, 'SIGKILL');
      }
      await pause(1_000, call.signal);
      return createVolume.call(this, volume, call);
    };
  },

  /** An image that the image service did not keep whole is said to be there. */
  'uploads-are-believed'() {
    const { upload } = GlanceImages.prototype;
    GlanceImages.prototype.upload = async function (this: GlanceImages, ...asked: Parameters<typeof upload>) {
      await upload.apply(this, asked).catch((error: unknown) => {
        if (!(error instanceof UploadedImageWrong)) throw error;
      });
    };
  },

  /** What a backup that is gone was made of is said to be removed. */
  'packs-are-left'() {
    const remove = DirectoryStore.prototype.delete;
    DirectoryStore.prototype.delete = async function (this: DirectoryStore, name: string, signal: AbortSignal) {
      if (!name.includes('/packs/')) await remove.call(this, name, signal);
    };
  },

  /** A process that is frozen is overtaken while it still has its hands on the backend. */
  'backend-not-held'() {
    FileDriver.prototype.hold = async () => true;
  },

  /** Overtaken too, it then writes its journal over its successor's: whoever writes is taken for the owner. */
  'journal-without-fence'() {
    FileDriver.prototype.hold = async () => true;
    const { append, transact } = DatabaseJournal.prototype;
    const asOwner = async (journal: DatabaseJournal, claimed: Claimed): Promise<Claimed> => {
      const { epoch, seq } = (await journal.find(claimed.id)) ?? claimed;
      return { ...claimed, epoch, seq };
    };
    DatabaseJournal.prototype.append = async function (claimed, write) {
      await append.call(this, await asOwner(this, claimed), write);
    };
    DatabaseJournal.prototype.transact = async function (claimed, make) {
      await transact.call(this, await asOwner(this, claimed), make);
    };
  },
};

const [file, fault = SLOW_TO_NOTICE] = process.argv.slice(2);
const plant = PLANTED[fault];
if (plant === undefined) throw new Error(`There is no fault called ${fault}: ${Object.keys(PLANTED).join(', ')}.`);
plant();

const config = readConfig(file);
const service = await wire(config, createLog({ level: config.log.level }), {
  lost: () => setTimeout(() => process.exit(EXIT.databaseLost), SLOWLY_MS),
});
process.once('SIGTERM', () => service.stop().then(() => process.exit(0)));
await service.start();
await service.listen();
