/**
 * What was decided of an import, kept in the database that is filled, so that no later command has to be told it again: what is typed is
 * judged beside it. A run may decide anew, since it judges each row again; a turn and the way back may not, as a slip of the hand there would
 * change every row at the last moment.
 */
import type { ImportProgress } from '../../db/import-progress.ts';
import { Complaint } from '../exit-codes.ts';
import type { SourceFlags } from './source-flags.ts';

type Decided = Pick<SourceFlags, 'mapHost' | 'adoptType' | 'revive' | 'missingAsError'>;

export interface KeptDecisions<Flags> {
  /** As typed, and for the rest as kept. */
  readonly flags: Flags;
  /** What is kept from here on. */
  readonly text: string;
  /** `--map-host a@b=c@d (it was c@e)` of each that is not as it was; empty the first time. */
  readonly changed: readonly string[];
}

export function withKept<Flags extends Decided>(
  before: Pick<ImportProgress, 'decisions'> | undefined,
  typed: Flags,
): KeptDecisions<Flags> {
  const kept = before?.decisions == null ? undefined : (JSON.parse(before.decisions) as Partial<Decided>);
  const hosts = new Map(kept?.mapHost);
  const changed: string[] = [];
  for (const [from, to] of typed.mapHost) {
    const was = hosts.get(from);
    if (kept !== undefined && was !== to)
      changed.push(`--map-host ${from}=${to} (${was === undefined ? NOT_GIVEN : `it was ${was}`})`);
    hosts.set(from, to);
  }
  const adoptType = typed.adoptType ?? kept?.adoptType;
  if (kept !== undefined && adoptType !== kept.adoptType)
    changed.push(
      `--adopt-type ${adoptType} (${kept.adoptType === undefined ? NOT_GIVEN : `it was ${kept.adoptType}`})`,
    );
  for (const [name, flag] of [
    ['revive', '--revive'],
    ['missingAsError', '--missing-as-error'],
  ] as const)
    if (kept !== undefined && typed[name] === true && kept[name] !== true) changed.push(`${flag} (${NOT_GIVEN})`);
  const decided: Decided = {
    mapHost: [...hosts].sort(([a], [b]) => (a < b ? -1 : 1)),
    ...(adoptType !== undefined && { adoptType }),
    ...((typed.revive || kept?.revive) && { revive: true }),
    ...((typed.missingAsError || kept?.missingAsError) && { missingAsError: true }),
  };
  return { flags: { ...typed, ...decided }, text: JSON.stringify(decided), changed };
}

const NOT_GIVEN = 'it was not given';

/** For whoever may not decide anew. Rejects with a `Complaint` that names the first. */
export function asKept<Flags extends Decided>(before: ImportProgress | undefined, typed: Flags): Flags {
  const { flags, changed } = withKept(before, typed);
  if (changed.length === 0) return flags;
  const more = changed.length > MOST_SHOWN ? ` and ${changed.length - MOST_SHOWN} more` : '';
  throw new Complaint(
    `The last run was made otherwise: ${changed.slice(0, MOST_SHOWN).join(', ')}${more}. What it was told is kept and need not be typed; to decide anew, \`pumice import run\` again before it is turned. Nothing was changed.`,
  );
}

const MOST_SHOWN = 3;
