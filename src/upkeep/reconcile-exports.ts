/**
 * The reconciler of exports: makes the exports of a host what its attachments say.
 *
 * The daemon that serves exports may forget all of them (a tgtd that was killed), so they are looked at now and then, and at once
 * when the host is served again. A missing one is made again by a flow, under the attachment's hold: nobody detaches it
 * meanwhile, and an attachment that is being detached is left alone. An export that no row knows is removed; exports are looked
 * at before the rows, and a row comes before its export, so that is never one that is just being made.
 *
 * What an attachment has brought from another service (`takenOver`) is not ours: it is neither made nor removed until somebody connects
 * the attachment here.
 *
 * An export that cannot be made is in trouble (`lib/troubles.ts`): it has a pause of its own, no flow begins meanwhile, and its
 * project is told in a message. A volume that is not there begins no flow at all. Of flows that failed alike the journal keeps
 * the first. A possible cure ends the pause: the backend came up again, the daemon was started anew, another export could be
 * made. A connector that is refused stays refused until the attachment is changed.
 */

import { attachmentResource, beginConnection } from '../commands/attachments/connect.ts';
import type { Desk } from '../commands/desk.ts';
import { lockAnyVolume } from '../commands/lock.ts';
import { exportedBy, lockAttachment } from '../db/attachments.ts';
import { DatabaseJournal } from '../db/journal.ts';
import { insertMessage } from '../db/messages.ts';
import { idsInWork } from '../db/unended-flows.ts';
import { getVolume } from '../db/volumes.ts';
import type { VolumeDriver } from '../drivers/driver.ts';
import type { FlowRow } from '../engine/journal.ts';
import { userMessage } from '../events/messages.ts';
import { type Timestamp, uuid } from '../lib/clock.ts';
import type { Log } from '../lib/logging.ts';
import type { Pace, Troubles } from '../lib/troubles.ts';
import type { Attachment } from '../model/attachment.ts';
import type { Caller } from '../model/caller.ts';
import { AttachmentNotFound, DriverFailed, InvalidVolume, ResourceHeld, VolumeNotFound } from '../model/errors.ts';
import type { UpkeepName } from '../model/upkeep.ts';

export interface ExportKeeperOptions {
  readonly host: string;
  /** Whether its backend can be asked now. */
  isUp(): boolean;
  readonly log: Log;
  readonly troubles: Troubles;
}

export interface Renewed {
  /** Attachments whose exports are being made again. */
  readonly made: readonly string[];
  /** Attachments whose exports nobody knew. */
  readonly removed: readonly string[];
}

const EXPORTS: UpkeepName = 'exports';
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Each try is a flow, with rows and lines of its own. */
const BY_FLOW: Pace = { firstMs: MINUTE_MS, factor: 30, longestMs: 30 * MINUTE_MS };
/** Whatever serves exports may have died just after. */
const VANISHES: Pace = { ...BY_FLOW, firstMs: 2_000 };
/** Each try is a look, and leaves nothing. */
const BY_LOOK: Pace = { firstMs: 2_000, longestMs: MINUTE_MS };
const NO_TIME_CURES: Pace = { firstMs: DAY_MS, longestMs: DAY_MS };

const NOTHING: Renewed = { made: [], removed: [] };

/** The last try to make an export again. */
interface Renewal {
  /** Null when what became of it is known. */
  readonly flowId: string | null;
  readonly requestId: string;
  /** The attachment's `updatedAt` by then. */
  readonly of: Timestamp | null;
}

export class ExportReconciler {
  readonly #desk: Desk;
  readonly #journal: DatabaseJournal;
  readonly #options: ExportKeeperOptions;
  readonly #troubles: Troubles;
  readonly #renewals = new Map<string, Renewal>();
  /** What may be in trouble. */
  #watched: ReadonlySet<string> = new Set();
  /** What was exported when it was last looked at. */
  #exported: ReadonlySet<string> = new Set();
  #wasUp = false;
  #looked = false;

  constructor(desk: Desk, options: ExportKeeperOptions) {
    this.#desk = desk;
    this.#journal = new DatabaseJournal(desk.db);
    this.#options = options;
    this.#troubles = options.troubles;
  }

  /** How many there were when it last looked. */
  get exported(): number {
    return this.#exported.size;
  }

  /** Rejects when what is exported cannot be told. */
  async look(signal: AbortSignal): Promise<Renewed> {
    const { host, isUp, log } = this.#options;
    const up = isUp();
    if (up && !this.#wasUp) this.#troubles.hurry(EXPORTS);
    this.#wasUp = up;
    const attachments = up ? await exportedBy(this.#desk.db.read, host) : [];
    // What a former process left is looked for once, even when no row exports anything.
    if (!up || (this.#looked && attachments.length === 0 && this.#watched.size === 0)) return NOTHING;
    const renewed = await this.#renew(signal);
    this.#looked = true;
    const made = renewed.made.filter((id) => this.#troubles.find(EXPORTS, attachmentResource(id)) === undefined);
    if (made.length + renewed.removed.length > 0)
      log.warn({ host, made, removed: renewed.removed }, 'exports are put right');
    return renewed;
  }

  async #renew(signal: AbortSignal): Promise<Renewed> {
    const driver = this.#desk.tools.driver(this.#options.host);
    const exported = new Set((await driver.listExports(signal)).map(({ attachmentId }) => attachmentId));
    const attachments = await exportedBy(this.#desk.db.read, this.#options.host);
    const wanted = attachments.filter(({ connectionInfo, takenOver }) => connectionInfo !== null && !takenOver);
    if (wanted.some(({ id }) => this.#exported.has(id) && !exported.has(id))) this.#troubles.hurry(EXPORTS);
    this.#exported = exported;

    const known = new Set(attachments.map(({ id }) => id));
    const strange = [...exported].filter((id) => !known.has(id));
    // A volume that moves to another machine is opened under an id that its flow holds.
    const inWork = strange.length > 0 ? await idsInWork(this.#desk.db.read) : known;
    const unknown = strange.filter((id) => !inWork.has(id));
    this.#forgetAllBut(new Set([...unknown.map(exportName), ...wanted.map(({ id }) => attachmentResource(id))]));
    const removed: string[] = [];
    for (const id of unknown) if (await this.#remove(driver, id, signal)) removed.push(id);
    for (const { id } of wanted) if (exported.has(id)) this.#isThere(id);
    const made: string[] = [];
    for (const attachment of wanted) {
      if (!exported.has(attachment.id) && (await this.#make(driver, attachment, signal))) made.push(attachment.id);
    }
    return { made, removed };
  }

  /** What has gone cannot be in trouble. */
  #forgetAllBut(there: ReadonlySet<string>): void {
    for (const about of this.#watched) if (!there.has(about)) this.#troubles.gone(EXPORTS, about);
    for (const id of this.#renewals.keys()) if (!there.has(attachmentResource(id))) this.#renewals.delete(id);
    this.#watched = there;
  }

  /** One that stays must not keep the others from being made. */
  async #remove(driver: VolumeDriver, id: string, signal: AbortSignal): Promise<boolean> {
    if (!this.#troubles.isDue(EXPORTS, exportName(id))) return false;
    try {
      await driver.removeExport({ attachmentId: id }, { signal, progress: () => {} });
      this.#troubles.worked(EXPORTS, exportName(id));
      return true;
    } catch (error) {
      if (signal.aborted) throw error;
      this.#troubles.failed(EXPORTS, exportName(id), error, BY_LOOK);
      return false;
    }
  }

  #isThere(id: string): void {
    const about = attachmentResource(id);
    const cured = this.#troubles.find(EXPORTS, about) !== undefined;
    this.#troubles.worked(EXPORTS, about);
    this.#renewals.delete(id);
    // What it lacked the others may have lacked, too.
    if (cured) this.#troubles.hurry(EXPORTS);
  }

  /** False when something works on it, it is left alone for now, or cannot be made. */
  async #make(driver: VolumeDriver, attachment: Attachment, signal: AbortSignal): Promise<boolean> {
    const about = attachmentResource(attachment.id);
    const before = this.#renewals.get(attachment.id);
    const flow = before?.flowId ? await this.#journal.find(before.flowId) : undefined;
    if (flow !== undefined && flow.endedAt === null) return false;
    if (before !== undefined && flow !== undefined) await this.#hasFailed(attachment, before, flow);
    if (before !== undefined && before.of !== attachment.updatedAt) {
      this.#renewals.delete(attachment.id);
      // It is not what was refused. That our own success has changed it is no news.
      if (flow?.state !== 'success') this.#troubles.hurry(EXPORTS, about);
    }
    if (!this.#troubles.isDue(EXPORTS, about)) return false;
    return (await this.#isOnBackend(driver, attachment, signal)) && this.#begin(attachment);
  }

  /** It has ended, and there is no export. */
  async #hasFailed(attachment: Attachment, renewal: Renewal, flow: FlowRow): Promise<void> {
    this.#renewals.set(attachment.id, { ...renewal, flowId: null });
    const failure = flow.state === 'reverted' ? await this.#failureOf(flow) : VANISHED;
    const final = !failure.transient && !failure.elsewhere;
    const pace = final ? NO_TIME_CURES : failure === VANISHED ? VANISHES : BY_FLOW;
    const isNews = await this.#tell(attachment, failure, renewal.requestId, pace, final);
    if (!isNews) await this.#journal.forget([flow.id]);
  }

  async #failureOf({ id }: FlowRow): Promise<Told> {
    const failed = (await this.#journal.steps(id)).find(
      (step) => step.event === 'failed' || step.event === 'cancelled',
    );
    return failed?.data.failure ?? VANISHED;
  }

  async #isOnBackend(driver: VolumeDriver, attachment: Attachment, signal: AbortSignal): Promise<boolean> {
    try {
      const { id, nameId, host } = await getVolume(this.#desk.db.read, attachment.volumeId);
      if ((await driver.probe({ kind: 'volume', id, nameId }, signal)).is === 'present') return true;
      throw new DriverFailed(`Volume ${id} is not on ${host}.`);
    } catch (error) {
      if (signal.aborted || !(error instanceof Error)) throw error;
      if (!(error instanceof VolumeNotFound)) await this.#tell(attachment, error, `req-${uuid()}`, BY_LOOK);
      return false;
    }
  }

  /** True when it is news; the project has a message then. */
  async #tell(
    { id, volumeId, projectId }: Attachment,
    failure: Told,
    requestId: string,
    pace: Pace,
    final = false,
  ): Promise<boolean> {
    const { isNews } = this.#troubles.failed(EXPORTS, attachmentResource(id), new Error(failure.message), pace, {
      final,
    });
    if (isNews) {
      const ttlSeconds = this.#desk.tools.messageTtlSeconds;
      const told = {
        operation: 'attach-volume',
        failure,
        resourceId: volumeId,
        projectId,
        requestId,
        ttlSeconds,
      } as const;
      await this.#desk.db.write((tx) => insertMessage(tx, userMessage(told)));
    }
    return isNews;
  }

  /** False when something works on it, or it is going. */
  async #begin({ id, volumeId, projectId, updatedAt }: Attachment): Promise<boolean> {
    const caller: Caller = {
      userId: '',
      projectId,
      roles: [],
      isAdmin: true,
      serviceRoles: [],
      requestId: `req-${uuid()}`,
    };
    try {
      const flowId = await this.#desk.db.write(async (tx) => {
        const volume = await lockAnyVolume(tx, volumeId);
        const attachment = await lockAttachment(tx, id);
        if (attachment.connectionInfo === null) return undefined;
        return await beginConnection(this.#desk, tx, caller, volume, attachment, {
          attaching: false,
          failed: 'unchanged',
        });
      });
      if (flowId === undefined) return false;
      this.#renewals.set(id, { flowId, requestId: caller.requestId, of: updatedAt });
      return true;
    } catch (error) {
      if (error instanceof ResourceHeld || error instanceof AttachmentNotFound || error instanceof InvalidVolume)
        return false;
      throw error;
    }
  }
}

type Told = Pick<Error, 'name' | 'message'> & { readonly transient?: boolean; readonly elsewhere?: boolean };

const VANISHED: Told = {
  name: 'DriverFailed',
  message: 'It was made, and was not there when it was looked at.',
  transient: true,
};

/** Of an export without an attachment. */
const exportName = (id: string): string => `export:${id}`;
