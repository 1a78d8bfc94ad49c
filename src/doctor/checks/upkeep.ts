/**
 * Check: the upkeep of the servers works. A loop that fails says why in a table (`db/troubles.ts`), once for each reason, so this is
 * the place to look. On SQLite the rows are those of the last server, even when none runs now.
 */
import { type KeptTrouble, listTroubles } from '../../db/troubles.ts';
import { now } from '../../lib/clock.ts';
import { age } from '../../lib/times.ts';
import { UPKEEP } from '../../model/upkeep.ts';
import type { DoctorCheck, Finding, Patient } from './check.ts';

export const upkeep: DoctorCheck = {
  name: 'upkeep',
  wellSaid: 'what servers do by themselves works',
  examine: async ({ db }: Patient) => (await listTroubles(db)).map(finding),
};

function finding({ process, node, upkeep: name, about, reason, since }: KeptTrouble): Finding {
  const known = Object.hasOwn(UPKEEP, name) ? UPKEEP[name as keyof typeof UPKEEP] : undefined;
  return {
    key: `${process} ${name} ${about} ${reason}`,
    about,
    says: `has upkeep that fails on ${node} for ${age(since, now())} (${name}: ${known?.does ?? 'of another version'}): ${reason}`,
    advice: known?.advice ?? 'the version that serves knows more',
  };
}
