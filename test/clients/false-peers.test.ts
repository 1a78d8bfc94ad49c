/**
 * Whatever a peer answers, and whatever it does to its connections: each call to it ends with a value that is right in form or
 * with one of our errors, soon. An error in no one's call stack fails the run. A failure prints the seed.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { GlanceImages } from '../../src/clients/glance.ts';
import { Keystone } from '../../src/clients/keystone.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { Troubles } from '../../src/lib/troubles.ts';
import { PumiceError } from '../../src/model/errors.ts';
import type { Image } from '../../src/model/image.ts';
import type { Token } from '../../src/model/token.ts';
import { rawServer } from '../http/raw-server.ts';
import { type FalseAnswer, falseAnswers, give, spoilt } from './false-answers.ts';
import { later, projectToken } from './identity-server.ts';

const RUNS = 100;
/** How long a peer may be silent here. */
const SILENCE_MS = 60;
/** By then everything has ended, on any machine. */
const DEADLINE_MS = 30_000;
const ID = '11111111-2222-4333-8444-555555555555';
const DATA = Buffer.from('some data of an image');

/** Its answers one after the other, again and again. */
async function falsePeer(t: TestContext) {
  const script: { answers: readonly FalseAnswer[]; next: number } = { answers: [], next: 0 };
  const { url } = await rawServer(t, (connection) => {
    const answer = script.answers[script.next % script.answers.length];
    script.next += 1;
    if (answer) give(connection, answer);
  });
  return {
    url,
    answersWith(answers: readonly FalseAnswer[]): void {
      script.answers = answers;
      script.next = 0;
    },
  };
}

type Outcome<T> = { readonly value: T } | { readonly error: PumiceError };

/** Rejects when the call has not ended, or has ended with what is no error of ours. */
async function outcomeOf<T>(call: Promise<T> | T): Promise<Outcome<T>> {
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => deadline.reject(new Error('The call has not ended.')), DEADLINE_MS);
  try {
    return { value: await Promise.race([call, deadline.promise]) };
  } catch (error) {
    if (!(error instanceof PumiceError)) throw error;
    assert.match(error.message, /^[A-Z].*\.$/s, 'a sentence');
    return { error };
  } finally {
    clearTimeout(timer);
  }
}

const { signal } = new AbortController();
/** An answer as it should be, so that some are. */
function right(status: string, body: string): { numRuns: number; examples: [FalseAnswer[]][] } {
  const head = `HTTP/1.1 ${status}\r\nx-subject-token: good\r\ncontent-length: ${body.length}\r\n\r\n`;
  const answer: FalseAnswer = { bytes: Buffer.from(head + body), cut: Number.MAX_SAFE_INTEGER, ending: 'keeps' };
  return { numRuns: RUNS, examples: Array.from({ length: 5 }, () => [[answer]]) };
}
const sometimes = (all: fc.Arbitrary<FalseAnswer>) => fc.array(all, { minLength: 1, maxLength: 4 });

describe('a false Glance', { concurrency: true }, () => {
  const metadata = {
    id: ID,
    name: 'one',
    status: 'active',
    visibility: 'public',
    disk_format: 'raw',
    container_format: 'bare',
    size: DATA.length,
    min_disk: 0,
    min_ram: 0,
    checksum: '0'.repeat(32),
  };
  const image: Image = {
    id: ID,
    name: 'one',
    status: 'active',
    visibility: 'public',
    owner: null,
    diskFormat: 'raw',
    containerFormat: 'bare',
    sizeBytes: DATA.length,
    virtualSizeBytes: null,
    minDiskGiB: 0,
    minRamMiB: 0,
    updatedAt: null,
    checksum: null,
    hash: null,
    properties: {},
  };

  async function start(t: TestContext) {
    const directory = await mkdtemp(join(tmpdir(), 'pumice-test-'));
    t.after(() => rm(directory, { recursive: true }));
    const peer = await falsePeer(t);
    const images = new GlanceImages({ url: peer.url, timeoutMs: SILENCE_MS, backoffMs: 1 });
    return { peer, images, path: join(directory, 'image') };
  }

  const wellFormed = (each: Image): void => {
    for (const key of ['id', 'status', 'visibility'] as const) assert.equal(typeof each[key], 'string');
    for (const key of ['sizeBytes', 'virtualSizeBytes', 'minDiskGiB', 'minRamMiB'] as const)
      assert.ok(each[key] === null || (Number.isSafeInteger(each[key]) && Number(each[key]) >= 0), key);
    for (const value of Object.values(each.properties)) assert.equal(typeof value, 'string');
  };

  it('describes an image, or is not believed', async (t) => {
    const { peer, images } = await start(t);
    const answers = sometimes(falseAnswers(spoilt(metadata)));
    let values = 0;
    await fc.assert(
      fc.asyncProperty(answers, async (each) => {
        peer.answersWith(each);
        const outcome = await outcomeOf(images.show(ID, 'service', signal));
        if (!('value' in outcome)) return;
        values += 1;
        assert.equal(outcome.value.id.toLowerCase(), ID);
        wellFormed(outcome.value);
      }),
      right('200 OK', JSON.stringify(metadata)),
    );
    assert.ok(values > 0, 'some answers were right');
  });

  it('lists images of a name, or is not believed', async (t) => {
    const { peer, images } = await start(t);
    const list = fc.array(spoilt(metadata), { maxLength: 3 }).map((all) => `{"images":[${all.join()}]}`);
    let values = 0;
    await fc.assert(
      fc.asyncProperty(sometimes(falseAnswers(list)), async (each) => {
        peer.answersWith(each);
        const outcome = await outcomeOf(images.named('one', 'service', signal));
        if (!('value' in outcome)) return;
        values += outcome.value.length;
        for (const found of outcome.value) {
          assert.equal(found.name?.toLowerCase(), 'one');
          wellFormed(found);
        }
      }),
      right('200 OK', JSON.stringify({ images: [metadata] })),
    );
    assert.ok(values > 0, 'some answers were right');
  });

  it('sends an image as long as it said, or nothing is kept for one', async (t) => {
    const { peer, images, path } = await start(t);
    const data = fc.oneof(
      fc.constant(DATA.toString()),
      fc.nat(DATA.length).map((n) => DATA.toString().slice(n)),
    );
    const call = { signal, progress: (fraction: number) => assert.ok(fraction >= 0 && fraction <= 1) };
    let values = 0;
    await fc.assert(
      fc.asyncProperty(sometimes(falseAnswers(data)), async (each) => {
        peer.answersWith(each);
        await rm(path, { force: true });
        const outcome = await outcomeOf(images.fetch(image, path, call));
        if (!('value' in outcome)) return;
        values += 1;
        assert.equal((await readFile(path)).length, DATA.length);
      }),
      right('200 OK', DATA.toString()),
    );
    assert.ok(values > 0, 'some answers were right');
  });
});

describe('a false Keystone', { concurrency: true }, () => {
  const token = projectToken('p1', ['member'], { expires_at: later(3_600_000) });
  const credential = { ...token, application_credential: { id: 'c1', access_rules: [] } };
  const told = fc.oneof(spoilt(token), spoilt(credential)).map((text) => `{"token":${text}}`);

  async function start(t: TestContext) {
    const peer = await falsePeer(t);
    const fresh = () =>
      new Keystone({
        url: peer.url,
        credentials: { applicationCredentialId: 'id', applicationCredentialSecret: 'secret' },
        timeoutMs: SILENCE_MS,
        cacheMs: 60_000,
        log: silentLog,
        troubles: new Troubles({ log: silentLog }),
      });
    return { peer, fresh };
  }

  const [[[own = assert.fail()]] = assert.fail()] = right('201 Created', JSON.stringify({ token })).examples;

  const wellFormed = ({ userId, projectId, roles, system, accessRules = [] }: Token): void => {
    assert.match(userId, /^[\w.@:-]+$/);
    assert.ok(projectId === null || /^[\w.@:-]+$/.test(projectId));
    assert.ok(roles.every((role) => typeof role === 'string'));
    assert.equal(typeof system, 'boolean');
    for (const rule of accessRules)
      assert.deepEqual(
        Object.values(rule).map((each) => typeof each),
        ['string', 'string', 'string'],
      );
  };

  it('says whose a token is, or lets nobody in', async (t) => {
    const { peer, fresh } = await start(t);
    let values = 0;
    await fc.assert(
      fc.asyncProperty(sometimes(falseAnswers(told)), async (each) => {
        peer.answersWith([own, ...each]);
        const keystone = fresh();
        const outcome = await outcomeOf(keystone.token('good'));
        if (!('value' in outcome)) {
          assert.match(outcome.error.name, /^(Unauthorized|IdentityUnavailable)$/);
          return;
        }
        values += 1;
        wellFormed(outcome.value);
        assert.deepEqual(await outcomeOf(keystone.token('good')), outcome, 'what is remembered is what was told');
      }),
      right('200 OK', JSON.stringify({ token })),
    );
    assert.ok(values > 0, 'some answers were right');
  });

  it('gives us a token, or cannot be asked', async (t) => {
    const { peer, fresh } = await start(t);
    let values = 0;
    await fc.assert(
      fc.asyncProperty(sometimes(falseAnswers(told)), async (each) => {
        peer.answersWith(each);
        const outcome = await outcomeOf(fresh().own());
        if ('value' in outcome) {
          values += 1;
          assert.match(outcome.value, /^[\x21-\x7e]+$/);
        } else assert.equal(outcome.error.name, 'IdentityUnavailable');
      }),
      right('201 Created', JSON.stringify({ token })),
    );
    assert.ok(values > 0, 'some answers were right');
  });
});
