/** `[log]`. */
import { Type } from '../schema.ts';

export const Log = Type.Object(
  {
    level: Type.Enum(['silent', 'error', 'warn', 'info', 'debug'], {
      default: 'info',
      description:
        '`error`: a person must act. `warn`: unexpected, handled. `info`: a state changed. `debug`: all the rest.',
    }),
  },
  { description: 'The log: JSON lines on standard error.' },
);
