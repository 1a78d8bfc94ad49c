/** Who asks: made by the door from the request's token, handed to every command. */
export interface Caller {
  readonly userId: string;
  readonly projectId: string;
  readonly roles: readonly string[];
  readonly isAdmin: boolean;
  /** `req-<uuid>`: in the answer's headers, every log line, flow, event and message of the request. */
  readonly requestId: string;
}
