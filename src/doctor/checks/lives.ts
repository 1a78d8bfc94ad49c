/**
 * Check: no life of the server ended by an error that nobody was told of. It is told once: then it is history, and the log's.
 */
import { markTold, untoldDeaths } from '../../lib/life.ts';
import { lifeRecordOf } from '../life-record.ts';
import type { DoctorCheck, Patient } from './check.ts';

export const lives: DoctorCheck = {
  name: 'lives',
  wellSaid: 'no life of the server ended by an error that was not told yet',
  examine: async ({ config }: Patient) =>
    untoldDeaths(lifeRecordOf(config)).map(({ process, began_at, ended_at, error }) => ({
      key: `died ${process}`,
      about: `server ${config.node_name}`,
      says: `ended by an error at ${ended_at}, having begun at ${began_at}: ${error?.type}: ${error?.message}`,
      advice: `flows in flight: ${error?.flows}, requests: ${error?.requests}; the log of that moment names them. This is told once`,
    })),
  told: ({ config }, findings) => {
    const keys = new Set(findings.map(({ key }) => key));
    const path = lifeRecordOf(config);
    const told = untoldDeaths(path).filter(({ process }) => keys.has(`died ${process}`));
    if (told.length > 0) markTold(path, new Set(told.map(({ process }) => process)));
  },
};
