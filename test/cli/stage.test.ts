/** The acts of the demonstration as a terminal of 80 columns has them, with a client that only says what it is told to. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Client, DemoAnswer } from '../../src/cli/demo/client.ts';
import { FlowPicture } from '../../src/cli/demo/flow-picture.ts';
import { Stage } from '../../src/cli/demo/stage.ts';
import { captured } from './captured.ts';

const ID = '6b5f7d43-9d50-4f8f-afe0-69e95b0330dc';
const volume = (name: string) => ({
  id: ID,
  name,
  status: 'available',
  size: 1000,
  volume_type: 'on-a-backend',
  'os-vol-host-attr:host': 'some-node@some-backend#some-pool',
});

describe('the stage of the demonstration', () => {
  test('stays within the columns of its terminal: what was found, titles, requests and how they ended', async () => {
    const out = captured(80);
    const { signal } = new AbortController();
    const picture = new FlowPicture(out.terminal);
    const answer = (method: 'POST' | 'DELETE', path: string, body: DemoAnswer['body']): DemoAnswer => {
      const of = { flowId: 'f', flow: 'f', resource: 'r', requestId: 'a' };
      picture.hear({ ...of, is: 'flow-ended', state: 'success', failures: [], ms: 123_456 });
      return { method, status: 202, requestId: 'a', path: `/v3/cafe${path}`, body };
    };
    const found = volume('a-name-that-a-user-has-given-it');
    const client: Pick<Client, 'list' | 'settled' | 'ask'> = {
      list: async (kind) => (kind === 'volume' ? [found] : []),
      settled: async () => volume('made'),
      ask: async (method, path) => answer(method as 'POST', path, { volume: { id: ID }, volume_types: [] }),
    };
    const stage = await Stage.open({ out: out.terminal, client: client as Client, picture, signal });
    await stage.volume('new', `A volume ${'with a long title '.repeat(6)}`, {});
    await stage.retyped(found, 'A retype', { name: 'on-a-backend', specs: {} });
    await stage.passing('passing', found);
    const lines = out.text.split('\n');
    for (const said of ['Found again: 1 volume', ' 1  A volume with', ' 2  A retype', '     Everything else'])
      assert.ok(
        lines.some((line) => line.includes(said)),
        said,
      );
    assert.deepEqual(
      lines.filter((line) => [...line].length > 80),
      [],
    );
  });
});
