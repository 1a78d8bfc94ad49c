/** How whoever works for long says how far it is, and what it waits for. */

/** Of a copy. */
export interface Copied {
  readonly bytes: number;
  /** In all: what is copied of data with holes, not what it is as a disk. */
  readonly of: number;
}

/** What somebody waits for who has begun: it reads `waits for WHAT: WHY`. */
export interface Wait {
  /** `its turn` */
  readonly what: string;
  /** `2nd of 5` */
  readonly why: string;
}

/** 0…1 of the whole work, and of what is copied just now, which may be a part of it. */
export type Progress = (fraction: number, copied?: Copied) => void;

/** The progress of a part of the work, which begins at `from` and is `share` of the whole. */
export const partOf =
  (whole: Progress, from: number, share: number): Progress =>
  (fraction, copied) =>
    whole(from + fraction * share, copied);
