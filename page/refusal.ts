/** Refusals of the API: what it says, and the field of a form that it speaks of. */

/** The service refused. The message is its own. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The words of a fault, `{"badRequest": {"code": 400, "message": "…"}}`; without one, the status. */
export function refusalOf(status: number, body: unknown): Refusal {
  const [fault] = Object.values((body ?? {}) as Readonly<Record<string, unknown>>);
  const message = (fault as { readonly message?: unknown } | undefined)?.message;
  return new Refusal(
    status,
    typeof message === 'string' && message !== '' ? message : `The service answered ${status}.`,
  );
}

/** Words of the API for what a form calls otherwise. */
const SPOKEN: readonly (readonly [RegExp, string])[] = [
  [/VolumeSizeExceeds|gigabytes|GiB\b/i, 'size'],
  [/group type/i, 'group_type'],
  [/volume type/i, 'volume_type'],
  [/volume type/i, 'volume_types'],
  [/\btype\b/i, 'new_type'],
  [/\bvolume\b/i, 'volume_id'],
  [/\bvolume\b/i, 'add_volumes'],
];

/** The field that a refusal is about; undefined: the whole. A pointer into the body says it best (`/volume/size must be …`). */
export function fieldOf(message: string, fields: readonly string[]): string | undefined {
  const pointed = /(?:^|\s)\/\w+\/(\w+)/.exec(message)?.[1];
  if (pointed !== undefined && fields.includes(pointed)) return pointed;
  const spoken = SPOKEN.find(([words, field]) => fields.includes(field) && words.test(message))?.[1];
  return spoken ?? fields.find((field) => new RegExp(`\\b${field}\\b`).test(message));
}
