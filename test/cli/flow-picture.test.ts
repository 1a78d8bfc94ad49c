/** A flow drawn as it happens, from events that may come before, between and after the answer of its request. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FlowPicture } from '../../src/cli/demo/flow-picture.ts';
import type { EngineEvent } from '../../src/engine/events.ts';
import { captured } from './captured.ts';

const of = (requestId: string) => ({ flowId: `flow-of-${requestId}`, flow: 'f', resource: 'volume:v', requestId });
const done = (requestId: string, task: string): EngineEvent => ({
  ...of(requestId),
  is: 'task-done',
  task,
  ms: null,
  result: {},
});
const ended = (requestId: string): EngineEvent => ({
  ...of(requestId),
  is: 'flow-ended',
  state: 'success',
  failures: [],
  ms: 1,
});
const { signal } = new AbortController();

/** The marks and names of what was drawn. */
const drawn = (text: string): readonly string[] => text.split('\n').flatMap((line) => line.trim() || []);

describe('a picture of a flow', () => {
  test('has all of a flow that ended before its request was answered, and nothing of another', async () => {
    const out = captured();
    const picture = new FlowPicture(out.terminal);
    const heard: string[] = [];
    const followed = await picture.follow(
      async () => {
        for (const event of [done('a', 'one'), done('b', 'strange'), done('a', 'two'), ended('b'), ended('a')])
          picture.hear(event);
        return { requestId: 'a' };
      },
      signal,
      ({ is }) => heard.push(is),
    );
    assert.deepEqual([followed.ended.flowId, picture.lastFlowId], ['flow-of-a', 'flow-of-a']);
    assert.deepEqual(heard, ['task-done', 'task-done', 'flow-ended']);
    assert.deepEqual(drawn(out.text), ['· one', '· two']);
  });

  test('begins with what came before the answer and goes on with what comes after it', async () => {
    const out = captured();
    const picture = new FlowPicture(out.terminal);
    const followed = picture.follow(async () => {
      picture.hear(done('a', 'one'));
      queueMicrotask(() => picture.hear(done('a', 'two')));
      return { requestId: 'a' };
    }, signal);
    setImmediate(() => {
      for (const event of [done('a', 'three'), ended('a')]) picture.hear(event);
    });
    await followed;
    assert.deepEqual(drawn(out.text), ['· one', '· two', '· three']);
  });

  test('rejects as a refused request does, and draws nothing in the next of what came before it', async () => {
    const out = captured();
    const picture = new FlowPicture(out.terminal);
    const refused = picture.follow(() => Promise.reject(new Error('no')), signal);
    picture.hear(done('a', 'during'));
    await assert.rejects(refused, /^Error: no$/);
    picture.hear(done('a', 'between'));
    await picture.follow(async () => {
      picture.hear(ended('a'));
      return { requestId: 'a' };
    }, signal);
    assert.deepEqual(drawn(out.text), []);
  });
});
