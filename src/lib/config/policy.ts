/** `[policy]`: access rules in place of Cinder's. */
import { Type } from '../schema.ts';

export const Policy = Type.Record(
  Type.String({ pattern: '^[A-Za-z0-9_:-]+$' }),
  Type.String({ form: 'an access rule: role:R, rule:NAME, project_id:%(project_id)s, …, and, or, not, @ or !' }),
  {
    form: 'the name of a rule of Cinder, in quotation marks: "volume:create"',
    description: "Cinder's access rules, where they are to be others than by default.",
    default: {},
  },
);
