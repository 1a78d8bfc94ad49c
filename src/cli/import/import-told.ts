/** What an import says of single rows: each that comes in otherwise than it was, or does not. */
import type { ImportFinding, ImportRefusal } from '../../import/map/verdict.ts';
import { printable, type Terminal } from '../terminal.ts';

export interface ToldRows {
  readonly findings: readonly ImportFinding[];
  readonly refusals: readonly ImportRefusal[];
}

/** Each is kept, and shown at once where there is a terminal. */
export function tellerOf(out: Terminal | undefined): {
  readonly tell: (about: ImportFinding | ImportRefusal) => void;
  readonly all: ToldRows;
} {
  const findings: ImportFinding[] = [];
  const refusals: ImportRefusal[] = [];
  const tell = (about: ImportFinding | ImportRefusal): void => {
    if ('next' in about) refusals.push(about);
    else findings.push(about);
    out?.line(printable('next' in about ? refusal(about) : finding(about)));
  };
  return { tell, all: { findings, refusals } };
}

const finding = ({ resource, id, saw, does }: ImportFinding): string => `${resource} ${id} ${saw}: ${does}`;

const refusal = ({ resource, id, saw, next, settledBy }: ImportRefusal): string =>
  `REFUSED ${resource} ${id} ${saw}: ${next}${settledBy === undefined ? '' : ` (${settledBy})`}`;
