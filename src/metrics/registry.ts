/**
 * Counters and histograms that are kept in memory and read when somebody scrapes them.
 *
 * A *child* is the one series of a family that has certain labels. To find it costs a text and a look into a map; to count with one
 * that is found already costs an addition. So whoever counts often keeps the child. Labels are of small sets (routes, flows,
 * outcomes), never an id: each child is kept for as long as the process lives, and is a series in somebody's database.
 */
import { type Family, type Labels, labelText, type Sample } from './text.ts';

interface Child {
  samples(labels: string): readonly Sample[];
}

export class Counter implements Child {
  #value = 0;

  add(amount = 1): void {
    this.#value += amount;
  }

  samples(labels: string): readonly Sample[] {
    return [{ labels, value: this.#value }];
  }
}

export class Histogram implements Child {
  /** Rising. */
  readonly #bounds: readonly number[];
  /** How many were at most the bound and more than the one below; at last those above all. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] as number)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
  }

  /** Buckets as Prometheus wants them: each holds all that are below it. */
  samples(labels: string): readonly Sample[] {
    const before = labels === '' ? '' : `${labels},`;
    let count = 0;
    const buckets = Array.from(this.#counts, (amount, bucket): Sample => {
      count += amount;
      return { suffix: '_bucket', labels: `${before}le="${this.#bounds[bucket] ?? '+Inf'}"`, value: count };
    });
    return [...buckets, { suffix: '_sum', labels, value: this.#sum }, { suffix: '_count', labels, value: count }];
  }
}

export interface Described {
  readonly name: string;
  readonly help: string;
}

/** A family, and its children by their labels. */
export class Children<C extends Counter | Histogram> {
  readonly #described: Described & Pick<Family, 'type'>;
  readonly #make: () => C;
  readonly #children = new Map<string, C>();

  constructor(described: Described & Pick<Family, 'type'>, make: () => C) {
    this.#described = described;
    this.#make = make;
  }

  /** The same labels, in the same order, are the same child. */
  of(labels: Labels): C {
    const text = labelText(labels);
    const known = this.#children.get(text);
    if (known !== undefined) return known;
    const child = this.#make();
    this.#children.set(text, child);
    return child;
  }

  family(): Family {
    return { ...this.#described, samples: [...this.#children].flatMap(([labels, child]) => child.samples(labels)) };
  }
}

/** The name ends in `_total`. */
export const counters = (described: Described): Children<Counter> =>
  new Children({ ...described, type: 'counter' }, () => new Counter());

/** The name ends in a unit. */
export const histograms = (described: Described, bounds: readonly number[]): Children<Histogram> =>
  new Children({ ...described, type: 'histogram' }, () => new Histogram(bounds));
