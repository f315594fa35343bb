// Errors as the SDK shows them, which of them it repeats, and timeouts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { ASK, MODEL, balance, connect, errorOf, held, lab, readAll, waitUntil } from './bench.mjs';

const ask = (client, options) =>
  client.chat.completions.create({ model: MODEL, messages: ASK, ...options });

test('a wrong key', async () => {
  const client = connect('mg-' + '0'.repeat(43), { maxRetries: 2 });
  const error = await errorOf(ask(client));
  assert.ok(error instanceof OpenAI.AuthenticationError);
  assert.deepEqual([error.code, error.type], ['invalid_api_key', 'authentication_error']);
  assert.match(error.requestID, /^req_/);
  assert.deepEqual(client.statuses(), [401]);
});

test('an unknown model', async () => {
  const client = connect('KEY', { maxRetries: 2 });
  const error = await errorOf(ask(client, { model: 'no-such-model' }));
  assert.ok(error instanceof OpenAI.NotFoundError);
  assert.deepEqual([error.code, error.param], ['model_not_found', 'model']);
  assert.deepEqual(client.statuses(), [404]);
});

test('an empty wallet is told once', async () => {
  const asked = await lab.requests();
  for (const stream of [false, true]) {
    const client = connect('KEY_EMPTY', { maxRetries: 3 });
    const error = await errorOf(ask(client, { stream }));
    assert.deepEqual([error.status, error.code], [402, 'insufficient_quota']);
    assert.equal(error.headers.get('x-should-retry'), 'false');
    assert.deepEqual(client.statuses(), [402]);
  }
  assert.equal(await lab.requests(), asked);
});

test('a rate limit tells when to come back', async () => {
  const client = connect('KEY_SLOW');
  await ask(client);
  const asked = await lab.requests();
  const error = await errorOf(ask(client));
  assert.ok(error instanceof OpenAI.RateLimitError);
  assert.equal(error.code, 'rate_limit_exceeded');
  const wait = Number(error.headers.get('retry-after'));
  assert.ok(wait >= 50 && wait <= 60);
  assert.equal(error.headers.get('x-ratelimit-limit-requests'), '1');
  assert.equal(error.headers.get('x-ratelimit-remaining-requests'), '0');
  assert.equal(await lab.requests(), asked);
});

test('the SDK waits as long as a rate limit says', async () => {
  const client = connect('KEY_BRISK');
  const burn = async () => {
    for (let i = 0; i < 100; i++) await ask(client, { max_tokens: 1 });
  };
  assert.equal((await errorOf(burn())).headers.get('retry-after'), '1');
  const patient = connect('KEY_BRISK', { maxRetries: 2 });
  // A token may have come back meanwhile: until one of these is refused, too.
  while (!patient.statuses().includes(429)) await ask(patient, { max_tokens: 1 });
  assert.deepEqual(patient.statuses().slice(-2), [429, 200]);
  const [refused, served] = patient.attempts.slice(-2);
  assert.ok(served.at - refused.at >= 950);
});

test('a limit of the provider is passed on', async () => {
  const client = connect('KEY', { maxRetries: 1 });
  const asked = await lab.requests();
  const metadata = { 'x-lab-status': '429', 'x-lab-retry-after': '3' };
  const error = await errorOf(ask(client, { model: 'gpt-4.1-mini', metadata }));
  assert.ok(error instanceof OpenAI.RateLimitError);
  assert.deepEqual(client.statuses(), [429, 429]);
  assert.ok(client.attempts[1].at - client.attempts[0].at >= 2950);
  assert.equal(await lab.requests(), asked + 2);
});

test('a failing provider is asked again', async () => {
  const client = connect('KEY', { maxRetries: 1 });
  const asked = await lab.requests();
  const metadata = { 'x-lab-status': '500' };
  const error = await errorOf(ask(client, { model: 'gpt-4.1', metadata }));
  assert.deepEqual([error.status, error.code], [502, 'upstream_error']);
  assert.deepEqual(client.statuses(), [502, 502]);
  assert.equal(await lab.requests(), asked + 4);
});

test('a refusal of the provider keeps its words', async () => {
  const client = connect('KEY', { maxRetries: 2 });
  const error = await errorOf(ask(client, { metadata: { 'x-lab-status': '422' } }));
  assert.ok(error instanceof OpenAI.UnprocessableEntityError);
  assert.match(error.message, /could not be served/);
  assert.deepEqual(client.statuses(), [422]);
});

const WRONG = [
  { messages: 'Hello' }, { messages: [] }, { max_tokens: -1 }, { max_tokens: 'many' }, { n: 0 },
  { stream: 'yes' }, { stream: true, stream_options: 7 }, { model: undefined },
];
for (const wrong of WRONG)
  test(`a wrong request is a bad request: ${JSON.stringify(wrong)}`, async () => {
    const client = connect('KEY', { maxRetries: 2 });
    const before = balance();
    const error = await errorOf(ask(client, wrong));
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.type, 'invalid_request_error');
    assert.deepEqual(client.statuses(), [400]);
    assert.equal(balance(), before);
  });

test('what is not there is not found', async () => {
  const error = await errorOf(connect().post('/no/such/thing', { body: {} }));
  assert.deepEqual([error.status, error.code], [404, 'not_found']);
});

test('a client that cannot wait pays nothing', async () => {
  const client = connect('KEY', { timeout: 250 });
  const before = balance();
  const error = await errorOf(ask(client, { metadata: { 'x-lab-delay-ms': '5000' } }));
  assert.ok(error instanceof OpenAI.APIConnectionTimeoutError);
  await waitUntil(() => held() === 0n);
  assert.equal(balance(), before);
});

test('a stream that stalls is settled when its client gives up', async () => {
  const before = balance();
  const abort = new AbortController();
  const stream = await connect().chat.completions.create(
    {
      model: MODEL, messages: ASK, stream: true,
      metadata: { 'x-lab-fault': 'stall', 'x-lab-fault-at': '6' },
    },
    { signal: abort.signal },
  );
  setTimeout(() => abort.abort(), 300);
  const chunks = await readAll(stream);
  assert.ok(chunks.length < 10);
  await waitUntil(() => held() === 0n);
  assert.ok(balance() < before);
});

test('a slow provider is a gateway timeout', async () => {
  const before = balance();
  const metadata = { 'x-lab-delay-ms': '5000' };
  const error = await errorOf(ask(connect(), { model: 'gpt-4.1-nano', stream: true, metadata }));
  assert.deepEqual([error.status, error.code], [504, 'upstream_timeout']);
  assert.equal(balance(), before);
});
