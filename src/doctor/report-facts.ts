/** What the doctor found, as programs read it (`--json`, the API). */
import type { Json } from '../lib/json.ts';
import type { CheckReport, Examination } from './examine.ts';

/** Of a finding, what others than the doctor make use of. */
export interface FoundThing {
  readonly check: string;
  readonly about: string;
  readonly says: string;
}

/** What is wrong, or was; notes are not. */
export const counted = (reports: readonly CheckReport[]) =>
  reports.flatMap(({ findings }) => findings.filter(({ isNote }) => !isNote));

export function reportFacts({ reports, swept }: Examination): { readonly [key: string]: Json } {
  const all = reports.flatMap(({ check, findings }) => findings.map((finding) => ({ ...finding, check: check.name })));
  return {
    findings: all
      .filter(({ isNote }) => !isNote)
      .map(({ check, about, says, advice, remedy, repaired }) => ({
        check,
        about,
        says,
        advice: advice ?? null,
        remedy: remedy?.says ?? null,
        repaired,
      })),
    /** What is as somebody wanted it, and worth knowing. */
    notes: all
      .filter(({ isNote }) => isNote)
      .map(({ check, about, says, advice }) => ({ check, about, says, advice: advice ?? null })),
    swept,
  };
}
