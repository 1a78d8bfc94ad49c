/** The exit codes of `pumice`; the help texts say the same. */
export const EXIT = {
  ok: 0,
  /** It could not be done. */
  failed: 1,
  /** The command line or the configuration is wrong; nothing was begun. */
  usage: 2,
  /** `pumice doctor` found something, and it is still there. */
  findings: 3,
  /** A server ended by an error that nobody caught; systemd calls it SOFTWARE. */
  crashed: 70,
  /** PostgreSQL cannot be reached, or a server lost the session that held what it owned: start it again. TEMPFAIL. */
  databaseLost: 75,
  /** A signal ended the wait. */
  interrupted: 130,
} as const;

/** A failure that needs no stack: what is wrong, in words of the one who typed. */
export class Complaint extends Error {
  override readonly name = 'Complaint';
  readonly exitCode: number;
  constructor(message: string, exitCode: number = EXIT.failed, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
