/**
 * Exports over iSCSI: for each attachment a target of its own, with one account (CHAP, by the secret in its row) and one initiator that may log in.
 *
 * The initiator is let in last and put out first, so a target that is half made or half removed is reached by nobody, and is
 * simply made again. Removing a target ends its sessions; only then does a removal count as done. A volume has the same SCSI
 * id through each of its targets, and no two volumes share one: a client's multipath joins only paths to the same data.
 *
 * A unit shows a new size only when its file is opened anew, and while tgtd does that it answers writes that go nowhere. So
 * the unit's worker is held meanwhile: its clients wait some ten milliseconds. Where that cannot be done (no ptrace, the
 * system's daemon) their sessions are ended first, after all commands they had sent: they log in again and repeat those that
 * were not answered, after some seconds.
 */
import { elapsed, pause } from '../../lib/clock.ts';
import type { ConnectionInfo } from '../../model/attachment.ts';
import { ConsistentSnapshotRefused, DriverFailed, InvalidConnector, LiveMoveRefused } from '../../model/errors.ts';
import type { ExportRef } from '../driver.ts';
import { type ExportedFile, type Exporter, type FileToHold, type HeldClients, NOBODY } from './exporter.ts';
import { HeldUnits } from './held-units.ts';
import { parseAccounts, parseTargets, type Target } from './tgt-show.ts';
import {
  bindAccount,
  bindInitiator,
  deleteAccount,
  deleteConnection,
  deleteTarget,
  describeUnit,
  LUN,
  newAccount,
  newTarget,
  newUnit,
  reopenUnit,
  showAccounts,
  showTargets,
  unbindInitiator,
} from './tgtadm.ts';
import { isSame, TargetDaemonFailed, type Tgtd, type Worker } from './tgtd.ts';
import { isAsWanted, isOnline, unitOf, type WantedTarget } from './wanted-target.ts';

export interface IscsiExportsOptions {
  readonly daemon: Tgtd;
  /** Begins the name of each target: `iqn.2010-10.org.openstack:`. */
  readonly prefix: string;
  /** Where clients find it. */
  readonly portal: string;
}

export class IscsiExports implements Exporter {
  readonly protocol = 'iSCSI';
  readonly #options: IscsiExportsOptions;
  readonly #daemon: Tgtd;
  /** By a target's name: the thread that writes for it. Only of targets that this process has made. */
  readonly #workers = new Map<string, Worker>();

  constructor(options: IscsiExportsOptions) {
    this.#options = options;
    this.#daemon = options.daemon;
  }

  /** Where clients find it: `127.0.0.1:3260`. */
  get portal(): string {
    return this.#options.portal;
  }

  start(signal: AbortSignal): Promise<void> {
    return this.#daemon.check(signal);
  }

  async ensure(path: string, ref: ExportRef, signal: AbortSignal): Promise<ConnectionInfo> {
    const wanted = this.#wanted(path, ref);
    await this.#daemon.exclusively(async () => {
      await this.#daemon.ensureRunning(signal);
      let target = await this.#find(ref.attachmentId, signal);
      if (target !== undefined && !isOnline(target)) {
        await this.#reopen(target, path, signal);
        target = await this.#find(ref.attachmentId, signal);
      }
      if (target !== undefined && isAsWanted(target, wanted)) return;
      if (target !== undefined) await this.#removeTarget(target, signal);
      await this.#make(wanted, ref, signal);
      const made = await this.#find(ref.attachmentId, signal);
      if (made === undefined || !isAsWanted(made, wanted))
        throw new TargetDaemonFailed(`Target ${wanted.name} is not as it was made.`);
    });
    return {
      driver_volume_type: 'iscsi',
      data: {
        target_discovered: false,
        target_iqn: wanted.name,
        target_portal: this.#options.portal,
        target_lun: LUN,
        volume_id: ref.volume.id,
        auth_method: 'CHAP',
        auth_username: wanted.user,
        discard: true,
      },
    };
  }

  remove(attachmentId: string, signal: AbortSignal, unless?: (path: string) => boolean): Promise<void> {
    return this.#daemon.exclusively(async () => {
      if (!(await this.#daemon.isRunning(signal))) return;
      const target = await this.#find(attachmentId, signal);
      if (unless?.((target && unitOf(target)?.path) ?? '')) return;
      if (target !== undefined) await this.#removeTarget(target, signal);
      await this.#removeAccount(userOf(attachmentId), signal);
      const left = await this.#targets(signal);
      if (left.some(({ name }) => this.#attachmentOf(name) === attachmentId))
        throw new TargetDaemonFailed(`The target of attachment ${attachmentId} is still there.`);
      if (left.length === 0) await this.#daemon.end(signal);
    });
  }

  list(signal: AbortSignal): Promise<readonly ExportedFile[]> {
    return this.#daemon.exclusively(async () => {
      if (!(await this.#daemon.isRunning(signal))) return [];
      // One that lets nobody in is half made, or half removed.
      const open = (await this.#targets(signal)).filter(({ initiators }) => initiators.length > 0);
      return open.flatMap((target) => {
        const attachmentId = this.#attachmentOf(target.name);
        return attachmentId === null ? [] : [{ attachmentId, path: unitOf(target)?.path ?? '' }];
      });
    });
  }

  serves(path: string, signal: AbortSignal): Promise<boolean> {
    return this.#daemon.exclusively(async () => {
      if (!(await this.#daemon.isRunning(signal))) return false;
      const reached = (await this.#targets(signal)).filter(
        ({ initiators, sessions }) => initiators.length > 0 || sessions.length > 0,
      );
      return reached.some((target) => unitOf(target)?.path === path);
    });
  }

  grown(path: string, signal: AbortSignal): Promise<void> {
    return this.#daemon.exclusively(async () => {
      for (const target of (await this.#opened([path], signal)).targets) await this.#reopen(target, path, signal);
    });
  }

  quiesce<Result>(
    { paths, limitMs }: { readonly paths: readonly string[]; readonly limitMs: number },
    body: (holding: readonly string[]) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    // Nobody is let in meanwhile, either.
    return this.#daemon.exclusively(async () => {
      const { targets, workers } = await this.#opened(paths, signal);
      if (targets.length === 0) return body([]);
      return this.#daemon.whileHeld({ workers, limitMs }, body, signal);
    });
  }

  hold({ path, limitMs }: FileToHold, signal: AbortSignal): Promise<HeldClients> {
    const answer = Promise.withResolvers<HeldClients>();
    // Nobody else speaks to the daemon before they go on.
    void this.#daemon.exclusively(async () => {
      try {
        const { targets, workers } = await this.#opened([path], signal);
        if (targets.length === 0) return answer.resolve(NOBODY);
        const held = new HeldUnits(this.#daemon, await this.#daemon.hold(workers, limitMs, signal), targets);
        answer.resolve(held);
        await held.ended;
      } catch (error) {
        const refused = error instanceof ConsistentSnapshotRefused;
        answer.reject(refused ? new LiveMoveRefused(error.message, { cause: error }) : error);
      }
    });
    return answer.promise;
  }

  /** The targets that have one of these files open, and all threads that write for them. */
  async #opened(
    paths: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly targets: readonly Target[]; readonly workers: readonly Worker[] }> {
    const running = await this.#daemon.isRunning(signal);
    const all = running ? await this.#targets(signal) : [];
    const targets = all.filter((target) => paths.includes(unitOf(target)?.path ?? ''));
    const workers: Worker[] = [];
    for (const target of targets) workers.push(...(await this.#workersOf(target, signal)));
    return { targets, workers };
  }

  #wanted(path: string, { attachmentId, volume, connector, readOnly }: ExportRef): WantedTarget {
    const { initiator } = connector;
    if (typeof initiator !== 'string' || initiator.length > 223 || !INITIATOR.test(initiator)) {
      throw new InvalidConnector(
        `Volume ${volume.id} is reached over iSCSI, and the connector names no initiator ("iqn.…").`,
      );
    }
    // tgtadm takes its parameters apart at commas.
    if (path.includes(',')) throw new DriverFailed(`${path} cannot be exported: there is a comma in its path.`);
    return {
      name: `${this.#options.prefix}volume-${volume.id}.${attachmentId}`,
      path,
      scsiId: volume.id.replaceAll('-', ''),
      readOnly,
      user: userOf(attachmentId),
      initiator,
    };
  }

  async #make(wanted: WantedTarget, { secret }: ExportRef, signal: AbortSignal) {
    const { name, path, scsiId, readOnly, user, initiator } = wanted;
    const taken = new Set((await this.#targets(signal)).map((each) => each.tid));
    let tid = 1;
    while (taken.has(tid)) tid += 1;
    await this.#removeAccount(user, signal);
    await this.#daemon.run(newTarget(tid, name), signal);
    const before = await this.#daemon.workers(signal);
    await this.#daemon.run(newUnit(tid, path), signal);
    const worker = (await this.#daemon.workers(signal)).find((each) => !before.some(isSame(each)));
    if (worker !== undefined) this.#workers.set(name, worker);
    const steps = [
      describeUnit(tid, { scsiId, readOnly }),
      newAccount(user, secret),
      bindAccount(tid, user),
      bindInitiator(tid, initiator),
    ];
    for (const step of steps) await this.#daemon.run(step, signal);
  }

  async #removeTarget(target: Target, signal: AbortSignal): Promise<void> {
    await this.#putOut(target, signal);
    await this.#daemon.run(deleteTarget(target.tid), signal);
    this.#workers.delete(target.name);
  }

  async #removeAccount(user: string, signal: AbortSignal): Promise<void> {
    const accounts = parseAccounts(await this.#daemon.run(showAccounts, signal));
    if (accounts.includes(user)) await this.#daemon.run(deleteAccount(user), signal);
  }

  /** Shows the file's size. No write is lost, none fails. */
  async #reopen(target: Target, path: string, signal: AbortSignal): Promise<void> {
    const order = reopenUnit(target.tid, path);
    if (await this.#daemon.runHeld(order, await this.#workersOf(target, signal), signal)) return;
    await this.#withoutSessions(target, () => this.#daemon.run(order, signal), signal);
  }

  /** The one that writes for this target; all that may, when it was opened by a process before this one. */
  async #workersOf({ name }: Target, signal: AbortSignal): Promise<readonly Worker[]> {
    const workers = await this.#daemon.workers(signal);
    const known = this.#workers.get(name);
    if (known !== undefined && workers.some(isSame(known))) return [known];
    const others = [...this.#workers.values()];
    return workers.filter((worker) => !others.some(isSame(worker)));
  }

  /** Nobody is logged in meanwhile. Killed in the middle, it leaves a target that lets nobody in, and is made again. */
  async #withoutSessions(target: Target, body: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    await this.#putOut(target, signal);
    await body();
    for (const initiator of target.initiators) await this.#daemon.run(bindInitiator(target.tid, initiator), signal);
  }

  /** When it resolves, nobody can log in, nobody is, and nothing that was sent is under way. */
  async #putOut({ tid, name, initiators }: Target, signal: AbortSignal): Promise<void> {
    for (const initiator of initiators) await this.#daemon.run(unbindInitiator(tid, initiator), signal);
    const deadline = elapsed() + DRAIN_MS;
    for (;;) {
      const sessions = (await this.#targets(signal)).find((each) => each.tid === tid)?.sessions ?? [];
      if (sessions.length === 0) return;
      if (elapsed() > deadline) throw new TargetDaemonFailed(`The sessions of ${name} do not end.`);
      // It may have ended by itself.
      for (const { id: session, connections } of sessions)
        for (const connection of connections)
          await this.#daemon.run(deleteConnection(tid, { session, connection }), signal).catch(unlessFailed);
      await pause(DRAIN_POLL_MS, signal);
    }
  }

  async #targets(signal: AbortSignal): Promise<Target[]> {
    return parseTargets(await this.#daemon.run(showTargets, signal));
  }

  async #find(attachmentId: string, signal: AbortSignal): Promise<Target | undefined> {
    return (await this.#targets(signal)).find(({ name }) => this.#attachmentOf(name) === attachmentId);
  }

  /** Null for a target that is not ours. */
  #attachmentOf(name: string): string | null {
    if (!name.startsWith(`${this.#options.prefix}volume-`)) return null;
    return OURS.exec(name)?.[1] ?? null;
  }
}

const DRAIN_MS = 10_000;
const DRAIN_POLL_MS = 2;

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const OURS = new RegExp(`volume-${UUID}\\.(${UUID})$`);
const INITIATOR = /^(iqn|eui|naa)\.[A-Za-z0-9.:_-]+$/;

const userOf = (attachmentId: string): string => attachmentId.replaceAll('-', '');

function unlessFailed(error: unknown): void {
  if (!(error instanceof TargetDaemonFailed)) throw error;
}
