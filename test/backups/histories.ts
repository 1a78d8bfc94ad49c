/**
 * Whatever is written, backed up in whichever way, killed and taken over, given up and deleted: each backup that is there gives back what
 * was backed up, and the store has the packs that manifests list, and no others.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import type { Bite, ByteRange } from '../../src/backups/backups.ts';
import { deleteManifest, deletePacks, deleteUnrecorded } from '../../src/backups/remove.ts';
import { restore } from '../../src/backups/restore/restore.ts';
import { openScope } from '../../src/backups/scope.ts';
import { exec } from '../../src/lib/exec.ts';
import { attemptCopy, type BackupWorld, finish, MIB, NEVER, SCOPE, type Wanted } from './backup-world.ts';
import { type Death, Died, dyingStore } from './dying-store.ts';
import { packsThere, readPlainly } from './plain-reader.ts';

const CHUNKS = 4;
const BYTES = CHUNKS * MIB;
const PAGE = 4096;

const number = fc.nat(1000);
const write = fc.record({ does: fc.constant('write' as const), page: number, pages: fc.nat(400), fill: fc.nat(3) });
const backUp = fc.record({
  does: fc.constant('back up' as const),
  parent: fc.option(number),
  hasMap: fc.boolean(),
  hasBase: fc.boolean(),
  deaths: fc.array(fc.record({ after: fc.nat(4), isMade: fc.boolean(), isRecorded: fc.boolean() }), { maxLength: 2 }),
  /** What died is a try that failed: then this is written, and it is begun again. */
  retried: fc.option(write),
  isGivenUp: fc.integer({ min: 0, max: 9 }).map((chance) => chance === 0),
});
const others = fc.record({ does: fc.constantFrom('delete' as const, 'restore' as const), which: number });
const steps = fc.array(fc.oneof({ weight: 3, arbitrary: write }, { weight: 4, arbitrary: backUp }, others), {
  minLength: 6,
  maxLength: 14,
});

type ValueOf<Values> = Values extends fc.Arbitrary<infer Value> ? Value : never;
type Write = ValueOf<typeof write>;
type BackUp = ValueOf<typeof backUp>;

/** A volume in memory, and what it held at each backup that is there. */
class Model {
  readonly world: BackupWorld;
  readonly volume = Buffer.alloc(BYTES);
  readonly held = new Map<string, Buffer>();
  readonly shelf: { readonly name: string; readonly store: BackupWorld['store'] };
  #ids = 0;

  constructor(world: BackupWorld) {
    this.world = world;
    this.shelf = { name: SCOPE, store: world.store };
  }

  write({ page, pages, fill }: Write): void {
    const at = (page % (BYTES / PAGE)) * PAGE;
    const bytes = Math.min(BYTES - at, (pages + 1) * PAGE);
    const data = [randomBytes(bytes), Buffer.alloc(bytes), Buffer.alloc(bytes, 'text '), randomBytes(17)][fill];
    data?.copy(this.volume, at);
  }

  async backUp({ parent, hasMap, hasBase, deaths, retried, isGivenUp }: BackUp): Promise<void> {
    const id = `b${this.#ids++}`;
    const parentId = this.#some(parent);
    const before = parentId === null ? null : (this.held.get(parentId) as Buffer);
    const base = before !== null && hasBase ? await this.#file(`${id}-base`, before) : null;
    const source = async () => ({
      file: await this.#file(id, this.volume),
      bytes: BYTES,
      parentId,
      changed: before !== null && hasMap ? changes(before, this.volume) : null,
      base,
    });
    let wanted: Wanted = await source();
    let bites: Bite[] = [];
    for (const [index, death] of deaths.entries()) {
      const recorded = bites.length;
      const died = await this.#dies(death, (store) =>
        attemptCopy(this.world, id, { ...wanted, attempt: index + 1 }, bites, store),
      );
      if (died && !death.isRecorded && bites.length > recorded) bites.pop();
    }
    const attempts = deaths.length + 1;
    const earlier = retried === null ? [] : bites;
    if (retried !== null) {
      this.write(retried);
      wanted = { ...(await source()), earlier };
      bites = [];
    }
    if (!isGivenUp) {
      await attemptCopy(this.world, id, { ...wanted, attempt: attempts }, bites);
      for (const isMade of [false, true])
        await this.#dies({ after: 0, isMade }, (store) => finish(this.world, id, wanted, bites, store));
      await finish(this.world, id, wanted, bites);
      this.held.set(id, Buffer.from(this.volume));
    }
    const all = [...earlier, ...bites];
    await deleteUnrecorded(this.shelf, id, attempts, all, NEVER);
    await this.#sweep(all.map(({ pack }) => pack));
  }

  async delete(which: number): Promise<void> {
    const id = this.#some(which);
    if (id === null) return;
    await this.world.look();
    const { packs } = readPlainly(this.world.storePath, SCOPE, id);
    await deleteManifest(this.shelf, id, NEVER);
    this.held.delete(id);
    await this.#sweep(packs);
  }

  async restore(which: number): Promise<void> {
    const id = this.#some(which);
    if (id === null) return;
    const isEmpty = which % 2 === 0;
    const target = await this.world.file('target', BYTES, isEmpty ? [] : [[0, randomBytes(BYTES)]]);
    const place = this.world.place(id);
    const order = { place, target: { uri: `file:${target}`, bytes: BYTES, isEmpty }, doneBytes: 0, patienceMs: 0 };
    const watch = { signal: NEVER, progress: () => {}, waiting: () => {}, done: () => {} };
    await restore(await openScope(place, this.world.store, NEVER), order, watch, exec);
    assert.ok((await readFile(target)).equals(this.held.get(id) as Buffer), `${id} restored`);
  }

  async check(): Promise<void> {
    await this.world.look();
    const listed = new Set<string>();
    for (const [id, content] of this.held) {
      const backup = readPlainly(this.world.storePath, SCOPE, id);
      assert.ok(backup.bytes.equals(content), `${id} holds what it should`);
      for (const pack of backup.packs) listed.add(pack);
    }
    assert.deepEqual(packsThere(this.world.storePath, SCOPE).sort(), [...listed].sort());
  }

  #some(which: number | null): string | null {
    const ids = [...this.held.keys()];
    return which === null ? null : (ids[which % Math.max(1, ids.length)] ?? null);
  }

  /** Of these packs, those that no manifest lists. */
  async #sweep(packs: readonly string[]): Promise<void> {
    await this.world.look();
    const listed = new Set([...this.held.keys()].flatMap((id) => readPlainly(this.world.storePath, SCOPE, id).packs));
    await deletePacks(
      this.shelf,
      packs.filter((pack) => !listed.has(pack)),
      NEVER,
    );
  }

  async #dies(death: Death, call: (store: BackupWorld['store']) => Promise<unknown>): Promise<boolean> {
    return call(dyingStore(this.world.store, death)).then(
      () => false,
      (error: unknown) => {
        assert.ok(error instanceof Died, String(error));
        return true;
      },
    );
  }

  #file(name: string, content: Buffer): Promise<string> {
    const places = Array.from({ length: CHUNKS }, (_, index) => index * MIB);
    const chunks = places.map((at): [number, Buffer] => [at, content.subarray(at, at + MIB)]);
    return this.world.file(
      name,
      BYTES,
      chunks.filter(([, chunk]) => chunk.some((byte) => byte !== 0)),
    );
  }
}

function changes(before: Buffer, after: Buffer): ByteRange[] {
  const pages = Array.from({ length: BYTES / PAGE }, (_, page) => page * PAGE);
  return pages
    .filter((at) => before.compare(after, at, at + PAGE, at, at + PAGE) !== 0)
    .map((at) => ({ at, bytes: PAGE }));
}

/** In so many histories, each in a world of its own. */
export async function proveHistories(make: () => Promise<BackupWorld>, histories: number): Promise<void> {
  const property = fc.asyncProperty(steps, async (all) => {
    const world = await make();
    try {
      const model = new Model(world);
      for (const step of all) {
        if (step.does === 'write') model.write(step);
        else if (step.does === 'back up') await model.backUp(step);
        else if (step.does === 'delete') await model.delete(step.which);
        else await model.restore(step.which);
      }
      await model.check();
    } finally {
      await world.remove();
    }
  });
  await fc.assert(property, { numRuns: histories });
}
