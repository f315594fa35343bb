// Many at once, and the same thing twice.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import OpenAI from 'openai';
import {
  ASK, MODEL, USAGE, balance, connect, errorOf, held, lab, nanos, readAll, readToEnd, settlement,
  textOf, waitUntil,
} from './bench.mjs';

const PARALLEL = 50;
const under = (key) => ({ headers: { 'Idempotency-Key': key } });
const ask = (client, options, more) =>
  client.chat.completions.create({ model: MODEL, messages: ASK, ...options }, more);

test('fifty requests at once', async () => {
  const client = connect();
  const question = (i) => [{ role: 'user', content: `What is ${i} plus ${i}?` }];
  const plain = async (i) => (await ask(client, { messages: question(i) }))._request_id;
  const streamed = async (i) => {
    const metadata = { 'x-lab-interval-ms': '2' };
    const options = { messages: question(i), stream: true, stream_options: USAGE, metadata };
    const { chunks, request } = await readToEnd(ask(client, options));
    assert.ok(textOf(chunks).length > 20);
    return request;
  };
  const before = balance();
  const requests = await Promise.all(
    Array.from({ length: PARALLEL }, (_, i) => (i % 2 ? streamed(i) : plain(i))),
  );
  assert.equal(new Set(requests).size, PARALLEL);
  const charged = requests.reduce((sum, id) => sum + nanos(settlement(id).charge), 0n);
  assert.equal(before - balance(), charged);
});

test('aborted streams settle', async () => {
  const client = connect();
  const abort = new AbortController();
  const metadata = { 'x-lab-interval-ms': '20', 'x-lab-tokens': '400' };
  const read = async () =>
    readAll(await ask(client, { stream: true, metadata }, { signal: abort.signal }));
  const reads = Array.from({ length: 10 }, read);
  setTimeout(() => abort.abort(), 400);
  const ends = await Promise.allSettled(reads);
  assert.ok(ends.every((end) => end.status === 'rejected' || end.value.length < 100));
  await waitUntil(() => held() === 0n);
});

test('the same key is charged once', async () => {
  const client = connect();
  const key = randomUUID();
  const [asked, before] = [await lab.requests(), balance()];
  const first = await ask(client, {}, under(key)).withResponse();
  const again = await ask(client, {}, under(key)).withResponse();
  assert.equal(again.request_id, first.request_id);
  assert.equal(again.response.headers.get('idempotency-replayed'), 'true');
  assert.deepEqual(again.data, first.data);
  assert.equal(await lab.requests(), asked + 1);
  assert.equal(before - balance(), nanos(first.response.headers.get('x-moongate-cost')));
});

test('another request under the same key is a conflict', async () => {
  const client = connect('KEY', { maxRetries: 2 });
  const key = randomUUID();
  await ask(client, {}, under(key));
  const error = await errorOf(ask(client, { max_tokens: 7 }, under(key)));
  assert.ok(error instanceof OpenAI.ConflictError);
  assert.equal(error.code, 'idempotency_mismatch');
  assert.deepEqual(client.statuses(), [200, 409]);
});

test('a stream is not repeated under the same key', async () => {
  const client = connect('KEY', { maxRetries: 2 });
  const key = randomUUID();
  assert.ok(textOf(await readAll(await ask(client, { stream: true }, under(key)))).length > 20);
  const before = balance();
  const error = await errorOf(ask(client, { stream: true }, under(key)));
  assert.equal(error.code, 'idempotency_replayed');
  assert.deepEqual(client.statuses(), [200, 409]);
  assert.equal(balance(), before);
});

test('two at once under the same key', async () => {
  const client = connect('KEY', { maxRetries: 5 });
  const key = randomUUID();
  const asked = await lab.requests();
  const metadata = { 'x-lab-delay-ms': '400' };
  const ends = await Promise.allSettled([
    ask(client, { metadata }, under(key)),
    ask(client, { metadata }, under(key)),
  ]);
  // One was told to come again, did so by itself, and got the other's answer.
  const statuses = client.statuses();
  assert.ok(statuses.includes(409) && statuses.filter((status) => status === 200).length === 2);
  assert.equal(ends[0].value.id, ends[1].value.id);
  assert.equal(await lab.requests(), asked + 1);
});

test('what came to nothing may be asked again under its key', async () => {
  const key = randomUUID();
  const options = { metadata: { 'x-lab-delay-ms': '600' } };
  const before = balance();
  const error = await errorOf(ask(connect('KEY', { timeout: 200 }), options, under(key)));
  assert.ok(error instanceof OpenAI.APIConnectionTimeoutError);
  await waitUntil(() => held() === 0n);
  assert.equal(balance(), before);
  const { response } = await ask(connect(), options, under(key)).withResponse();
  assert.equal(response.headers.get('idempotency-replayed'), null);
  assert.equal(before - balance(), nanos(response.headers.get('x-moongate-cost')));
});
