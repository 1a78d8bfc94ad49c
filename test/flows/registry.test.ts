import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { AnyFlow } from '../../src/engine/flow.ts';
import { FLOWS } from '../../src/flows/registry.ts';
import { assertGolden } from '../golden.ts';

const proofs = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'));

const variableOf = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

describe('the registry of flows', () => {
  it('holds each flow that has a proof', () => {
    const proven = proofs.flatMap((text) => [...text.matchAll(/^proveFlow\(\s*'[^']+',\s*(\w+?)(?:V\d+)?,/gm)]);
    const held = new Set(FLOWS.map(({ name }) => variableOf(name)));
    assert.ok(proven.length >= held.size);
    assert.deepEqual(
      proven.map(([, variable = '']) => variable).filter((variable) => !held.has(variable)),
      [],
    );
  });

  it('holds no flow that has no proof', () => {
    for (const { name } of FLOWS) {
      const variable = variableOf(name);
      const imported = new RegExp(`^import \\{[^}]*\\b${variable}\\b[^}]*\\} from '[./]*/src/flows/`, 'm');
      const proven = proofs.filter((text) => imported.test(text)).join('\n');
      assert.match(proven, new RegExp(`^proveFlow\\(\\s*'[^']+',\\s*${variable},`, 'm'), `${name} is proven`);
      assert.match(proven, new RegExp(`^provesEveryTask\\(${variable}\\);`, 'm'), `${name} is proven whole`);
    }
  });

  it('holds each flow once, in a version of its own', () => {
    const names = FLOWS.map(({ name, version }) => `${name}@${version}`);
    assert.deepEqual(names, [...new Set(names)]);
  });

  it('holds the older versions of each flow, which a journal may be in the midst of', () => {
    for (const [name, flows] of Map.groupBy(FLOWS, (flow) => flow.name)) {
      const versions = flows.map(({ version }) => version).sort((a, b) => a - b);
      assert.deepEqual(
        versions,
        Array.from(versions, (_, index) => index + 1),
        name,
      );
    }
  });

  it('is what docs/flows.md has: a row for each flow, and a word for each later version', () => {
    const text = readFileSync('docs/flows.md', 'utf8');
    const rows = FLOWS.map(({ name }) => `\n| \`${name}\` |`);
    const later = FLOWS.filter(({ version }) => version > 1);
    const newest = [...Map.groupBy(later, ({ name }) => name)].map(
      ([name, flows]) => `\`${name}\` is at version ${Math.max(...flows.map(({ version }) => version))}:`,
    );
    assert.deepEqual(
      [...rows, ...newest].filter((each) => !text.replaceAll(/ is at\n/g, ' is at ').includes(each)),
      [],
    );
  });

  // A journal finds its nodes by path: of other nodes under the same version, a flow in flight is taken back by an upgrade.
  it('holds each version with the nodes it was made of: other nodes are another version', () => {
    const told = FLOWS.map((flow) => `${flow.name}@${flow.version}\n${nodesOf(flow)}`).sort();
    assertGolden('flow-nodes.txt', `${told.join('\n')}`);
  });
});

const nodesOf = ({ nodes }: AnyFlow): string => nodes.map((node) => `  ${kindOf(node)} ${node.path}\n`).join('');

function kindOf(node: AnyFlow['nodes'][number]): string {
  if (node.kind === 'parallel') return `parallel (${node.branches.map(({ path }) => path).join(', ')})`;
  return node.kind === 'task' ? (node.record ? 'record' : 'world') : node.kind;
}
