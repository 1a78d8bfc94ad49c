/**
 * What this process is and uses. The sum over processes is right: each tells of itself alone.
 *
 * Of the event loop its busy and its idle seconds are told, which Node counts anyway; the rate of both is its utilisation over
 * whatever time is asked for. A histogram of its delays would cost a timer that never rests.
 */
import type { Database } from '../db/database.ts';
import { elapsed, fromNow, millis } from '../lib/clock.ts';
import type { Troubles } from '../lib/troubles.ts';
import { UPKEEP } from '../model/upkeep.ts';
import { type Histogram, histograms } from './registry.ts';
import { counted, type Family, gauge, type Labels } from './text.ts';

/** Parts of a process that are asked when somebody scrapes. */
export interface ProcessParts {
  readonly db: Database;
  readonly troubles: Pick<Troubles, 'all'>;
  /** Undefined where nobody traces. */
  readonly tracing: { readonly lostSpans: number } | undefined;
  /** That are being answered. */
  readonly requests: { readonly size: number };
  readonly answers: {
    readonly counts: { readonly fast: number; readonly slow: number; readonly missed: number };
    readonly bytes: number;
  };
  readonly rowCache: { readonly counts: { readonly found: number; readonly rendered: number }; readonly bytes: number };
  readonly copies: { readonly turns: Turns };
  /** Those of backups. */
  readonly turns: { readonly restores: Turns; readonly others: Turns };
  /** What keeps the exports of a host tells how many there are. */
  readonly upkeep: readonly { readonly about: string; readonly exported?: () => number }[];
}

interface Turns {
  readonly running: number;
  readonly waiting: number;
}

export interface Build {
  readonly version: string;
  readonly node: string;
}

/** Seconds, from half a millisecond to ten seconds. */
const COMMIT_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class ProcessFigures {
  readonly #commits = histograms(
    {
      name: 'pumice_database_commit_duration_seconds',
      help: 'Transactions of the writer that were committed, from their begin to their commit.',
    },
    COMMIT_BOUNDS,
  );
  readonly #commit: Histogram = this.#commits.of({});
  readonly #startedAt = millis(fromNow(-elapsed())) / 1000;
  readonly #build: Build;

  constructor(build: Build) {
    this.#build = build;
  }

  committed(ms: number): void {
    this.#commit.observe(ms / 1000);
  }

  families({
    db,
    troubles,
    tracing,
    requests,
    answers,
    rowCache,
    copies,
    turns,
    upkeep,
  }: ProcessParts): readonly Family[] {
    const { units, reruns } = db.stats;
    const { active, idle } = performance.eventLoopUtilization();
    const { rss, heapUsed, external } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const failing = Map.groupBy(troubles.all(), ({ upkeep }) => upkeep);
    const kinds = { volume: copies.turns, backup: turns.others, restore: turns.restores };
    const copying = (key: keyof Turns) => Object.entries(kinds).map(([kind, each]) => [{ kind }, each[key]] as const);
    return [
      gauge('pumice_build_info', 'Always 1; the labels say what runs.', [
        [{ ...this.#build, node_version: process.versions.node }, 1],
      ]),
      gauge('process_start_time_seconds', 'When the process began, seconds since 1970.', one(this.#startedAt)),
      counted('process_cpu_seconds_total', 'CPU that the process has used.', one((user + system) / 1e6)),
      gauge('process_resident_memory_bytes', 'Memory that the process has of the machine.', one(rss)),
      gauge('nodejs_heap_size_used_bytes', 'Memory that JavaScript uses.', one(heapUsed)),
      gauge('nodejs_external_memory_bytes', 'Memory outside the heap that belongs to its objects.', one(external)),
      counted('pumice_event_loop_active_seconds_total', 'Time that the event loop was at work.', one(active / 1000)),
      counted('pumice_event_loop_idle_seconds_total', 'Time that the event loop waited.', one(idle / 1000)),
      gauge('pumice_http_requests_in_flight', 'Requests that are being answered.', one(requests.size)),
      counted('pumice_response_cache_hits_total', 'Whole answers out of memory, before the router or behind it.', [
        [{ way: 'fast' }, answers.counts.fast],
        [{ way: 'slow' }, answers.counts.slow],
      ]),
      counted(
        'pumice_response_cache_misses_total',
        'Answers that might be kept and had to be made.',
        one(answers.counts.missed),
      ),
      gauge('pumice_response_cache_bytes', 'Memory of kept answers.', one(answers.bytes)),
      counted('pumice_row_cache_hits_total', 'Rows whose JSON was known.', one(rowCache.counts.found)),
      counted('pumice_row_cache_misses_total', 'Rows that were read and rendered.', one(rowCache.counts.rendered)),
      gauge('pumice_row_cache_bytes', 'Memory of kept rows.', one(rowCache.bytes)),
      this.#commits.family(),
      counted(
        'pumice_database_units_total',
        'Units of work that the writer was asked for; many share a commit.',
        one(units),
      ),
      counted(
        'pumice_database_reruns_total',
        'Transactions that were run again, since the database was in trouble.',
        one(reruns),
      ),
      gauge(
        'pumice_upkeep_troubles',
        'Things that are done again and again and fail now, by upkeep.',
        Object.keys(UPKEEP).map((upkeep) => [{ upkeep }, failing.get(upkeep)?.length ?? 0]),
      ),
      counted('pumice_trace_spans_lost_total', 'Spans that their collector did not get.', one(tracing?.lostSpans ?? 0)),
      gauge('pumice_copies_running', 'Copies that run on this host, by kind.', copying('running')),
      gauge('pumice_copies_waiting', 'Copies that wait for their turn on this host, by kind.', copying('waiting')),
      gauge(
        'pumice_exports',
        'Exports of attachments that a backend served here has.',
        upkeep.flatMap(({ about, exported }) =>
          exported === undefined ? [] : [[{ host: about }, exported()] as const],
        ),
      ),
    ];
  }
}

const one = (value: number): readonly (readonly [Labels, number])[] => [[{}, value]];
