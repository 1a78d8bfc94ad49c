/** A part of the figures: a section of bench/RESULTS.md, that is measured and written by itself. */
import type { Result } from './report.ts';
import type { World } from './world.ts';

export interface Part {
  /** What the lines cannot be better than, whoever writes the program; how far from it they are is told of those that stand beside it. */
  readonly limit: string;
  measure(world: World): Promise<Result[]>;
}
