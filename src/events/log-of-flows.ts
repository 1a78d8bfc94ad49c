/**
 * The log of flows, for a person at night. Tasks do not log; this does it for all of them.
 *
 * A flow that tries for hours takes few lines: of the tries of one task the first, second, fourth, eighth … are told, as in
 * the journal, and that the journal cannot be written is a trouble, told once.
 */
import type { EngineEvent } from '../engine/events.ts';
import type { Log } from '../lib/logging.ts';
import { parseTraceparent } from '../lib/traceparent.ts';
import type { Pace, Troubles } from '../lib/troubles.ts';
import type { UpkeepName } from '../model/upkeep.ts';

const JOURNAL: UpkeepName = 'journal';
const FLOWS = 'flows';
/** Each flow, and the engine, has pauses of its own. */
const NONE: Pace = { firstMs: 0, longestMs: 0 };

export const logEvent = (log: Log, troubles: Troubles, event: EngineEvent): void => {
  const { requestId, flowId, flow, resource } = event;
  const trace = parseTraceparent(event.trace ?? undefined);
  const facts = { request_id: requestId, ...(trace && { trace_id: trace.traceId }), flow_id: flowId, flow, resource };
  switch (event.is) {
    case 'flow-started':
      if (event.claims > 1)
        log.warn({ ...facts, claims: event.claims }, 'flow is taken up again; so many processes died while it ran');
      else log.info({ ...facts, recovered: event.recovered }, 'flow started');
      break;
    case 'flow-poisonous':
      log.error({ ...facts, task: event.task, claims: event.claims }, 'flow killed its process again and again');
      break;
    case 'task-done':
      troubles.worked(JOURNAL, FLOWS);
      log.debug({ ...facts, task: event.task, ms: event.ms }, 'task done');
      break;
    case 'task-failed':
      log.warn({ ...facts, task: event.task, failure: event.failure }, 'task failed');
      break;
    case 'task-retried':
      log[isTold(event.tries) ? 'warn' : 'debug'](
        { ...facts, task: event.task, failure: event.failure, tries: event.tries },
        'task is tried again',
      );
      break;
    case 'attempt-rejected':
      log.warn({ ...facts, rejection: event.rejection }, 'attempt rejected');
      break;
    case 'flow-stuck':
      log.error({ ...facts, task: event.task, failure: event.failure }, 'flow is stuck');
      break;
    case 'flow-ended':
      troubles.worked(JOURNAL, FLOWS);
      log.info({ ...facts, state: event.state, ms: Math.round(event.ms), failures: event.failures }, 'flow ended');
      break;
    case 'flow-fenced':
      log.warn(facts, 'flow belongs to another process now');
      break;
    case 'journal-trouble':
      troubles.failed(JOURNAL, aboutOf(event), event.error, NONE, { level: 'error' });
      break;
    case 'journal-works':
      troubles.worked(JOURNAL, aboutOf(event));
      break;
    default:
      break;
  }
};

const aboutOf = ({ flowId, resource }: EngineEvent): string => (flowId === '' ? resource : FLOWS);

const isTold = (tries: number): boolean => (tries & (tries - 1)) === 0;
