// Every parameter that the official SDK for Node declares, in every form that it declares, passes under hard limits on money, tokens and
// calls at once, and arrives as it was sent, at an account that no other tenant shares. When the SDK learns a parameter, a part, a tool
// or a role, the first test here fails.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { HELLO, eventually, startWorld } from '../http/support.mjs';
import { pathsOf, readDeclarations } from './declared.mjs';

const TIMEOUT = { timeout: 60_000 };
const DECLARED = readDeclarations('ChatCompletionCreateParamsBase');
const IMAGE = `data:image/png;base64,${'iVBORw0KGgo/'.repeat(50)}`;
const SOUND = 'UklGRiQA'.repeat(64);
const PDF = `JVBERi0xLjQK${'AAAA'.repeat(100)}`;
const breakpoint = { mode: 'explicit', ttl: '30m' };
const text = { type: 'text', text: 'Some text.', prompt_cache_breakpoint: breakpoint };
const PARTS = {
  text,
  image_url: { type: 'image_url', image_url: { url: IMAGE, detail: 'high' }, prompt_cache_breakpoint: breakpoint },
  input_audio: { type: 'input_audio', input_audio: { data: SOUND, format: 'wav' }, prompt_cache_breakpoint: { ...breakpoint, ttl: '12h' } },
  file: { type: 'file', file: { file_data: `data:application/pdf;base64,${PDF}`, filename: 'a.pdf' }, prompt_cache_breakpoint: breakpoint },
};
const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } };
const customCall = { id: 'call_2', type: 'custom', custom: { name: 'c', input: 'x' } };
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };

/** Between them these hold every field and every form of it. */
const BODIES = {
  everything: {
    messages: [
      { role: 'developer', content: [text], name: 'd' },
      { role: 'system', content: [text], name: 's' },
      { role: 'user', content: Object.values(PARTS), name: 'u' },
      { role: 'assistant', content: [text, { type: 'refusal', refusal: 'No.' }], audio: { id: 'audio_1' }, name: 'a', refusal: 'No.', tool_calls: [call, customCall] },
      { role: 'tool', content: [text], tool_call_id: 'call_1' },
      { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
      { role: 'function', content: 'x', name: 'f' },
    ],
    audio: { format: 'mp3', voice: 'alloy' },
    frequency_penalty: 0.5,
    function_call: { name: 'f' },
    functions: [{ name: 'f', description: 'What it does.', parameters: schema }],
    logit_bias: { 1234: -100 },
    logprobs: true,
    max_completion_tokens: 40,
    max_tokens: 40,
    metadata: { purpose: 'a test' },
    modalities: ['text', 'audio'],
    moderation: { model: 'omni-moderation-latest', policy: { input: { mode: 'score' }, output: { mode: 'block' } } },
    n: 2,
    parallel_tool_calls: false,
    prediction: { type: 'content', content: [text] },
    presence_penalty: -0.5,
    prompt_cache_key: 'a-prompt',
    prompt_cache_options: { mode: 'explicit', ttl: '30m' },
    prompt_cache_retention: '24h',
    reasoning_effort: 'high',
    response_format: { type: 'json_schema', json_schema: { name: 'place', description: 'A place.', schema, strict: true } },
    safety_identifier: 'someone',
    seed: 42,
    service_tier: 'priority',
    stop: ['\n\n', 'END'],
    store: true,
    stream_options: { include_usage: true, include_obfuscation: false },
    temperature: 0.7,
    tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'f' } }] } },
    tools: [
      { type: 'function', function: { name: 'f', description: 'What it does.', parameters: schema, strict: true } },
      { type: 'custom', custom: { name: 'c', description: 'A text.', format: { type: 'text' } } },
      { type: 'custom', custom: { name: 'g', format: { type: 'grammar', grammar: { definition: 'start: "x"', syntax: 'lark' } } } },
    ],
    top_logprobs: 5,
    top_p: 0.9,
    user: 'someone',
    verbosity: 'low',
    web_search_options: {
      search_context_size: 'low',
      user_location: { type: 'approximate', approximate: { city: 'Paris', country: 'FR', region: 'IDF', timezone: 'Europe/Paris' } },
    },
  },
  'other forms': {
    messages: [
      { role: 'developer', content: 'x' },
      { role: 'system', content: 'x' },
      { role: 'user', content: 'x' },
      { role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] },
      { role: 'assistant', content: 'x', audio: null, refusal: null, function_call: null },
      { role: 'tool', content: 'x', tool_call_id: 'call_1' },
      { role: 'function', content: null, name: 'f' },
    ],
    audio: { format: 'wav', voice: { id: 'voice_1' } },
    function_call: 'auto',
    moderation: { model: 'omni-moderation-latest', policy: { input: null, output: null } },
    prediction: { type: 'content', content: 'x' },
    response_format: { type: 'text' },
    stop: 'END',
    tool_choice: { type: 'function', function: { name: 'f' } },
    tools: [{ type: 'function', function: { name: 'f', strict: null } }],
    web_search_options: { user_location: null },
  },
  'more forms': {
    messages: HELLO,
    moderation: { model: 'omni-moderation-latest', policy: null },
    response_format: { type: 'json_object' },
    response_format_unknown: { kept: [1, 2.50, '\u2028'] },
    tool_choice: { type: 'custom', custom: { name: 'c' } },
  },
  'a schema that is not strict': {
    messages: HELLO,
    response_format: { type: 'json_schema', json_schema: { name: 'place', strict: null } },
    tool_choice: 'required',
  },
  nothing: {
    messages: HELLO,
    ...Object.fromEntries([...DECLARED.paths].filter((path) => /^\w+:null$/.test(path)).map((path) => [path.split(':')[0], null])),
  },
  'what Anthropic\'s endpoint takes besides': {
    messages: [{ role: 'user', content: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral', ttl: '1h' } }] }],
    thinking: { type: 'enabled', budget_tokens: 2_000 },
    top_k: 5,
  },
};
const USD = 1_000_000_000n;
const RESERVE = 3_000_000n;
const MODEL = { image_tokens: 1_500, file_tokens: 4_000, unbounded_reserve: '0.003', max_output: 100 };
let world;
let client;

const sdk = (key) => new OpenAI({ apiKey: key, baseURL: `${world.url}/v1`, maxRetries: 0 });

before(async () => {
  world = await startWorld();
  const model = (name) => ({ targets: [{ provider: 'a', model: name }], ...MODEL });
  await world.catalog({ c10: model('c10'), hang: model('hang') }, { providers: { a: { shared: false } } });
  client = sdk((await world.tenant({ limits: [
    { name: 'budget', what: 'cost', per: 'tenant', window: 'month', max: '5' },
    { name: 'tpm', what: 'tokens', per: 'key', window: '60s', max: 2_000_000 },
    { name: 'output', what: 'output_tokens', per: 'key', window: 'day', max: 1_000_000 },
    { name: 'input', what: 'input_tokens', per: 'tenant', window: 'lifetime', max: 2_000_000 },
    { name: 'busy', what: 'concurrency', per: 'tenant', max: 2 },
  ] })).key);
});

after(() => world.stop());

/** Makes the call through the SDK; gives what the provider got, once the call is settled. */
async function arrived(body) {
  const { data, request_id: id } = await client.chat.completions.create(body).withResponse();
  if (body.stream) for await (const chunk of data) assert.equal(chunk.object, 'chat.completion.chunk');
  else assert.equal(data.choices.length, body.n ?? 1);
  await world.settled(id);
  return world.seen(id)[0].body;
}

/** What of `body` is set by the gateway, by design: the cap that limits ask for where there is none, and a stream's usage. */
function byDesign(body) {
  const capped = typeof (body.max_tokens ?? body.max_completion_tokens) === 'number';
  const usage = body.stream && { stream_options: { ...body.stream_options, include_usage: true } };
  return { ...(capped ? {} : { max_tokens: MODEL.max_output }), ...usage };
}

async function check(body) {
  const got = await arrived(body);
  assert.deepEqual(got, { ...body, ...byDesign(body) });
  assert.deepEqual(Object.keys(got).filter((name) => !(name in body)).sort(), Object.keys(byDesign(body)).filter((name) => !(name in body)).sort());
}

test('these requests hold every parameter, part, tool and role that the SDK declares, in every form', () => {
  const sent = new Set(Object.values(BODIES).flatMap((body) => [...pathsOf({ model: 'c10', stream: true, ...body })]));
  assert.ok(DECLARED.fields.length >= 37 && DECLARED.paths.size >= 200, 'the declarations are read');
  assert.deepEqual([...DECLARED.paths].filter((path) => !sent.has(path)), [], 'add these to the requests above');
});

for (const [name, body] of Object.entries(BODIES)) {
  for (const stream of [false, true]) {
    test(`${name}: it arrives as it was sent, ${stream ? 'streamed' : 'whole'}`, TIMEOUT, () => check({ model: 'c10', ...body, stream }));
  }
}

for (const [field, words] of DECLARED.words) {
  if (field === 'model') continue;
  test(`${field} says ${words.join(', ')}, and arrives so`, TIMEOUT, async () => {
    for (const word of words) await check({ model: 'c10', messages: HELLO, [field]: word });
  });
}

// ---- what is held -----------------------------------------------------------------------------------------------------------------

const CAP = 20n;
const part = (one) => ({ messages: [{ role: 'user', content: [one] }] });
const image = (url) => part({ type: 'image_url', image_url: { url } });
const tool = { type: 'function', function: { name: 'f' } };
/** A request; the bytes of it that are media; the tokens of that; what of output comes besides the cap; whether it has no bound. */
const HELD = {
  'a text': [part({ type: 'text', text: 'Hello' }), {}],
  'an image that it holds': [image(IMAGE), { media: 600, tokens: MODEL.image_tokens }],
  'an image by its address': [image('https://example.com/a.png'), { tokens: MODEL.image_tokens }],
  'an image by another scheme': [image('gs://bucket/film.mp4'), { tokens: MODEL.image_tokens, unbounded: true }],
  sound: [part({ type: 'input_audio', input_audio: { data: SOUND, format: 'wav' } }), { media: 512, tokens: 16 }],
  'a PDF that it holds': [part({ type: 'file', file: { file_data: PDF } }), { media: PDF.length, tokens: MODEL.file_tokens }],
  'a text file that it holds': [part({ type: 'file', file: { file_data: 'aGVsbG8=' } }), { tokens: MODEL.file_tokens }],
  'a file by its id': [part({ type: 'file', file: { file_id: 'file-1' } }), { tokens: MODEL.file_tokens, unbounded: true }],
  'a part of a type that is not known': [part({ type: 'video_url', video_url: { url: 'https://example.com/a.mp4' } }), { unbounded: true }],
  'an earlier answer\'s sound': [{ messages: [{ role: 'assistant', audio: { id: 'audio_1' } }] }, { unbounded: true }],
  'a search of the web': [{ messages: HELLO, web_search_options: {} }, { unbounded: true }],
  'a tool of its own': [{ messages: HELLO, tools: [tool] }, { tokens: 1_000 }],
  'a tool of the provider\'s': [{ messages: HELLO, tools: [{ type: 'web_search' }] }, { tokens: 1_000, unbounded: true }],
  'a dearer service': [{ messages: HELLO, service_tier: 'priority' }, { unbounded: true }],
  'a prediction, twice': [{ messages: HELLO, n: 2, prediction: { type: 'content', content: 'x' } }, { output: 2 * '{"type":"content","content":"x"}'.length }],
};

for (const [name, [asked, { media = 0, tokens = 0, output = 0, unbounded = false }]] of Object.entries(HELD)) {
  test(`${name} is held at its bound, and a nano-dollar less does not admit it`, TIMEOUT, async () => {
    const body = { model: 'hang', ...asked, max_tokens: Number(CAP) };
    const input = BigInt(Buffer.byteLength(JSON.stringify(body)) - media + tokens);
    const bound = input * 1_000n + (CAP * BigInt(asked.n ?? 1) + BigInt(output)) * 2_000n + (unbounded ? RESERVE : 0n);
    const tenant = (max) => world.tenant({ on_shortfall: 'reject', limits: [
      { name: 'budget', what: 'cost', window: 'lifetime', max: `${max / USD}.${String(max % USD).padStart(9, '0')}` }] });

    const poor = await tenant(bound - 1n);
    await assert.rejects(sdk(poor.key).chat.completions.create(body), OpenAI.RateLimitError);
    const rich = await tenant(bound);
    const leaving = new AbortController();
    const answer = sdk(rich.key).chat.completions.create(body, { signal: leaving.signal });
    const held = await eventually(async () => {
      const limit = await rich.limit('budget');
      return limit.held !== '0' && limit.held;
    }, 'something is held');
    assert.equal(BigInt(Math.round(Number(held) * 1e9)), bound);
    leaving.abort();
    await assert.rejects(answer, OpenAI.APIUserAbortError);
  });
}
