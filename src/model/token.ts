/** A token as an identity service describes it, and the error for an unknown one. */
import type { AccessRule } from './access-rules.ts';
import { PumiceError } from './errors.ts';

/** A token that is good now. */
export interface Token {
  readonly userId: string;
  /** Null: the token is for no project. */
  readonly projectId: string | null;
  readonly roles: readonly string[];
  /** For the whole site, and for no project. */
  readonly system: boolean;
  /** The only requests that it is good for. Absent: it is good for all. */
  readonly accessRules?: readonly AccessRule[];
}

export interface TokenSource {
  /**
   * Whose a token is; fails with `Unauthorized` when it is nobody's, with `IdentityUnavailable` when nobody can say. A service
   * that asks in a user's name may bring a token that has just expired: what it does began when it had not.
   */
  token(text: string, options?: { readonly evenExpired?: boolean }): Token | Promise<Token>;
}

/** A token of the service itself, for what it asks of other services in its own name. */
export interface OwnToken {
  own(): string | Promise<string>;
  /** It was refused; the next one is another. */
  forget(text: string): void;
}

/** A token as its client sent it. Neither JSON, nor a log, nor an error that holds it shows the text. */
export class TokenText {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }
}

/** Nobody knows who asks. */
export class Unauthorized extends PumiceError {
  override readonly status = 401;
  override readonly fault = 'unauthorized';
  /** Where one becomes somebody: what `WWW-Authenticate` says. */
  readonly challenge: string | undefined;
  constructor(
    message = 'The request you have made requires authentication.',
    { challenge, ...options }: ErrorOptions & { readonly challenge?: string } = {},
  ) {
    super(message, options);
    this.challenge = challenge;
  }
}

/** The identity service cannot be asked, so nobody is let in. */
export class IdentityUnavailable extends PumiceError {
  override readonly status = 503;
  override readonly fault = 'serviceUnavailable';
  override readonly transient = true;
}
