/** The worker thread of `sink-amqp.ts`: publishes what it is handed, one batch at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import { nameSources } from '../lib/source-stacks.ts';
import type { OutboxEvent } from '../model/event.ts';
import { type AmqpOptions, AmqpPublisher } from './amqp-publisher.ts';

/** A batch, or the wish to end. */
export type Order = { readonly deliver: readonly OutboxEvent[] } | { readonly close: true };

/** How an order ended. An error loses its class on the way. */
export interface AmqpReply {
  readonly error?: { readonly message: string; readonly stack: string | undefined; readonly code: unknown };
}

nameSources();
const publisher = new AmqpPublisher(workerData as AmqpOptions);
// Who hands out orders ends the thread when it has no more patience.
const never = new AbortController().signal;

parentPort?.on('message', (order: Order) => {
  const done = 'deliver' in order ? publisher.deliver(order.deliver, never) : publisher.close();
  done.then(
    () => tell({}),
    (error: Error & { readonly code?: unknown }) =>
      tell({ error: { message: error.message, stack: error.stack, code: error.code } }),
  );
});

function tell(told: AmqpReply): void {
  parentPort?.postMessage(told);
}
