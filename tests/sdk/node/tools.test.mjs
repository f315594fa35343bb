// Tool calls and answers that follow a schema, plain and streamed, raw and through the helpers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { ASK, MODEL, USAGE, connect, readToEnd, tell } from './bench.mjs';

const client = connect();
const { completions } = client.chat;

const WEATHER = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city',
    parameters: {
      type: 'object',
      properties: {
        city: { type: 'string' },
        unit: { type: 'string', enum: ['celsius', 'fahrenheit'] },
      },
      required: ['city', 'unit'],
      additionalProperties: false,
    },
    strict: true,
  },
};
const CLOCK = {
  type: 'function',
  function: {
    name: 'get_local_time',
    description: 'The time of day in a place',
    parameters: { type: 'object', properties: { zone: { type: 'string' } } },
  },
};
const BOTH = [{ role: 'user', content: 'What are the weather and the local time in Paris?' }];
const WET = [{ role: 'user', content: 'What is the weather like in Paris?' }];
const COOK = [{ role: 'user', content: 'A recipe for soup, please' }];
const tools = [WEATHER, CLOCK];
const namesOf = (calls) => calls.map((call) => call.function.name).sort();

test('a call and its result', async () => {
  const first = await completions.create({ model: MODEL, messages: WET, tools });
  const [choice] = first.choices;
  assert.equal(choice.finish_reason, 'tool_calls');
  assert.deepEqual(namesOf(choice.message.tool_calls), ['get_weather']);
  const [call] = choice.message.tool_calls;
  assert.ok(['celsius', 'fahrenheit'].includes(JSON.parse(call.function.arguments).unit));
  const result = { role: 'tool', tool_call_id: call.id, content: 'Nineteen degrees and drizzle' };
  const second = await completions.create({
    model: MODEL, messages: [...WET, choice.message, result], tools,
  });
  assert.match(second.choices[0].message.content, /Nineteen degrees/);
});

test('parallel calls can be had and forbidden', async () => {
  const both = await completions.create({ model: MODEL, messages: BOTH, tools });
  assert.deepEqual(namesOf(both.choices[0].message.tool_calls), ['get_local_time', 'get_weather']);
  const one = await completions.create({
    model: MODEL, messages: BOTH, tools, parallel_tool_calls: false,
  });
  assert.equal(one.choices[0].message.tool_calls.length, 1);
});

test('a tool can be required, named and refused', async () => {
  const ask = { model: MODEL, messages: ASK, tools };
  const required = await completions.create({ ...ask, tool_choice: 'required' });
  assert.ok(required.choices[0].message.tool_calls.length);
  const named = await completions.create({
    ...ask, tool_choice: { type: 'function', function: { name: 'get_local_time' } },
  });
  assert.deepEqual(namesOf(named.choices[0].message.tool_calls), ['get_local_time']);
  const none = await completions.create({ ...ask, tool_choice: 'none' });
  assert.ok(!none.choices[0].message.tool_calls);
});

test('streamed calls add up', async () => {
  const { chunks } = await readToEnd(
    completions.create({ model: MODEL, messages: BOTH, tools, stream: true, stream_options: USAGE }),
  );
  const calls = [];
  for (const piece of chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? [])) {
    calls[piece.index] ??= { function: { name: piece.function.name, arguments: '' } };
    calls[piece.index].function.arguments += piece.function.arguments;
  }
  assert.deepEqual(namesOf(calls), ['get_local_time', 'get_weather']);
  for (const call of calls) assert.equal(typeof JSON.parse(call.function.arguments), 'object');
  assert.ok(chunks.length > 6);
  assert.equal(chunks.at(-2).choices[0].finish_reason, 'tool_calls');
});

test('the runner calls a function and goes on with what it said', async () => {
  const asked = [];
  const run = ({ city }) => {
    asked.push(city);
    return 'Nineteen degrees and drizzle';
  };
  const runner = completions.runTools({
    model: MODEL,
    messages: WET,
    tools: [zodFunction({
      name: 'get_weather',
      description: 'The weather in a city',
      parameters: z.object({ city: z.string() }),
      function: run,
    })],
  });
  assert.match(await runner.finalContent(), /Nineteen degrees/);
  assert.equal(asked.length, 1);
});

test('a schema is followed, in its order', async () => {
  const schema = {
    type: 'object',
    properties: { zebra: { type: 'integer' }, apple: { enum: ['red', 'green'] } },
    required: ['zebra', 'apple'],
    additionalProperties: false,
  };
  const answer = await completions.create({
    model: MODEL,
    messages: ASK,
    response_format: { type: 'json_schema', json_schema: { name: 'fruit', schema, strict: true } },
  });
  const value = JSON.parse(answer.choices[0].message.content);
  assert.deepEqual(Object.keys(value), ['zebra', 'apple']);
  assert.ok(Number.isInteger(value.zebra) && ['red', 'green'].includes(value.apple));
});

test('JSON without a schema', async () => {
  const answer = await completions.create({
    model: MODEL, messages: ASK, response_format: { type: 'json_object' },
  });
  assert.equal(typeof JSON.parse(answer.choices[0].message.content), 'object');
});

const Recipe = z.object({
  title: z.string(),
  vegetarian: z.boolean(),
  ingredients: z.array(z.object({ name: z.string(), grams: z.number().int().min(1).max(5000) })),
});

test('the helper parses what follows a type', async () => {
  const answer = await completions.parse({
    model: MODEL, messages: COOK, response_format: zodResponseFormat(Recipe, 'recipe'),
  });
  assert.equal(typeof answer.choices[0].message.parsed.vegetarian, 'boolean');
});

test('the helper parses a streamed type', async () => {
  const runner = completions.stream({
    model: MODEL,
    messages: COOK,
    response_format: zodResponseFormat(Recipe, 'recipe'),
    stream_options: USAGE,
  });
  const answer = await runner.finalChatCompletion();
  tell(client.attempts.at(-1).headers.get('x-request-id'), answer.usage.cost);
  assert.equal(typeof answer.choices[0].message.parsed.title, 'string');
});
