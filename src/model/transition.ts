/**
 * What a rule of a life cycle is: an operation, the statuses it may begin in, and those it leads to. The rules themselves are
 * the tables of `status.ts`.
 */

/**
 * `previous`: what it was before; `mended`: the same, but available where that was an error. `gone`: there is no row any more. `as attached`: what its attachments make of it
 * (`statusWith`), where it was one of `BY_ATTACHMENTS`; any other stays.
 */
type End<Status extends string> = Status | 'previous' | 'mended' | 'gone' | 'as attached';

export interface Transition<Status extends string> {
  /** Empty for an operation that makes the row. */
  readonly from: readonly Status[] | 'any';
  /** From these too, when that is so. */
  readonly also?: { readonly from: readonly Status[]; readonly when: string };
  /** While a flow is at it; in order, when it passes through several. Empty when it changes the status at once. */
  readonly during: readonly Status[];
  readonly success: End<Status>;
  readonly failure: End<Status>;
  /** What is demanded, for who is refused; `{from}` are the statuses. None: it is not refused, or in words of its own. */
  readonly must?: string;
  /** The refusal says `attach_status` too. */
  readonly tellsAttachStatus?: true;
}

/** Operations of a table with words for who is refused. */
export type Refusing<Table> = {
  [O in keyof Table]: Table[O] extends { readonly must: string } ? O : never;
}[keyof Table];

/** Operations of a table that one conditional update begins. */
export type Moving<Table> = {
  [O in keyof Table]: Table[O] extends
    | { readonly from: readonly [] }
    | { readonly during: readonly []; readonly success: 'as attached' }
    ? never
    : O;
}[keyof Table];

/** The statuses it leaves. `more`: the condition of `also` is met. */
export function leaving<Status extends string>(
  { from, also }: Transition<Status>,
  more: boolean | undefined,
): readonly Status[] | 'any' {
  return more && also !== undefined && from !== 'any' ? [...from, ...also.from] : from;
}

/** Whether it may begin in this status. */
export function leaves<Status extends string>(rule: Transition<Status>, status: Status, also?: boolean): boolean {
  const from = leaving(rule, also);
  return from === 'any' || from.includes(status);
}

/** The status it enters at once; undefined when it stays what it is. */
export function entered<Status extends string>({ during: [first], success }: Transition<Status>): Status | undefined {
  if (first !== undefined) return first;
  return success === 'previous' || success === 'mended' || success === 'gone' || success === 'as attached'
    ? undefined
    : success;
}

/** `must be available or in-use to be extended`. */
export function demand(rule: Transition<string>, also?: boolean): string {
  const from = leaving(rule, also);
  return `must be ${(rule.must ?? '{from}').replace('{from}', from === 'any' ? from : from.join(' or '))}`;
}
