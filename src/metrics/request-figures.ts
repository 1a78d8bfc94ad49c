/**
 * Requests by route, method and class of status, with their durations (`api/request-meter.ts`). The count of the histogram is the
 * count of requests; there is no second one.
 */
import { type Children, type Histogram, histograms } from './registry.ts';
import type { Family, Labels } from './text.ts';

/** Seconds, from half a millisecond to ten seconds. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** By the first digit of a status. Who has gone before the answer has none. */
const CLASSES = ['gone', '1xx', '2xx', '3xx', '4xx', '5xx'];

/** One route, with the children that it has had so far. */
class RouteFigures {
  readonly #children: Children<Histogram>;
  readonly #labels: Labels;
  readonly #byClass: (Histogram | undefined)[] = [];

  constructor(children: Children<Histogram>, labels: Labels) {
    this.#children = children;
    this.#labels = labels;
  }

  /** A status of 0: nobody was there any more. */
  answered(status: number, seconds: number): void {
    const digit = (status / 100) | 0;
    this.#byClass[digit] ??= this.#children.of({ ...this.#labels, status: CLASSES[digit] ?? 'other' });
    this.#byClass[digit].observe(seconds);
  }
}

export class RequestFigures {
  readonly #durations = histograms(
    {
      name: 'pumice_http_request_duration_seconds',
      help: 'Requests by route and class of status, from their headers to the end of their answer.',
    },
    BOUNDS,
  );
  /** What leads to no route: unknown paths, refused methods. */
  readonly elsewhere = new RouteFigures(this.#durations, { method: 'other', route: 'none' });

  /** One object for each route; whoever has it asks no more. */
  route(method: string, route: string, action?: string): RouteFigures {
    return new RouteFigures(this.#durations, { method, route, ...(action !== undefined && { action }) });
  }

  families(): readonly Family[] {
    return [this.#durations.family()];
  }
}
