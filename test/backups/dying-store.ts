/** A store that is alive for so many changes: the next is not made, or made and not told of, and then nothing answers any more. */
import type { BackupStore } from '../../src/backups/stores/store.ts';

export class Died extends Error {
  override readonly name = 'Died';
}

export interface Death {
  /** Changes that are made and told of. */
  readonly after: number;
  /** The change after them is made all the same. */
  readonly isMade: boolean;
}

/** `changed`: how many changes there were until now. */
export function dyingStore(store: BackupStore, { after, isMade }: Death): BackupStore & { readonly changed: number } {
  let changed = 0;
  const alive = <Result>(call: () => Promise<Result>): Promise<Result> => {
    if (changed > after) return Promise.reject(new Died());
    return call();
  };
  const change = <Result>(call: () => Promise<Result>): Promise<Result> =>
    alive(async () => {
      changed += 1;
      if (changed <= after) return call();
      if (isMade) await call();
      throw new Died();
    });
  return {
    get changed() {
      return changed;
    },
    packBytes: store.packBytes,
    get: (...call) => alive(() => store.get(...call)),
    put: (...call) => change(() => store.put(...call)),
    putNew: (...call) => change(() => store.putNew(...call)),
    head: (...call) => alive(() => store.head(...call)),
    delete: (...call) => change(() => store.delete(...call)),
    list: (...call) => store.list(...call),
    tidy: (...call) => alive(() => store.tidy(...call)),
    freeBytes: (...call) => alive(() => store.freeBytes(...call)),
  };
}
