/**
 * What an import says of single rows: each that comes in otherwise than it was, or does not. Of one kind of thousands the first are shown, and how
 * many there are; `pumice import check` names all.
 */
import type { ImportFinding, ImportRefusal } from '../../import/map/verdict.ts';
import { printable, type Terminal } from '../terminal.ts';

export interface ToldRows {
  /** The first of each kind. */
  readonly findings: readonly ImportFinding[];
  readonly refusals: readonly ImportRefusal[];
  /** How many there are, by `resource code`. */
  readonly counts: Readonly<Record<string, number>>;
}

const SHOWN_OF_A_KIND = 100;

/** What is kept is bounded; it is shown at once where there is a terminal. */
export function tellerOf(out: Terminal | undefined): {
  readonly tell: (about: ImportFinding | ImportRefusal) => void;
  readonly all: ToldRows;
} {
  const findings: ImportFinding[] = [];
  const refusals: ImportRefusal[] = [];
  const counts: Record<string, number> = {};
  const tell = (about: ImportFinding | ImportRefusal): void => {
    const kind = `${about.resource} ${about.code}`;
    const times = (counts[kind] ?? 0) + 1;
    counts[kind] = times;
    if (times > SHOWN_OF_A_KIND) return;
    if ('next' in about) refusals.push(about);
    else findings.push(about);
    out?.line(printable('next' in about ? refusal(about) : finding(about)));
  };
  return { tell, all: { findings, refusals, counts } };
}

/** Of kinds of which not all were shown. */
export const moreLines = ({ counts }: ToldRows): string[] =>
  Object.entries(counts)
    .filter(([, times]) => times > SHOWN_OF_A_KIND)
    .map(([kind, times]) => `${kind}: ${times - SHOWN_OF_A_KIND} more; \`pumice import check\` names all`);

const finding = ({ resource, id, saw, does }: ImportFinding): string => `${resource} ${id} ${saw}: ${does}`;

const refusal = ({ resource, id, saw, next, settledBy }: ImportRefusal): string =>
  `REFUSED ${resource} ${id} ${saw}: ${next}${settledBy === undefined ? '' : ` (${settledBy})`}`;
