/**
 * The end of a flow that a request waits for. Its answer is in the rows then. When it takes too long, or fails, the request
 * says so; the flow goes on, or is undone, all the same.
 */
import { DatabaseJournal } from '../db/journal.ts';
import { AnswerTookTooLong, InvalidConnector, OperationFailed } from '../model/errors.ts';
import type { Desk } from './desk.ts';

export async function answerOfFlow({ db, engine, config }: Desk, flowId: string, doing: string): Promise<void> {
  const patience = AbortSignal.timeout(config.api.rpc_response_timeout * 1000);
  const flow = await engine.settled(flowId, patience).catch((error: unknown) => {
    if (!patience.aborted) throw error;
    throw new AnswerTookTooLong(`It takes too long to ${doing}. It goes on, and the resource will say how it ended.`);
  });
  if (flow.state === 'success') return;
  const failed = (await new DatabaseJournal(db).steps(flowId)).find((step) => step.event === 'failed');
  const { name, message } = failed?.data.failure ?? {};
  if (name === 'InvalidConnector') throw new InvalidConnector(message);
  throw new OperationFailed(`It was not possible to ${doing}; a message of the volume says why.`);
}
