/** Progress of a long work that is also told elsewhere, a tenth at a time: where a row has it, as Cinder's of a snapshot. */
import type { Progress } from '../../lib/progress.ts';

export interface Tenths {
  readonly progress: Progress;
  /** Resolves when nothing more is on its way there. */
  told(): Promise<void>;
}

/** `tell` is given 10, 20 … 90, each at most once and never two at a time. What it rejects with is lost: the next tenth is told again. */
export function inTenths(progress: Progress, tell: (percent: number) => Promise<void>): Tenths {
  let last = 0;
  let telling: Promise<void> | undefined;
  return {
    progress: (fraction, copied) => {
      progress(fraction, copied);
      const percent = Math.min(9, Math.floor(fraction * 10)) * 10;
      if (percent <= last || telling !== undefined) return;
      last = percent;
      telling = tell(percent)
        .catch(() => {})
        .finally(() => {
          telling = undefined;
        });
    },
    told: async () => telling,
  };
}
