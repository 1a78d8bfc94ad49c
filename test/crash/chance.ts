/** Chance that can be had again: the same seed gives the same storm, as far as processes and clocks allow. */
export interface Chance {
  /** 0 ≤ x < 1 */
  next(): number;
  /** True so often. */
  is(probability: number): boolean;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  /** One of them; undefined when there is none. */
  among<T>(all: readonly T[]): T | undefined;
  /** One of the keys, each as often as its weight says. */
  weighed<Key extends string>(weights: Readonly<Record<Key, number>>): Key;
  /** Exponential with this mean, cut off at both ends: what happens at random in time. */
  after(meanMs: number, leastMs: number, mostMs: number): number;
}

export function chanceFrom(seed: number): Chance {
  let state = seed >>> 0;
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    is: (probability) => next() < probability,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    among: (all) => all[Math.floor(next() * all.length)],
    weighed: (weights) => {
      const entries = Object.entries(weights) as [keyof typeof weights, number][];
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [key, weight] of entries) {
        left -= weight;
        if (left < 0) return key;
      }
      return (entries.at(-1) as [keyof typeof weights, number])[0];
    },
    after: (meanMs, leastMs, mostMs) => Math.min(mostMs, leastMs - Math.log(1 - next()) * meanMs),
  };
}
