/** Forms that options of several sections have. */
import { Type } from '../schema.ts';

export const positive = { minimum: 1 } as const;
export const names = Type.String({ minLength: 1, form: 'names' });
export const limit = (meaning: string, byDefault: number) =>
  Type.Integer({ minimum: -1, default: byDefault, description: `${meaning} -1: no limit.` });
