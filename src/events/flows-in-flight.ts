/** The flows in flight in this process and their current tasks, for the last words of a process that dies. */
import type { EngineEvent } from '../engine/events.ts';

export interface FlowInFlight {
  readonly flow_id: string;
  readonly flow: string;
  readonly resource: string;
  readonly request_id: string;
  /** In the world now; none while it writes its journal. */
  readonly tasks: readonly string[];
}

type Kept = Omit<FlowInFlight, 'tasks'> & { readonly tasks: Set<string> };

export class FlowsInFlight {
  readonly #flows = new Map<string, Kept>();
  readonly #running: () => readonly string[];
  /** Of kept flows; beyond it those that were dropped without a word are forgotten. */
  #many = 512;

  /** `running`: the ids of the flows that the engine runs. */
  constructor(running: () => readonly string[]) {
    this.#running = running;
  }

  hear(event: EngineEvent): void {
    switch (event.is) {
      case 'flow-started':
        this.#add(event);
        break;
      case 'task-started':
        this.#flows.get(event.flowId)?.tasks.add(event.task);
        break;
      case 'task-done':
      case 'task-failed':
      case 'task-reverted':
        this.#flows.get(event.flowId)?.tasks.delete(event.task);
        break;
      case 'flow-ended':
      case 'flow-released':
      case 'flow-stuck':
      case 'flow-fenced':
        this.#flows.delete(event.flowId);
        break;
      default:
        break;
    }
  }

  list(): readonly FlowInFlight[] {
    return this.#running().map((id) => {
      const { tasks, ...facts } = this.#flows.get(id) ?? {
        ...{ flow_id: id, flow: '', resource: '', request_id: '' },
        tasks: [],
      };
      return { ...facts, tasks: [...tasks] };
    });
  }

  #add({ flowId, flow, resource, requestId }: EngineEvent): void {
    this.#flows.set(flowId, { flow_id: flowId, flow, resource, request_id: requestId, tasks: new Set() });
    if (this.#flows.size <= this.#many) return;
    const running = new Set(this.#running());
    for (const id of this.#flows.keys()) if (!running.has(id) && id !== flowId) this.#flows.delete(id);
    this.#many = Math.max(512, this.#flows.size * 2);
  }
}
