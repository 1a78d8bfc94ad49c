/**
 * Thin volumes with full names in one pool: look, act, publish.
 *
 * The volume under the full name decides whether anything is left to do. What takes one step of LVM's, a blank volume or a snapshot, is made
 * under its full name at once: it is there, whole, or it is not. Everything else has a temporary name until it is whole. `lvrename`
 * never replaces, so an attempt that was thought dead cannot put its stale copy over a volume that has been written since.
 *
 * A volume's content is replaced by an exchange of names (`exchange.ts`). Whoever looks for the volume first ends one that was begun, so that
 * nobody ever finds it missing or half.
 */
import { GIB } from '../../lib/bytes.ts';
import { BackendObjectMismatch, DriverFailed, VolumeIsBusy } from '../../model/errors.ts';
import type { DriverCall } from '../driver.ts';
import type { Names, Owner } from '../file/names.ts';
import { mismatch, requireSize } from '../file/sizes.ts';
import type { HostCopies, Writing } from '../host-copies.ts';
import { exchange, isToReplace } from './exchange.ts';
import {
  activate,
  addTag,
  createBlank,
  createClone,
  createSnapshot,
  deactivate,
  extend,
  type LvmArgv,
  remove,
  rename,
  skipActivation,
} from './lvm-argv.ts';
import { alreadyExists, isInUse, lvmTranslated } from './lvm-errors.ts';
import { doomed, leftOf, REPLACES, temporary, temporaryOf, unmanagedSince } from './lvm-names.ts';
import type { LogicalVolume } from './lvm-report.ts';
import type { VolumeGroup } from './volume-group.ts';

type All = ReadonlyMap<string, LogicalVolume>;

export interface LvmStoreOptions {
  readonly group: VolumeGroup;
  readonly names: Names;
  readonly copies: HostCopies;
}

export class LvmStore {
  readonly group: VolumeGroup;
  readonly names: Names;
  readonly #copies: HostCopies;

  constructor({ group, names, copies }: LvmStoreOptions) {
    this.group = group;
    this.names = names;
    this.#copies = copies;
  }

  /** Every operation passes here: errors say what was being done. */
  doing<Result>(doing: string, signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
    return lvmTranslated(doing, signal, body);
  }

  /** All of the group, after exchanges that were begun for these full names have been ended. */
  async all(signal: AbortSignal, ...fulls: readonly string[]): Promise<All> {
    let all = await this.group.all(signal);
    for (const full of fulls) {
      const whole = [...all.values()].find((each) => isToReplace(each, full));
      if (whole === undefined) continue;
      await exchange(this.group, whole.name, full, all);
      all = await this.group.all(signal);
    }
    return all;
  }

  /** The volume of the pool with this full name; null when there is none. */
  async look(full: string, signal: AbortSignal): Promise<LogicalVolume | null> {
    return this.find(await this.all(signal, full), full);
  }

  find(all: All, full: string): LogicalVolume | null {
    const found = all.get(full);
    if (found === undefined || this.group.isOfPool(found)) return found ?? null;
    throw new BackendObjectMismatch(`${full} is in the volume group, but is not in its thin pool.`);
  }

  /** The same, which is there and has the size that is expected. */
  async demand(full: string, sizeGiB: number, signal: AbortSignal): Promise<LogicalVolume> {
    return this.demandIn(await this.all(signal, full), full, sizeGiB);
  }

  demandIn(all: All, full: string, sizeGiB: number): LogicalVolume {
    const found = this.find(all, full);
    if (found === null) throw new DriverFailed(`${full} is not on the backend.`);
    requireSize(full, found.bytes, sizeGiB);
    return found;
  }

  hasTemporaries(all: All, full: string): boolean {
    return this.#leftFor(all, full).length > 0;
  }

  /** All zeroes. */
  async makeBlank(full: string, sizeGiB: number, signal: AbortSignal): Promise<void> {
    await this.#atOnce(full, sizeGiB, signal, () => createBlank(this.group.poolName, full, sizeGiB * GIB));
  }

  /** What `source` holds now, which nobody writes to. */
  async makeSnapshot(
    full: string,
    source: { readonly full: string; readonly sizeGiB: number },
    signal: AbortSignal,
  ): Promise<void> {
    await this.#atOnce(full, source.sizeGiB, signal, (all) => {
      this.demandIn(all, source.full, source.sizeGiB);
      return createSnapshot(this.group.group, full, source.full);
    });
  }

  /** One step of LVM's. */
  async #atOnce(full: string, sizeGiB: number, signal: AbortSignal, step: (all: All) => LvmArgv): Promise<void> {
    const all = await this.all(signal, full);
    const there = this.find(all, full);
    await this.#drop(this.#leftFor(all, full));
    if (there !== null) return requireSize(full, there.bytes, sizeGiB);
    await this.group.change(step(all), signal).catch(async (error: unknown) => {
      if (!alreadyExists(error)) throw error;
      await this.demand(full, sizeGiB, signal);
    });
  }

  /** A volume of this name and size, made by `fill` under the name that it is given, unless it is there. */
  async make(
    full: string,
    sizeGiB: number,
    signal: AbortSignal,
    fill: (name: string, all: All) => Promise<void>,
  ): Promise<void> {
    const all = await this.all(signal, full);
    const there = this.find(all, full);
    await this.#drop(this.#leftFor(all, full));
    if (there !== null) return requireSize(full, there.bytes, sizeGiB);
    await this.#asTemporary(full, async (name) => {
      await fill(name, all);
      await this.group.change(rename(this.group.group, name, full), signal).catch(async (error: unknown) => {
        if (!alreadyExists(error)) throw error;
        const now = await this.group.all(signal);
        await this.#drop(this.#leftFor(now, full).filter((each) => each === name));
        this.demandIn(now, full, sizeGiB);
      });
    });
  }

  /** A volume that is there gets the content that `fill` writes, in as many bytes as it has. */
  async refill(
    full: string,
    sizeGiB: number,
    signal: AbortSignal,
    fill: (name: string, bytes: number, all: All) => Promise<void>,
  ): Promise<void> {
    const all = await this.all(signal, full);
    const { bytes, isOpen } = this.demandIn(all, full, sizeGiB);
    if (isOpen) throw new VolumeIsBusy(`${full} is open, and its content cannot be replaced.`);
    await this.#drop(this.#leftFor(all, full));
    await this.#asTemporary(full, async (name) => {
      await fill(name, bytes, all);
      await this.group.change(addTag(this.group.group, name, REPLACES), signal);
      await exchange(this.group, name, full, all);
    });
  }

  /** The name for what is to be `full`. Nothing of that name is left when `make` fails, unless it is whole and takes its place. */
  async #asTemporary(full: string, make: (name: string) => Promise<void>): Promise<void> {
    const name = temporary(full);
    try {
      await make(name);
    } catch (error) {
      await this.#clean(name, full).catch(() => {});
      throw error;
    }
  }

  async #clean(name: string, full: string): Promise<void> {
    const { signal } = new AbortController();
    const all = await this.all(signal, full);
    await this.#drop(this.#leftFor(all, full).filter((each) => each === name || each === doomed(full)));
  }

  /** A thin volume of this name that holds what `source` holds, and zeroes up to `bytes` where that is more. */
  async clone(source: LogicalVolume, name: string, bytes: number, signal: AbortSignal): Promise<void> {
    await this.group.change(createClone(this.group.group, name, source.name), signal);
    if (bytes > source.bytes) await this.group.change(extend(this.group.group, name, bytes), signal);
  }

  /** The same, not active, and nobody's to write to. */
  async keep(source: LogicalVolume, name: string, bytes: number, signal: AbortSignal): Promise<void> {
    await this.group.change(createSnapshot(this.group.group, name, source.name), signal);
    if (bytes > source.bytes) await this.group.change(extend(this.group.group, name, bytes), signal);
  }

  /** A blank one of this name, into which `write` copies when its turn has come, told the device and its rate. */
  async fill(
    name: string,
    bytes: number,
    needs: Writing['needs'],
    call: DriverCall,
    write: (device: string, bytesPerSecond: number) => Promise<void>,
  ): Promise<void> {
    const { signal } = call;
    await this.group.change(createBlank(this.group.poolName, name, bytes), signal);
    const device = await this.group.device(name);
    const room = {
      name: `${this.group.group}/${this.group.poolName.pool}`,
      freeBytes: async () => (await this.group.space(signal)).freeBytes,
      takenBytes: () => this.group.takenBy(name),
    };
    await this.#copies.run({ path: device, needs, room }, call, (rate) => write(device, rate));
    // Nothing was lost: whatever the pool had no room for would have left it full.
    await this.group.demandRoom(signal);
  }

  /** Where an active one is read; it is activated when it is not. */
  async open({ name, isActive }: LogicalVolume, signal: AbortSignal): Promise<string> {
    if (!isActive) await this.group.change(activate(this.group.group, name), signal);
    return await this.group.device(name);
  }

  /** Nobody writes to it any more, and it is not active, also when the group is activated. */
  async retire(name: string, signal: AbortSignal): Promise<void> {
    await this.group.change(skipActivation(this.group.group, name), signal);
    await this.group.change(deactivate(this.group.group, name), signal);
  }

  async grow(full: string, sizeGiB: number, signal: AbortSignal): Promise<void> {
    const there = await this.look(full, signal);
    if (there === null) throw new DriverFailed(`${full} is not on the backend.`);
    if (there.bytes > sizeGiB * GIB) throw mismatch(full, there.bytes, sizeGiB);
    if (there.bytes < sizeGiB * GIB) await this.group.change(extend(this.group.group, full, sizeGiB * GIB), signal);
  }

  /** What was given back under our name is its owner's, and stays. */
  async remove(full: string, signal: AbortSignal): Promise<void> {
    const all = await this.group.all(signal);
    const there = this.find(all, full);
    if (there?.isOpen) throw new VolumeIsBusy(`${full} is open on this machine.`);
    const given = there !== null && unmanagedSince(there.tags) !== null;
    const names = [...(there === null || given ? [] : [full]), ...this.#leftFor(all, full)];
    if (names.length === 0) return;
    await this.group.change(remove(this.group.group, names), signal).catch((error: unknown) => {
      throw isInUse(error) ? new VolumeIsBusy(`${full} is open on this machine.`, { cause: error }) : error;
    });
  }

  /** Removes what unfinished operations left, but for those of the ids in `busy`. Returns the names. */
  async sweep(busy: ReadonlySet<string>, signal: AbortSignal): Promise<string[]> {
    const ofNobody = (name: string): Owner | null => {
      const owner = this.names.owner(leftOf(name) ?? '');
      return owner === null || busy.has(owner.id) ? null : owner;
    };
    const before = [...(await this.group.all(signal)).values()].filter(this.group.isOfPool);
    const begun = before.filter(({ name, tags }) => tags.includes(REPLACES) && ofNobody(name) !== null);
    const all = await this.all(signal, ...begun.flatMap(({ name }) => temporaryOf(name)?.full ?? []));
    const swept = [...all.keys()].filter((name) => ofNobody(name) !== null).sort();
    await this.#drop(swept);
    return [...new Set([...begun.map(({ name }) => name), ...swept])].sort();
  }

  /** Temporaries of this full name, and what is doomed. */
  #leftFor(all: All, full: string): string[] {
    return [...all.keys()].filter((name) => leftOf(name) === full);
  }

  async #drop(names: readonly string[]): Promise<void> {
    if (names.length > 0) await this.group.changeAnyway(remove(this.group.group, names));
  }
}
