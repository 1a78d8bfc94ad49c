/**
 * What esbuild is told beside its options when it makes the bundle (`scripts/bundle.ts`): how Node's own modules are come by, which modules
 * go into one file, and what source maps are of.
 */
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative } from 'node:path';
import type { Plugin } from 'esbuild';

const MAP_OF_NOTHING = Buffer.from('{"version":3,"sources":[""],"mappings":"A"}').toString('base64');

/** Source maps name our sources only: those of packages would be four times as large, and say nothing that our frames do not. */
export const mapsOfOurs: Plugin = {
  name: 'maps-of-ours',
  setup({ onLoad }) {
    onLoad({ filter: /\/node_modules\/.*\.[cm]?js$/ }, ({ path }) => ({
      contents: `${readFileSync(path, 'utf8')}\n//# sourceMappingURL=data:application/json;base64,${MAP_OF_NOTHING}`,
    }));
  },
};

/** Fastify asks for them at once, and uses them where it is to speak TLS itself: 4 MB and 30 ms of each start. */
const LATE_OF_FASTIFY = ['node:https', 'node:http2'];

/**
 * Node's own modules, by `process.getBuiltinModule`.
 *
 * Where an ES module imports one, Node looks up all that it exports, and by that loads what few programs need: for `node:crypto` all of
 * Web Crypto, for `node:http` a client of another kind. Here each name is looked up by itself. To packages written as CommonJS,
 * which have no `require` in a bundle of ES modules, it is the way to get at any.
 */
export const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[a-z]/ }, ({ path, kind, importer }) => {
      if (!isBuiltin(path) || kind === 'dynamic-import') return undefined;
      const name = path.startsWith('node:') ? path : `node:${path}`;
      if (kind === 'import-statement') return { path: name, namespace: 'by-name', sideEffects: false };
      const late = importer.includes('/node_modules/fastify/') && LATE_OF_FASTIFY.includes(name);
      return { path: name, namespace: late ? 'late' : 'whole' };
    });
    const loads = (namespace: string, contents: (module: string, path: string) => string): void =>
      onLoad({ filter: /.*/, namespace }, ({ path }) => ({
        contents: contents(`process.getBuiltinModule('${path}')`, path),
      }));
    loads('whole', (module) => `module.exports = ${module};`);
    loads('late', (module) => `module.exports = new Proxy({}, { get: (_, name) => ${module}[name] });`);
    loads('by-name', (module, path) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {}).filter((name) => name !== 'default');
      // A name that nobody imports is left out, since looking it up is said to change nothing.
      const each = names.map(
        (name) => `const _${name} = /* @__PURE__ */ get('${name}'); export { _${name} as ${name} };`,
      );
      return `const module = ${module}; const get = (name) => module[name]; ${each.join(' ')} export default module;`;
    });
  },
};

/**
 * esbuild puts into one file the modules that the same parts of the program need, a part being what is imported dynamically. Of a core that
 * ninety parts use, each some of it, that makes a hundred files. Where each of the `late` parts imports all of the `core`, which has been
 * loaded before any of them is, it makes a few: 1.4 MB and 30 ms of each start.
 */
export const coreTogether = (root: string, core: readonly string[], late: readonly string[]): Plugin => ({
  name: 'core-together',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
      const file = relative(root, path);
      if (!late.includes(file) && !core.includes(file)) return undefined;
      const others = core.filter((each) => each !== file).map((each) => `import ${JSON.stringify(join(root, each))};`);
      return { contents: `${others.join(' ')}${readFileSync(path, 'utf8')}`, loader: 'ts' };
    });
  },
});
