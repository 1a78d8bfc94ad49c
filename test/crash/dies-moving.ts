/**
 * Imported before `src/main.ts` (`--import`): kills the process, as SIGKILL does, where DIES_AT says of a volume that moves while it is
 * attached.
 */
import { HeldWorkers } from '../../src/drivers/exports/held-workers.ts';
import { Tgtd } from '../../src/drivers/exports/tgtd.ts';
import { FileDriver } from '../../src/drivers/file/file-driver.ts';

const place = process.env.DIES_AT;

function dies(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

const { receiveLive, goOn } = FileDriver.prototype;
const { bind, letGo } = HeldWorkers.prototype;
const { run } = Tgtd.prototype;

const PLACES: Readonly<Record<string, () => void>> = {
  /** All of it was copied as it was at first. */
  copied() {
    FileDriver.prototype.receiveLive = function (this: FileDriver, volume, source, ...rest) {
      let moments = 0;
      const moment = () => (++moments === 2 ? dies() : source.moment());
      return receiveLive.call(this, volume, { ...source, moment }, ...rest);
    };
  },
  /** Its clients wait for the last bite. */
  held() {
    FileDriver.prototype.receiveLive = function (this: FileDriver, volume, source, ...rest) {
      const hold = async () => {
        await source.hold();
        await dies();
      };
      return receiveLive.call(this, volume, { ...source, hold }, ...rest);
    };
  },
  /** The new file has its name. */
  received() {
    FileDriver.prototype.receiveLive = async function (this: FileDriver, ...args) {
      await receiveLive.apply(this, args);
      return dies();
    };
  },
  /** Nobody has said yet which file counts. */
  bound() {
    HeldWorkers.prototype.bind = async function (this: HeldWorkers) {
      await bind.call(this);
      await dies();
    };
  },
  /** The row says that the new file counts, and clients have the old one open. */
  committed() {
    FileDriver.prototype.goOn = () => dies();
  },
  /** One of two units has the new file open, the other the old one. */
  half() {
    Tgtd.prototype.run = async function (this: Tgtd, args, signal) {
      const said = await run.call(this, args, signal);
      return args.some((word) => word.includes(',path=')) ? dies() : said;
    };
  },
  /** All have the new file open, and still wait. */
  moved() {
    HeldWorkers.prototype.letGo = async function (this: HeldWorkers) {
      if (isSaid) await dies();
      await letGo.call(this);
    };
    FileDriver.prototype.goOn = function (this: FileDriver, ...args) {
      isSaid = true;
      return goOn.apply(this, args);
    };
  },
  /** The old file is to go. */
  removing() {
    FileDriver.prototype.deleteVolume = () => dies();
  },
};
/** Else it is being tried whether clients can be held. */
let isSaid = false;

PLACES[place ?? '']?.();
