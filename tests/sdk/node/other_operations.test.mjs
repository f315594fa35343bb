// Images as input, embeddings, completions and the list of models.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from './crc32.mjs';
import { deflateSync } from 'node:zlib';
import { ASK, MODEL, balance, connect, errorOf, nanos } from './bench.mjs';

const client = connect();
const EMBEDDER = 'text-embedding-3-small';

function png(width, height) {
  const part = (kind, data) => {
    const named = Buffer.concat([Buffer.from(kind), data]);
    const out = Buffer.alloc(named.length + 8);
    out.writeUInt32BE(data.length, 0);
    named.copy(out, 4);
    out.writeUInt32BE(crc32(named), named.length + 4);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head[8] = 8;
  const rows = deflateSync(Buffer.alloc((width + 1) * height), { level: 0 });
  const mark = Buffer.from('89504e470d0a1a0a', 'hex');
  return Buffer.concat([mark, part('IHDR', head), part('IDAT', rows), part('IEND', Buffer.alloc(0))]);
}

const picture = (width, height, more) => ({
  type: 'image_url',
  image_url: { url: `data:image/png;base64,${png(width, height).toString('base64')}`, ...more },
});

const look = (...pictures) =>
  client.chat.completions.create({
    model: MODEL,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, ...pictures] }],
  });

test('an image is seen and paid', async () => {
  const blind = await look();
  const seen = await look(picture(640, 480));
  const low = await look(picture(640, 480, { detail: 'low' }));
  assert.match(seen.choices[0].message.content, /640 by 480/);
  assert.ok(blind.usage.prompt_tokens < low.usage.prompt_tokens);
  assert.ok(low.usage.prompt_tokens < seen.usage.prompt_tokens);
});

test('several images in their order', async () => {
  const answer = await look(picture(10, 20), picture(30, 40));
  assert.match(answer.choices[0].message.content, /10 by 20.*30 by 40/);
});

test('an image of megabytes', async () => {
  assert.match((await look(picture(2000, 1500))).choices[0].message.content, /2000 by 1500/);
});

test('an image at an address is left to the provider', async () => {
  const url = { type: 'image_url', image_url: { url: 'https://images.example/cat.png' } };
  assert.match((await look(url)).choices[0].message.content, /address/);
});

test('embeddings are the same in both encodings', async () => {
  const ask = { model: EMBEDDER, input: 'The moon pulls the sea' };
  const numbers = await client.embeddings.create({ ...ask, encoding_format: 'float' });
  // Left to itself, the SDK asks for base64 and decodes it.
  const decoded = await client.embeddings.create(ask);
  const raw = await client.embeddings.create({ ...ask, encoding_format: 'base64' });
  const vector = numbers.data[0].embedding;
  const packed = Buffer.from(raw.data[0].embedding, 'base64');
  assert.equal(vector.length, 1536);
  for (let i = 0; i < vector.length; i++) {
    assert.ok(Math.abs(decoded.data[0].embedding[i] - vector[i]) < 1e-6);
    assert.ok(Math.abs(packed.readFloatLE(4 * i) - vector[i]) < 1e-6);
  }
});

test('embeddings of many inputs', async () => {
  const before = balance();
  const input = Array.from({ length: 100 }, (_, i) => `text number ${i}`);
  const { data, response } = await client.embeddings
    .create({ model: EMBEDDER, input, dimensions: 64 })
    .withResponse();
  assert.equal(data.data.length, 100);
  assert.ok(data.data.every((item, i) => item.index === i && item.embedding.length === 64));
  const told = nanos(response.headers.get('x-moongate-cost'));
  assert.equal(told, BigInt(data.usage.prompt_tokens) * 20n);
  assert.equal(before - balance(), told);
});

test('embeddings of token numbers', async () => {
  const answer = await client.embeddings.create({ model: EMBEDDER, input: [[1, 2, 3], [4, 5]] });
  assert.equal(answer.data.length, 2);
  assert.equal(answer.usage.prompt_tokens, 5);
});

test('completions', async () => {
  const answer = await client.completions.create({
    model: MODEL, prompt: ['Once upon a time', 'In a galaxy'], n: 2, max_tokens: 9,
  });
  assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1, 2, 3]);
  assert.equal(answer.usage.completion_tokens, 36);
});

test('models are listed with their prices', async () => {
  const models = [];
  for await (const model of client.models.list()) models.push(model);
  assert.equal(models.length, 7);
  assert.equal(models.find((model) => model.id === MODEL).price.input, '0.15');
});

test('one model', async () => {
  assert.equal((await client.models.retrieve(MODEL)).id, MODEL);
  const error = await errorOf(client.models.retrieve('no-such-model'));
  assert.deepEqual([error.status, error.code], [404, 'model_not_found']);
});

test('a key sees only its models', async () => {
  const narrow = connect('KEY_NARROW');
  const models = [];
  for await (const model of narrow.models.list()) models.push(model.id);
  assert.deepEqual(models, ['gpt-4o']);
  const error = await errorOf(narrow.chat.completions.create({ model: MODEL, messages: ASK }));
  assert.deepEqual([error.status, error.code], [403, 'model_not_allowed']);
});
