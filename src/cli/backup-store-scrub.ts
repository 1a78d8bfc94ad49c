/**
 * `pumice backup-store scrub STORE`: looks at all backups of a store, and keeps what it finds as `pumice backups verify` does. A server may go on
 * beside it, and none need run.
 *
 * With `--orphans` it lists the store, which nothing else does: what is in no manifest, neither of those that the database knows nor of those
 * that lie there, and belongs to no backup under way. The store is listed before the books are read, so that what begins meanwhile is not in
 * the list. A list is never believed to say that something is missing, and no manifest is ever removed.
 */
import { makeBackups } from '../backups/make-backups.ts';
import { type CheckDepth, damageOf } from '../db/backup-checks.ts';
import { wholeBackups } from '../db/backup-contents.ts';
import { allScopes } from '../db/backup-scopes.ts';
import { openDatabase } from '../db/database.ts';
import { damageLines } from '../doctor/damage-lines.ts';
import { backupTools } from '../flows/backups/backup-tools.ts';
import { lookAtBackups } from '../flows/backups/look-at-backups.ts';
import { type Orphans, orphansOf } from '../flows/backups/orphans.ts';
import { sizeText } from '../lib/bytes.ts';
import { uuid } from '../lib/clock.ts';
import { exec } from '../lib/exec.ts';
import { silentLog } from '../lib/logging.ts';
import { PumiceError } from '../model/errors.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';
import { storeSection } from './store-section.ts';

export interface ScrubOptions extends ConfigFlags {
  readonly depth: CheckDepth;
  readonly orphans?: boolean;
  readonly remove?: boolean;
}

export async function backupStoreScrub(store: string, options: ScrubOptions, around: CliContext): Promise<number> {
  const { depth, orphans = false, remove = false } = options;
  const { out, err, signal } = around;
  const config = configurationOf(options);
  storeSection(config, store);
  if (remove && !orphans) throw new Complaint('Only what --orphans finds can be removed.', EXIT.usage);
  const db = await openDatabase(config.database.url, { as: 'tool' });
  try {
    const backups = backupTools(config, db, silentLog);
    const tools = { backups, messageTtlSeconds: config.message_ttl };
    const scopes = (await allScopes(db.read)).filter((scope) => scope.store === store);
    const counts = { looked: 0, damaged: 0, failed: 0 };
    for (const [index, { id: scopeId }] of scopes.entries()) {
      const backupIds = [...(await wholeBackups(db.read, scopeId))];
      if (backupIds.length === 0) continue;
      const how = { depth, percent: 100, budgetBytes: null, roundId: null, patienceMs: 0 } as const;
      const progress = (fraction: number): void =>
        out.live(`scope ${index + 1} of ${scopes.length}: ${Math.floor(100 * fraction)} %`);
      const call = { tools, requestId: `req-${uuid()}`, signal, progress, waiting: () => {} };
      try {
        await lookAtBackups({ scopeId, backupIds, ...how }, call);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof PumiceError)) throw error;
        counts.failed += 1;
        err.line(`scope ${scopeId}: ${error.message}`);
        continue;
      }
      counts.looked += backupIds.length;
      const damage = Map.groupBy(await damageOf(db.read, backupIds), ({ backupId }) => backupId);
      counts.damaged += damage.size;
      for (const [id, found] of damage) for (const line of damageLines(found)) out.line(`backup ${id} is ${line}`);
    }
    out.line(`${counts.looked} backups were looked at, ${counts.damaged} are damaged; ${counts.failed} scopes failed.`);
    if (orphans) {
      const found = await orphansOf(backups, makeBackups({ exec }), store, signal);
      out.lines(orphanLines(found));
      if (remove) await removeAll(found, out.line.bind(out));
    }
    return counts.failed > 0 ? EXIT.failed : counts.damaged > 0 ? EXIT.findings : EXIT.ok;
  } finally {
    await db.close();
  }
}

function orphanLines({ scopes, strange, unknown }: Orphans): string[] {
  const packs = scopes.flatMap((scope) => scope.packs);
  const bytes = packs.reduce((sum, pack) => sum + pack.bytes, 0);
  return [
    ...scopes.flatMap((scope) => scope.packs.map((pack) => `orphan: scopes/${scope.id}/packs/${pack.name}`)),
    ...unknown.map(({ scope, backupId }) => `scopes/${scope}/manifests/${backupId} is no backup of this database`),
    ...strange.map(({ scope, why }) => `scope ${scope} is left alone: ${why}`),
    `${packs.length} packs (${sizeText(bytes)}) are in no manifest and of no backup under way.`,
  ];
}

async function removeAll({ scopes }: Orphans, say: (line: string) => void): Promise<void> {
  for (const scope of scopes) await scope.remove();
  say('They were removed.');
}
