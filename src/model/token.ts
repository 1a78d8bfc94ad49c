/** What an identity service says of a token, and that it does not know one. */
import { PumiceError } from './errors.ts';

/** A token that is good now. */
export interface Token {
  readonly userId: string;
  /** Null: the token is for no project. */
  readonly projectId: string | null;
  readonly roles: readonly string[];
  /** For the whole site, and for no project. */
  readonly system: boolean;
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
}

/** Says whose a token is; fails with `Unauthorized` when it is nobody's. */
export interface TokenSource {
  token(text: string): Token | Promise<Token>;
}

/** Nobody knows who asks. */
export class Unauthorized extends PumiceError {
  override readonly status = 401;
  override readonly fault = 'unauthorized';
  /** Where one becomes somebody: what `WWW-Authenticate` says. */
  readonly challenge: string | undefined;
  constructor(
    message = 'The request you have made requires authentication.',
    options?: ErrorOptions & { readonly challenge?: string },
  ) {
    super(message, options);
    this.challenge = options?.challenge;
  }
}
