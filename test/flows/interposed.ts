/** Something between a caller and what it calls: to look at the moment of a call, to refuse it, or to lose its answer. */

/** Runs in place of a call; `proceed` makes it. */
export type Hook = (proceed: () => Promise<unknown>, args: readonly unknown[]) => Promise<unknown>;

/** `target`, each call of which goes through the hook of its name, if there is one then. */
export function interposed<T extends object>(target: T, hookOf: (method: string) => Hook | undefined): T {
  return new Proxy(target, {
    get(_target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        const proceed = (): unknown => Reflect.apply(value, target, args);
        const hook = hookOf(String(name));
        return hook === undefined ? proceed() : hook(async () => proceed(), args);
      };
    },
  });
}

/** Refuses before anything is done. */
export const refuses =
  (error: Error): Hook =>
  async () => {
    throw error;
  };

/** Does all of it, and fails nevertheless: the answer is lost. */
export const losesAnswer =
  (error: Error): Hook =>
  async (proceed) => {
    await proceed();
    throw error;
  };
