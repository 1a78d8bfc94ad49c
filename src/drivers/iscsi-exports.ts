/**
 * Exports over iSCSI: for each attachment a target of its own, with one account (CHAP) and one initiator that may log in.
 *
 * The initiator is let in last and put out first, so a target that is half made or half removed is reached by nobody, and is
 * simply made again. Removing a target ends its sessions; only then does a removal count as done. A volume has the same SCSI
 * id through each of its targets, and no two volumes share one: what a client's multipath joins is the same data.
 */
import type { ConnectionInfo } from '../model/attachment.ts';
import { DriverFailed, InvalidConnector } from '../model/errors.ts';
import type { Exported, Exporter, ExportRef } from './exporter.ts';
import { parseAccounts, parseTargets, type Target } from './tgt-show.ts';
import {
  bindAccount,
  bindInitiator,
  deleteAccount,
  deleteTarget,
  describeUnit,
  LUN,
  newAccount,
  newTarget,
  newUnit,
  showAccounts,
  showTargets,
  unbindInitiator,
  updateUnit,
} from './tgtadm.ts';
import { TargetDaemonFailed, type Tgtd } from './tgtd.ts';

export interface IscsiExportsOptions {
  readonly daemon: Tgtd;
  /** Begins the name of each target: `iqn.2010-10.org.openstack:`. */
  readonly prefix: string;
  /** Where clients find it. */
  readonly portal: string;
}

/** A target as it should be. */
interface Wanted {
  readonly name: string;
  readonly path: string;
  readonly scsiId: string;
  readonly readOnly: boolean;
  readonly user: string;
  readonly initiator: string;
}

export class IscsiExports implements Exporter {
  readonly protocol = 'iSCSI';
  readonly #options: IscsiExportsOptions;
  readonly #daemon: Tgtd;

  constructor(options: IscsiExportsOptions) {
    this.#options = options;
    this.#daemon = options.daemon;
  }

  start(signal: AbortSignal): Promise<void> {
    return this.#daemon.check(signal);
  }

  async ensure(path: string, ref: ExportRef, signal: AbortSignal): Promise<ConnectionInfo> {
    const wanted = this.#wanted(path, ref);
    await this.#daemon.alone(async () => {
      await this.#daemon.ensureRunning(signal);
      let target = await this.#find(ref.attachmentId, signal);
      if (target !== undefined && !isOnline(target)) {
        await this.#reopen(target, path, signal);
        target = await this.#find(ref.attachmentId, signal);
      }
      if (target !== undefined && isAsWanted(target, wanted)) return;
      if (target !== undefined) await this.#removeTarget(target, signal);
      await this.#make(wanted, ref.secret, signal);
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

  remove(attachmentId: string, signal: AbortSignal): Promise<void> {
    return this.#daemon.alone(async () => {
      if (!(await this.#daemon.isRunning(signal))) return;
      const target = await this.#find(attachmentId, signal);
      if (target !== undefined) await this.#removeTarget(target, signal);
      await this.#removeAccount(userOf(attachmentId), signal);
      const left = await this.#targets(signal);
      if (left.some(({ name }) => this.#attachmentOf(name) === attachmentId))
        throw new TargetDaemonFailed(`The target of attachment ${attachmentId} is still there.`);
      if (left.length === 0) await this.#daemon.end(signal);
    });
  }

  list(signal: AbortSignal): Promise<readonly Exported[]> {
    return this.#daemon.alone(async () => {
      if (!(await this.#daemon.isRunning(signal))) return [];
      // One that lets nobody in is half made, or half removed.
      const open = (await this.#targets(signal)).filter(({ initiators }) => initiators.length > 0);
      const ids = open.map(({ name }) => this.#attachmentOf(name));
      return ids.filter((id) => id !== null).map((attachmentId) => ({ attachmentId }));
    });
  }

  grown(path: string, signal: AbortSignal): Promise<void> {
    return this.#daemon.alone(async () => {
      if (!(await this.#daemon.isRunning(signal))) return;
      for (const target of await this.#targets(signal)) {
        if (unitOf(target)?.path === path) await this.#reopen(target, path, signal);
      }
    });
  }

  #wanted(path: string, { attachmentId, volume, connector, readOnly }: ExportRef): Wanted {
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

  async #make({ name, path, scsiId, readOnly, user, initiator }: Wanted, secret: string, signal: AbortSignal) {
    const taken = new Set((await this.#targets(signal)).map((each) => each.tid));
    let tid = 1;
    while (taken.has(tid)) tid += 1;
    await this.#removeAccount(user, signal);
    const steps = [
      newTarget(tid, name),
      newUnit(tid, path),
      describeUnit(tid, { scsiId, readOnly }),
      newAccount(user, secret),
      bindAccount(tid, user),
      bindInitiator(tid, initiator),
    ];
    for (const step of steps) await this.#daemon.run(step, signal);
  }

  async #removeTarget({ tid, initiators }: Target, signal: AbortSignal): Promise<void> {
    for (const initiator of initiators) await this.#daemon.run(unbindInitiator(tid, initiator), signal);
    await this.#daemon.run(deleteTarget(tid), signal);
  }

  async #removeAccount(user: string, signal: AbortSignal): Promise<void> {
    const accounts = parseAccounts(await this.#daemon.run(showAccounts, signal));
    if (accounts.includes(user)) await this.#daemon.run(deleteAccount(user), signal);
  }

  /** Sessions stay; what is written meanwhile is written again by the initiator. */
  async #reopen({ tid }: Target, path: string, signal: AbortSignal): Promise<void> {
    for (const params of ['online=0', `path=${path}`, 'online=1'])
      await this.#daemon.run(updateUnit(tid, params), signal);
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

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const OURS = new RegExp(`volume-${UUID}\\.(${UUID})$`);
const INITIATOR = /^(iqn|eui|naa)\.[A-Za-z0-9.:_-]+$/;

const userOf = (attachmentId: string): string => attachmentId.replaceAll('-', '');

const unitOf = (target: Target) => target.units.find(({ lun }) => lun === LUN);

const isOnline = (target: Target): boolean => unitOf(target)?.online ?? true;

function isAsWanted(target: Target, wanted: Wanted): boolean {
  const unit = unitOf(target);
  const { name, path, scsiId, readOnly, user, initiator } = wanted;
  return (
    target.name === name &&
    unit !== undefined &&
    unit.path === path &&
    unit.scsiId === scsiId &&
    unit.readOnly === readOnly &&
    isOnly(target.accounts, user) &&
    isOnly(target.initiators, initiator)
  );
}

const isOnly = (all: readonly string[], one: string): boolean => all.length === 1 && all[0] === one;
