/** The failure of a request to a peer, in one sentence: the peer, the request, and how it ended. */

/**
 * - `unreachable`: no connection came about, or the request cannot be sent as it is.
 * - `silent`: a time limit has passed.
 * - `broken`: the connection ended before the answer did.
 * - `nonsense`: what came is no HTTP, or nothing that was asked for.
 * - `too-long`: an answer that is read whole has more bytes than such an answer may have.
 * - `elsewhere`: it sends us somewhere we do not go.
 */
export type FailureKind = keyof typeof DOES;

/** In few words, for those who need not know which machine it is. */
const DOES = {
  unreachable: 'cannot be reached',
  silent: 'is too slow',
  broken: 'broke off its answer',
  nonsense: 'answers with something that is no answer',
  'too-long': 'answers more than can be',
  elsewhere: 'sends us elsewhere',
} as const;

/** Holds no header and no query, since both may hold secrets. The reason, where Node gave one, is the `cause`. */
export class PeerFailure extends Error {
  override readonly name = 'PeerFailure';
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }

  /** Goes on after its name: `The image service is too slow.` */
  get does(): string {
    return DOES[this.kind];
  }
}
