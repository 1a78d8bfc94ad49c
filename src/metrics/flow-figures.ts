/** What the engine of this process does, by its events: flows that ended and how, what was tried again, reverted, stuck; bytes copied. */
import type { EngineEvent } from '../engine/events.ts';
import { counters, histograms } from './registry.ts';
import { type Family, gauge } from './text.ts';

/** Seconds, from a tenth to an hour. */
const BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600];

/** Copies that are followed at once. A flow that another process has taken from us ends here without a word. */
const MOST_FOLLOWED = 4096;

export class FlowFigures {
  readonly #durations = histograms(
    {
      name: 'pumice_flow_duration_seconds',
      help: 'Flows that ended here, by name and outcome, from when they began, on whichever process.',
    },
    BOUNDS,
  );
  readonly #retries = counters({ name: 'pumice_flow_retries_total', help: 'Tries of tasks after a failed one.' });
  readonly #failures = counters({ name: 'pumice_flow_task_failures_total', help: 'Tasks that were given up.' });
  readonly #reverts = counters({ name: 'pumice_flow_reverts_total', help: 'Tasks that were reverted.' });
  readonly #rejections = counters({
    name: 'pumice_flow_rejections_total',
    help: 'Attempts that were given up for one elsewhere.',
  });
  readonly #stuck = counters({ name: 'pumice_flow_stuck_total', help: 'Times that a revert was given up.' });
  readonly #recoveries = counters({
    name: 'pumice_flow_recoveries_total',
    help: 'Flows taken up here from a process that had begun them.',
  });
  readonly #copied = counters({
    name: 'pumice_copied_bytes_total',
    help: 'Bytes copied here by flows: images, volumes, backups.',
  });
  /** What each copy has told, by flow and task. */
  readonly #followed = new Map<string, { readonly of: number; readonly bytes: number }>();

  constructor() {
    this.#copied.of({});
  }

  hear(event: EngineEvent): void {
    const { flow } = event;
    switch (event.is) {
      case 'flow-started':
        if (event.recovered) this.#recoveries.of({ flow }).add();
        break;
      case 'flow-ended':
        this.#durations.of({ flow, outcome: event.state }).observe(event.ms / 1000);
        break;
      case 'flow-stuck':
        this.#stuck.of({ flow }).add();
        break;
      case 'task-retried':
        this.#retries.of({ flow }).add();
        break;
      case 'task-failed':
        this.#failures.of({ flow }).add();
        this.#followed.delete(`${event.flowId} ${event.task}`);
        break;
      case 'task-reverted':
        this.#reverts.of({ flow }).add();
        break;
      case 'attempt-rejected':
        this.#rejections.of({ flow }).add();
        break;
      case 'task-progress':
        if (event.copied !== undefined) this.#follow(`${event.flowId} ${event.task}`, event.copied);
        break;
      case 'task-done':
        this.#followed.delete(`${event.flowId} ${event.task}`);
        break;
      default:
        break;
    }
  }

  /** `running`: how many run here. */
  families(running: number): readonly Family[] {
    const all = [this.#durations, this.#retries, this.#failures, this.#reverts, this.#rejections, this.#stuck];
    return [
      gauge('pumice_flows_running', 'Flows that run in this process.', [[{}, running]]),
      ...[...all, this.#recoveries, this.#copied].map((children) => children.family()),
    ];
  }

  /** What was there when it told for the first time is not its own work. */
  #follow(copy: string, { bytes, of }: { readonly bytes: number; readonly of: number }): void {
    const before = this.#followed.get(copy);
    if (before !== undefined && before.of === of && bytes > before.bytes) this.#copied.of({}).add(bytes - before.bytes);
    if (this.#followed.size >= MOST_FOLLOWED) this.#followed.clear();
    this.#followed.set(copy, { bytes, of });
  }
}
