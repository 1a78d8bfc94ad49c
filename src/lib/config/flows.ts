/** `[flows]`: the engine that runs the flows. */
import { Type } from '../schema.ts';
import { positive } from './forms.ts';

export const Flows = Type.Object(
  {
    concurrency: Type.Integer({
      ...positive,
      default: 256,
      description: 'Flows of this process that run at once; others wait in the database.',
    }),
    max_claims_without_progress: Type.Integer({
      ...positive,
      default: 5,
      description:
        'How often a flow may be taken up from a process that died, without getting any further, before it is reverted.',
    }),
    keep_ended_days: Type.Integer({ minimum: 0, default: 30, description: 'Days an ended flow can be looked at.' }),
  },
  { description: 'The engine that runs the flows.' },
);
