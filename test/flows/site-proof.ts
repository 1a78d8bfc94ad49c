/** A proof of a flow on a small site (`site.ts`): what a proof has to say is its scene. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Desk } from '../../src/commands/desk.ts';
import { openDatabase } from '../../src/db/database.ts';
import type { Failure } from '../../src/engine/failure.ts';
import type { AnyFlow } from '../../src/engine/flow.ts';
import type { Tools } from '../../src/flows/tools.ts';
import { freshSqlite } from '../databases.ts';
import { tasksOf } from '../engine/planted.ts';
import { flowCases, type Proof, provenFlows } from '../prove-flow.ts';
import { quickExec } from './quick-exec.ts';
import { BACKENDS, Site, type SiteOptions } from './site.ts';

export interface Scene {
  /** As a caller does. */
  begin(desk: Desk): Promise<unknown>;
  /** What is so when the flow has succeeded. */
  done(): Promise<void>;
  /** What is so when it was reverted. */
  undone(failures: readonly Failure[]): Promise<void>;
  /** Objects on the backends that are somebody else's, and stay: `alpha/name`. Looked at when all is over. */
  readonly foreign?: readonly string[];
}

/** `stage` is called for every round, with a fresh site. */
export function onSite(stage: (site: Site) => Promise<Scene>, options: SiteOptions = {}): Proof<Tools> {
  return {
    world: async (database) => {
      const site = await Site.open(database, { exec: quickExec, ...options });
      const scene = await stage(site);
      return {
        tools: site.tools,
        lanes: BACKENDS.map((backend) => `host:${site.host(backend)}`),
        start: (engine) => scene.begin(site.desk(engine)),
        done: () => scene.done(),
        undone: ({ failures }) => scene.undone(failures),
        leftovers: () => site.leftovers(scene.foreign),
        close: () => site.close(),
      };
    },
  };
}

/** The proof of a variant of a flow that is proven on both databases: other tasks in the world, the same statements. */
export function proveVariant(name: string, flow: AnyFlow, proof: Proof<Tools>): void {
  describe(name, () => {
    for (const { sentence, run } of flowCases(flow, proof)) {
      it(sentence, async () => {
        const fresh = await freshSqlite();
        const database = await openDatabase(fresh.url, { as: 'server' });
        try {
          await run(database);
        } finally {
          await database.close();
          await fresh.remove();
        }
      });
    }
  });
}

/** After the proofs of a flow and its variants: none of its tasks, and none of their reverts, was left out. */
export function provesEveryTask(flow: AnyFlow): void {
  it(`no task of ${flow.name} and no revert was left out of its proofs`, () => {
    const proven = provenFlows().get(`${flow.name}@${flow.version}`);
    const tasks = tasksOf(flow);
    const names = (those: typeof tasks): string[] => those.map(({ path }) => path);
    const [ran, reverted] = [proven?.ran ?? new Set(), proven?.reverted ?? new Set()];
    assert.deepEqual(names(tasks.filter(({ path, body }) => body.execute !== undefined && !ran.has(path))), []);
    assert.deepEqual(names(tasks.filter(({ path, body }) => body.revert !== undefined && !reverted.has(path))), []);
  });
}
