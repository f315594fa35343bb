// What every test of this lane has at hand: clients of the real SDK, the wallet, the provider's
// counts, and the list of costs that clients were told.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';

export const MODEL = 'gpt-4o-mini';
export const ASK = [{ role: 'user', content: 'How do tides come about?' }];
export const USAGE = { include_usage: true };

export const setting = (name) => {
  const value = process.env[`MOONGATE_SDK_${name}`];
  assert.ok(value, `${name} is not set: run it with tests/sdk/run`);
  return value;
};

export function moongate(...args) {
  const all = ['--config', setting('CONFIG'), '--json', ...args];
  return JSON.parse(execFileSync(setting('BINARY'), all, { encoding: 'utf8', timeout: 30_000 }));
}

// Amounts are whole nano-dollars here: a bigint.
export function nanos(amount) {
  const [whole, places = ''] = amount.split('.');
  assert.ok(places.length <= 9, amount);
  return BigInt(whole + places.padEnd(9, '0'));
}
const wallet = () => moongate('wallet', 'show', '--tenant', setting('TENANT'));
export const held = () => nanos(wallet().held);
export const balance = () => nanos(wallet().balance);

export async function waitUntil(condition, timeoutMs = 10_000) {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'it did not come about in time');
    await sleep(20);
  }
}

// How a request ended by the books: the entry that posts or releases its hold.
export const settlement = (request) => moongate('explain', request).journal.at(-1);

// Without a cost: the caller was told none, or not yet.
export function tell(request, cost) {
  const entry = cost == null ? { request } : { request, cost: String(cost) };
  appendFileSync(setting('TOLD'), JSON.stringify(entry) + '\n');
}

export const lab = {
  async counts() {
    return (await fetch(setting('LAB') + '/lab/counts')).json();
  },
  async requests() {
    return (await this.counts()).requests;
  },
};

// A client; its `attempts` are the answers it got on the wire, those that the SDK retried included.
export function connect(key = 'KEY', options = {}) {
  const attempts = [];
  const watched = async (url, init) => {
    const response = await fetch(url, init);
    attempts.push({ status: response.status, at: performance.now(), headers: response.headers });
    if (init.method?.toUpperCase() === 'POST' && response.status === 200)
      tell(response.headers.get('x-request-id'), response.headers.get('x-moongate-cost'));
    return response;
  };
  const client = new OpenAI({
    baseURL: setting('URL'),
    apiKey: key.startsWith('mg-') ? key : setting(key),
    fetch: watched,
    maxRetries: 0,
    timeout: 20_000,
    ...options,
  });
  client.attempts = attempts;
  client.statuses = () => attempts.map((attempt) => attempt.status);
  return client;
}

// Reads a stream whose usage was asked for to its end, and notes the cost that its last chunk tells.
export async function readToEnd(promise) {
  const { data: stream, response } = await promise.withResponse();
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  noteCost(response.headers.get('x-request-id'), chunks);
  return { chunks, request: response.headers.get('x-request-id') };
}

export function noteCost(request, chunks) {
  assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage == null), 'usage comes last');
  assert.deepEqual(chunks.at(-1).choices, []);
  tell(request, chunks.at(-1).usage.cost);
}

export const textOf = (chunks) =>
  chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');

// The error that a promise ends in.
export async function errorOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail('no error came');
}

export async function readAll(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}
