/** What the API answers, as far as the page shows it. */

export interface UserMessage {
  readonly id: string;
  readonly user_message: string;
  readonly created_at: string;
  readonly request_id: string | null;
}

/** Of a project: in use and reserved of a limit, which is none below zero. */
export type QuotaSet = Readonly<
  Record<string, { readonly limit: number; readonly in_use: number; readonly reserved: number }>
>;
