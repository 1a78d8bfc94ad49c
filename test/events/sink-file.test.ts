import assert from 'node:assert/strict';
import { appendFile, mkdir, mkdtemp, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { FileSink } from '../../src/events/sink-file.ts';
import { anEvent } from './rows.ts';

const signal = new AbortController().signal;

async function fresh(t: TestContext): Promise<{ sink: FileSink; path: string; ids(path?: string): Promise<string[]> }> {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-test-'));
  const path = join(directory, 'log', 'notifications.jsonl');
  const sink = new FileSink(path);
  t.after(async () => {
    await sink.close();
    await rm(directory, { recursive: true });
  });
  const ids = async (of = path): Promise<string[]> =>
    (await readFile(of, 'utf8'))
      .split(/(?<=\n)/)
      .map((line) => JSON.parse(JSON.parse(line)['oslo.message']).message_id);
  return { sink, path, ids };
}

describe('the file of events', () => {
  test('has an envelope a line, in order', async (t) => {
    const { sink, ids } = await fresh(t);
    const events = [anEvent(1), anEvent(2), anEvent(3)];
    await sink.deliver(events.slice(0, 2), signal);
    await sink.deliver(events.slice(2), signal);
    assert.deepEqual(
      await ids(),
      events.map(({ messageId }) => messageId),
    );
  });

  test('is readable by its owner alone', async (t) => {
    const { sink, path } = await fresh(t);
    await sink.deliver([anEvent(1)], signal);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  for (const [what, away] of [
    ['renamed', (path: string) => rename(path, `${path}.1`)],
    ['removed', unlink],
  ] as const)
    test(`is begun anew when it was ${what}`, async (t) => {
      const { sink, path, ids } = await fresh(t);
      const [first, second] = [anEvent(1), anEvent(2)];
      await sink.deliver([first], signal);
      await away(path);
      await sink.deliver([second], signal);
      assert.deepEqual(await ids(), [second.messageId]);
      if (what === 'renamed') assert.deepEqual(await ids(`${path}.1`), [first.messageId]);
    });

  for (const length of [1, 70_000, 200_000])
    test(`loses a line of ${length} bytes that a crash cut short, and no other`, async (t) => {
      const { sink, path, ids } = await fresh(t);
      const [first, second] = [anEvent(1), anEvent(2)];
      await sink.deliver([first], signal);
      await sink.close();
      await appendFile(path, 'x'.repeat(length));
      await sink.deliver([second], signal);
      assert.deepEqual(await ids(), [first.messageId, second.messageId]);
    });

  test('that is nothing but half a line begins at its beginning', async (t) => {
    const { sink, path, ids } = await fresh(t);
    await mkdir(join(path, '..'));
    await writeFile(path, '{"oslo.ver');
    const event = anEvent(1);
    await sink.deliver([event], signal);
    assert.deepEqual(await ids(), [event.messageId]);
  });

  test('rejects while it cannot be written, and takes events afterwards', async (t) => {
    const { sink, path, ids } = await fresh(t);
    await mkdir(path, { recursive: true });
    const event = anEvent(1);
    await assert.rejects(sink.deliver([event], signal), { code: 'EISDIR' });
    await rm(path, { recursive: true });
    await sink.deliver([event], signal);
    assert.deepEqual(await ids(), [event.messageId]);
  });

  test('is refused when it is a device', async (t) => {
    const sink = new FileSink('/dev/null');
    t.after(() => sink.close());
    await assert.rejects(sink.deliver([anEvent(1)], signal), /not a regular file/);
  });
});
