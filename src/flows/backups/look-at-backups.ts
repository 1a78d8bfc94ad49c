/**
 * Looks at backups of a scope in their store, and writes down what it finds.
 *
 * A pack that is damaged is written down with the place that was reached, in one commit, for every backup that is made of it: whoever takes the work
 * over knows of it and goes on behind. What each backup loses by it is found out at the end. What was deleted meanwhile is no damage:
 * of a backup that is not whole any more, or needs the pack no more, nothing is kept.
 *
 * A backup that is damaged stays available, since most of it can be restored; its `fail_reason` says so, and its users are told.
 */
import type { BackupDamage, LookedPack } from '../../backups/backups.ts';
import {
  CHECK_DEPTHS,
  type CheckDepth,
  type CheckRound,
  closeRound,
  damagedPacks,
  damageOf,
  forgetDamage,
  keepCheck,
  keepDamage,
  moveRound,
  noteDamage,
  openRound,
} from '../../db/backup-checks.ts';
import { findContent, wholeBackups } from '../../db/backup-contents.ts';
import { findBackup, updateBackup } from '../../db/backups.ts';
import type { Tx } from '../../db/sql/tx.ts';
import type { DriverCall } from '../../drivers/driver.ts';
import { now } from '../../lib/clock.ts';
import { tellUser } from '../tell.ts';
import type { Tools } from '../tools.ts';
import { placeOf } from './backup-place.ts';
import { damageText } from './damage-text.ts';
import { type WaitingCall, waitingFor } from './store-patience.ts';

export interface Look {
  readonly scopeId: string;
  readonly backupIds: readonly string[];
  readonly depth: CheckDepth;
  /** Of the packs so much is read: 1…100. */
  readonly percent: number;
  /** Null: no limit. */
  readonly budgetBytes: number | null;
  /** Under which the place that was reached is kept; a look that finds one goes on there, at the backups that were meant then. Null: it begins anew. */
  readonly roundId: string | null;
  readonly patienceMs: number;
}

export interface Looked {
  /** Nothing is left to be looked at. */
  readonly ended: boolean;
  readonly readBytes: number;
}

type Call = DriverCall &
  WaitingCall & { readonly requestId: string; readonly tools: Pick<Tools, 'backups' | 'messageTtlSeconds'> };

/** Packs that were found whole are written down no oftener. */
const TOLD = 16;

export async function lookAtBackups(look: Look, call: Call): Promise<Looked> {
  const { scopeId, depth, percent, budgetBytes, roundId, patienceMs } = look;
  const { db, ground, turns } = call.tools.backups;
  const begun = { begunAt: now(), backupIds: look.backupIds };
  const round = roundId === null ? { ...begun, after: null } : await db.write((tx) => openRound(tx, roundId, begun));
  const whole = await wholeBackups(db.read, scopeId);
  const [first = ''] = round.backupIds;
  const placed = await placeOf(call.tools.backups, { id: first, scopeId });
  const { after } = round;
  const stop = new AbortController();
  let recorded = Promise.resolve();
  let looked = 0;
  let last = after;
  const backups = await ground();
  const outcome = await turns.run('verification', call, async () =>
    backups.verify(
      {
        place: placed.place,
        backupIds: round.backupIds.filter((id) => whole.has(id)),
        others: [...whole].filter((id) => !round.backupIds.includes(id)),
        depth,
        share: percent / 100,
        budgetBytes,
        after,
        damaged: (await damagedPacks(db.read, scopeId)).filter((pack) => after !== null && pack <= after),
        patienceMs,
      },
      {
        signal: AbortSignal.any([call.signal, stop.signal]),
        progress: call.progress,
        waiting: waitingFor(placed, call),
        looked: (pack) => {
          looked += 1;
          last = pack.pack;
          if (pack.what === null && looked % TOLD !== 0) return;
          recorded = recorded.then(() => db.write((tx) => recordLooked(tx, look, pack)));
          recorded.catch((error: unknown) => stop.abort(error));
        },
      },
    ),
  );
  await recorded;
  await db.write((tx) => conclude(tx, look, { ...round, after: last }, outcome, call));
  return { ended: outcome.ended, readBytes: outcome.readBytes };
}

/** A backup has been made anew: of what is known to be damaged, what it still needs is left. */
export async function lookAgain(
  {
    scopeId,
    backupId,
    patienceMs,
  }: { readonly scopeId: string; readonly backupId: string; readonly patienceMs: number },
  call: Call,
): Promise<void> {
  const { db, ground } = call.tools.backups;
  const { place } = await placeOf(call.tools.backups, { id: backupId, scopeId });
  const damaged = await damagedPacks(db.read, scopeId);
  const { damage } = await (await ground()).verify(
    { place, backupIds: [], others: [backupId], depth: 'present', damaged, patienceMs },
    { signal: call.signal, progress: call.progress, waiting: () => undefined, looked: () => undefined },
  );
  await db.write(async (tx) => {
    for (const known of await damageOf(tx.db, [backupId])) {
      const left = damage.find(({ pack }) => pack === known.pack);
      if (left === undefined) await forgetDamage(tx, known);
      else await keepDamage(tx, { ...known, ranges: left.ranges });
    }
    await say(tx, backupId, call);
  });
}

async function recordLooked(tx: Tx, { scopeId, depth, roundId }: Look, { pack, what }: LookedPack): Promise<void> {
  if (roundId !== null) await moveRound(tx, roundId, pack);
  if (what === null) return;
  for (const backupId of await wholeBackups(tx.db, scopeId, pack))
    await noteDamage(tx, { backupId, pack, what, depth, ranges: [], foundAt: now() });
}

async function conclude(
  tx: Tx,
  { scopeId, depth, percent, roundId }: Look,
  round: CheckRound,
  { damage, ended }: { readonly damage: readonly BackupDamage[]; readonly ended: boolean },
  call: Call,
): Promise<void> {
  const whole = await wholeBackups(tx.db, scopeId);
  const found = damage.filter(({ backupId }) => whole.has(backupId));
  for (const each of found) if (await isStillMadeOf(tx, each)) await keepDamage(tx, { ...each, depth, foundAt: now() });
  const looked = round.backupIds.filter((id) => whole.has(id));
  if (ended) {
    if (roundId !== null) await closeRound(tx, roundId);
    for (const backupId of looked) await keepCheck(tx, { backupId, checkedAt: round.begunAt, depth, percent });
    if (percent === 100) await forgetWhatIsWell(tx, looked, depth, found);
  } else if (roundId !== null && round.after !== null) await moveRound(tx, roundId, round.after);
  for (const backupId of new Set([...looked, ...found.map((each) => each.backupId)])) await say(tx, backupId, call);
}

async function isStillMadeOf({ db }: Tx, { backupId, pack }: BackupDamage): Promise<boolean> {
  const content = await findContent(db, backupId);
  return content !== undefined && (pack === null || content.packs.includes(pack));
}

/** Not what only a deeper look can see. */
async function forgetWhatIsWell(
  tx: Tx,
  looked: readonly string[],
  depth: CheckDepth,
  found: readonly BackupDamage[],
): Promise<void> {
  const rank = (of: CheckDepth): number => CHECK_DEPTHS.indexOf(of);
  for (const known of await damageOf(tx.db, looked)) {
    const isFound = found.some(({ backupId, pack }) => backupId === known.backupId && pack === known.pack);
    if (!isFound && rank(known.depth) <= rank(depth)) await forgetDamage(tx, known);
  }
}

/** What the row says is what is known. Its users are told when it begins. */
async function say(tx: Tx, backupId: string, context: Call): Promise<void> {
  const backup = await findBackup(tx.db, backupId);
  if (backup === undefined) return;
  const failReason = damageText(await damageOf(tx.db, [backupId]));
  if (failReason === backup.failReason) return;
  await updateBackup(tx, backupId, { failReason });
  if (failReason !== null && backup.failReason === null)
    await tellUser(tx, 'verify-backup', { name: 'BackupDamaged' }, backup, context);
}
