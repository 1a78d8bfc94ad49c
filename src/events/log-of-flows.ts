/** What a person reads at night. Tasks do not log; this does it for all of them. */
import type { EngineListener } from '../engine/events.ts';
import type { Log } from '../lib/logging.ts';

export const logEvent = (log: Log, event: Parameters<EngineListener>[0]): void => {
  const facts = { request_id: event.requestId, flow_id: event.flowId, flow: event.flow, resource: event.resource };
  switch (event.is) {
    case 'flow-started':
      log.info({ ...facts, recovered: event.recovered }, 'flow started');
      break;
    case 'task-done':
      log.debug({ ...facts, task: event.task, ms: event.ms }, 'task done');
      break;
    case 'task-failed':
      log.warn({ ...facts, task: event.task, failure: event.failure }, 'task failed');
      break;
    case 'task-retried':
      log.warn({ ...facts, task: event.task, failure: event.failure, tries: event.tries }, 'task is tried again');
      break;
    case 'attempt-rejected':
      log.warn({ ...facts, rejection: event.rejection }, 'attempt rejected');
      break;
    case 'flow-stuck':
      log.error({ ...facts, task: event.task, failure: event.failure }, 'flow is stuck');
      break;
    case 'flow-ended':
      log.info({ ...facts, state: event.state, ms: Math.round(event.ms), failures: event.failures }, 'flow ended');
      break;
    case 'flow-fenced':
      log.warn(facts, 'flow belongs to another process now');
      break;
    case 'journal-trouble':
      log.error({ ...facts, err: event.error }, 'the journal cannot be written');
      break;
    default:
      break;
  }
};
