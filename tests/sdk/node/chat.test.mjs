// Plain chat: what is said, what it costs, what the head tells.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ASK, MODEL, balance, connect, moongate, nanos, settlement, waitUntil } from './bench.mjs';

const client = connect();
const chat = (options) => client.chat.completions.create({ model: MODEL, messages: ASK, ...options });

test('an answer has all its parts', async () => {
  const answer = await chat();
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.model, MODEL);
  const [choice] = answer.choices;
  assert.equal(choice.message.role, 'assistant');
  assert.ok(choice.message.content.length > 20);
  assert.equal(choice.finish_reason, 'stop');
  const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = answer.usage;
  assert.equal(total, input + output);
});

test('the head tells id, cost, channel and generation', async () => {
  const { data, response, request_id: id } = await chat().withResponse();
  assert.match(id, /^req_/);
  assert.equal(data._request_id, id);
  assert.equal(response.headers.get('x-moongate-channel'), 'steady');
  assert.equal(response.headers.get('x-moongate-generation'), '1');
  assert.ok(nanos(response.headers.get('x-moongate-cost')) > 0n);
});

test('the cost is the price of the usage', async () => {
  const before = balance();
  const { data, response } = await chat().withResponse();
  const told = nanos(response.headers.get('x-moongate-cost'));
  const cached = data.usage.prompt_tokens_details?.cached_tokens ?? 0;
  const input = BigInt(data.usage.prompt_tokens - cached);
  const cost = input * 150n + BigInt(cached) * 75n + BigInt(data.usage.completion_tokens) * 600n;
  assert.equal(told, cost);
  assert.equal(before - balance(), told);
  assert.equal(nanos(settlement(response.headers.get('x-request-id')).charge), told);
});

test('several choices are all paid', async () => {
  const one = await chat();
  const three = await chat({ n: 3 });
  assert.deepEqual(three.choices.map((choice) => choice.index), [0, 1, 2]);
  assert.ok(three.usage.completion_tokens > one.usage.completion_tokens);
});

test('a limit ends the answer', async () => {
  for (const name of ['max_tokens', 'max_completion_tokens']) {
    const answer = await chat({ [name]: 5 });
    assert.equal(answer.choices[0].finish_reason, 'length');
    assert.equal(answer.usage.completion_tokens, 5);
  }
});

test('roles and other scripts go through', async () => {
  const messages = [
    { role: 'developer', content: 'Answer briefly.' },
    { role: 'user', content: '潮汐是怎么形成的？' },
    { role: 'assistant', content: '月亮 🌕 拉动海水。' },
    { role: 'user', content: [{ type: 'text', text: '再说详细一点\u2028"\\' }] },
  ];
  const answer = await chat({ messages, temperature: 0.2, seed: 7 });
  assert.match(answer.choices[0].message.content, /[\u4e00-\u9fff]/);
});

test('reasoning tokens are told and paid', async () => {
  const { data, response } = await chat({ model: 'o3-mini', reasoning_effort: 'high' }).withResponse();
  const { prompt_tokens: input, completion_tokens: output } = data.usage;
  const thought = data.usage.completion_tokens_details.reasoning_tokens;
  assert.ok(thought > 0 && thought < output);
  const told = nanos(response.headers.get('x-moongate-cost'));
  assert.equal(told, BigInt(input) * 1_100n + BigInt(output) * 4_400n);
});

test('members nobody knows go through untouched', async () => {
  const answer = await chat({ not_yet_known: { a: [1, null, 2.5e300] } });
  assert.ok(answer.choices[0].message.content);
});

test('a long conversation', async () => {
  const content = 'All work and no play. '.repeat(10_000);
  const answer = await chat({ messages: [{ role: 'user', content }] });
  assert.ok(answer.usage.prompt_tokens > 40_000);
});

test('another channel answers when the first is gone', async () => {
  const { response } = await chat({ model: 'gpt-4o' }).withResponse();
  assert.equal(response.headers.get('x-moongate-channel'), 'steady');
  // Decision records are written a little later than answers.
  const decision = () => moongate('explain', response.headers.get('x-request-id')).decision;
  await waitUntil(decision);
  const { attempts } = decision();
  assert.deepEqual([attempts[0].channel, attempts[0].failure], ['absent', 'connect']);
  assert.equal(attempts.at(-1).channel, 'steady');
});
