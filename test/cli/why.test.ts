import assert from 'node:assert/strict';
import { why } from '../../src/cli/why.ts';
import { uuid } from '../../src/lib/clock.ts';
import { makeBackup, makeVolume } from '../db/rows.ts';
import { proveStore } from '../prove-store.ts';
import { beginFlow } from './begin-flow.ts';
import { capturedCommand } from './captured.ts';

async function ask(url: string, typed: string): Promise<string> {
  const { around, out } = capturedCommand();
  await why(typed, { set: [`database.url=${url}`] }, around);
  return out.text;
}

/** An id that begins so. */
const idOf = (beginning: string): string => `${beginning}${uuid().slice(beginning.length)}`;

proveStore('pumice why', (test) => {
  test('takes the beginning of the id of anything, as a narrow table shows it', async ({ database, url }) => {
    const volume = await makeVolume(database, { id: idOf('aaaa1') });
    const backup = await makeBackup(database, { id: idOf('aaaa2') });
    const flow = await beginFlow(database, `volume:${volume.id}`, { id: idOf('aaaa3') });
    for (const [typed, about] of [
      ['aaaa1', `volume:${volume.id}`],
      ['AAAA2…', `backup:${backup.id}`],
      ['backup:aaaa', `backup:${backup.id}`],
      ['aaaa3', `flow:${flow}`],
    ] as const)
      assert.ok((await ask(url, typed)).includes(about), typed);
  });

  test('names those that are meant when several ids begin so, and says when none does', async ({ database, url }) => {
    const volumes = ['aaaa1', 'aaaa2', 'aaaa3', 'aaaa4', 'aaaa5'].map(idOf);
    for (const id of volumes) await makeVolume(database, { id });
    await assert.rejects(ask(url, 'aaaa'), {
      message: `More than one id begins with aaaa: ${volumes.map((id) => `volume:${id}`).join(', ')}.`,
    });
    await makeBackup(database, { id: idOf('aaaa6') });
    await assert.rejects(ask(url, 'aaaa'), /volume:aaaa5[^,]*, …\.$/);
    await assert.rejects(ask(url, 'bbbb'), /Nothing is known of "bbbb"/);
    await assert.rejects(ask(url, 'snapshot:aaaa1'), /Nothing is known/);
    await assert.rejects(ask(url, ''), /Nothing is known of ""/);
  });
});
