// Streamed answers: order, usage, cost, and what happens when one side goes away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ASK, MODEL, USAGE, connect, errorOf, held, lab, nanos, noteCost, readAll, readToEnd, settlement,
  tell, textOf, waitUntil,
} from './bench.mjs';

const client = connect();
const stream = (options) =>
  client.chat.completions.create({ model: MODEL, messages: ASK, stream: true, ...options });

test('a stream says what a plain answer says, for the same cost', async () => {
  const plain = await client.chat.completions.create({ model: MODEL, messages: ASK });
  const { chunks, request } = await readToEnd(stream({ stream_options: USAGE }));
  assert.equal(chunks[0].choices[0].delta.role, 'assistant');
  assert.equal(textOf(chunks), plain.choices[0].message.content);
  assert.equal(chunks.at(-2).choices[0].finish_reason, 'stop');
  assert.equal(chunks.at(-1).usage.total_tokens, plain.usage.total_tokens);
  assert.equal(settlement(request).charge, settlement(plain._request_id).charge);
});

test('usage comes only where it was asked for', async () => {
  const chunks = await readAll(await stream());
  assert.ok(chunks.every((chunk) => chunk.usage == null && chunk.choices.length === 1));
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
});

test('the cost is what was settled', async () => {
  const { chunks, request } = await readToEnd(stream({ stream_options: USAGE, n: 2 }));
  const cost = chunks.at(-1).usage.cost;
  assert.equal(typeof cost, 'number');
  const end = settlement(request);
  assert.equal(nanos(cost.toFixed(9)), nanos(end.charge));
  assert.equal(end.source, 'reported');
});

test('chunks arrive when they are sent', async () => {
  const { data, response } = await stream({
    stream_options: USAGE,
    metadata: { 'x-lab-interval-ms': '25', 'x-lab-tokens': '20' },
  }).withResponse();
  const began = performance.now();
  const chunks = [];
  const times = [];
  for await (const chunk of data) {
    chunks.push(chunk);
    times.push(performance.now() - began);
  }
  noteCost(response.headers.get('x-request-id'), chunks);
  assert.ok(times.at(-1) > 400 && times[1] < times.at(-1) / 3, times.join(' '));
});

test('the stream helper gathers the answer', async () => {
  const runner = client.chat.completions.stream({
    model: MODEL, messages: ASK, stream_options: USAGE,
  });
  let deltas = 0;
  runner.on('content', () => deltas++);
  const answer = await runner.finalChatCompletion();
  tell(client.attempts.at(-1).headers.get('x-request-id'), answer.usage.cost);
  assert.ok(deltas > 5);
  assert.ok(answer.choices[0].message.content.length > 20);
});

test('a stream can be divided and carried on', async () => {
  const [left, right] = (await stream()).tee();
  const [one, other] = await Promise.all([readAll(left), readAll(right)]);
  assert.equal(textOf(one), textOf(other));
  assert.ok(textOf(one).length > 20);
});

test('a provider that says no usage is counted', async () => {
  const metadata = { 'x-lab-fault': 'missing-usage' };
  const { chunks, request } = await readToEnd(stream({ stream_options: USAGE, metadata }));
  assert.ok(chunks.at(-1).usage.completion_tokens > 0);
  assert.equal(settlement(request).source, 'counted');
});

test('odd framing reads like any other', async () => {
  for (const fault of ['odd-sse', 'fragments', 'no-done', 'running-usage', 'double-usage']) {
    const metadata = { 'x-lab-fault': fault, 'x-lab-fault-at': '50' };
    const chunks = await readAll(await stream({ metadata }));
    assert.ok(textOf(chunks).length > 20, fault);
  }
});

test('a client that leaves pays for what it got', async () => {
  const { clients_left: left } = await lab.counts();
  const { data, response } = await stream({
    stream_options: USAGE,
    metadata: { 'x-lab-interval-ms': '20', 'x-lab-tokens': '500' },
  }).withResponse();
  let seen = 0;
  for await (const chunk of data) {
    assert.ok(chunk);
    if (++seen < 8) continue;
    assert.ok(held() > 0n);
    break; // the SDK aborts its request
  }
  await waitUntil(() => held() === 0n);
  const end = settlement(response.headers.get('x-request-id'));
  assert.equal(end.outcome, 'client_left');
  assert.equal(end.source, 'counted');
  assert.ok(end.lines.find((line) => line.meter === 'output').units >= 4);
  await waitUntil(async () => (await lab.counts()).clients_left === left + 1);
});

test('an abort signal settles too', async () => {
  const abort = new AbortController();
  const { data, response } = await client.chat.completions
    .create(
      {
        model: MODEL, messages: ASK, stream: true,
        metadata: { 'x-lab-interval-ms': '20', 'x-lab-tokens': '500' },
      },
      { signal: abort.signal },
    )
    .withResponse();
  let seen = 0;
  for await (const chunk of data) if (chunk && ++seen === 8) abort.abort();
  assert.ok(seen < 100);
  await waitUntil(() => held() === 0n);
  assert.equal(settlement(response.headers.get('x-request-id')).outcome, 'client_left');
});

test('an answer that breaks off is an error', async () => {
  for (const fault of ['reset-in-body', 'half-close']) {
    const metadata = { 'x-lab-fault': fault, 'x-lab-fault-at': '6', 'x-lab-tokens': '40' };
    const error = await errorOf(stream({ metadata }).then(readAll));
    assert.equal(error.code, 'upstream_error', fault);
  }
  await waitUntil(() => held() === 0n);
});

test('completions stream too', async () => {
  const { chunks } = await readToEnd(
    client.completions.create({
      model: MODEL, prompt: 'Once upon a time', stream: true, stream_options: USAGE, max_tokens: 12,
    }),
  );
  assert.ok(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join('').length > 10);
  assert.equal(chunks.at(-1).usage.completion_tokens, 12);
});
