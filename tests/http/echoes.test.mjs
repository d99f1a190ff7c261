// A provider's secret in its own answers: it never reaches a client, however it is written there. And secrets that are none.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { HELLO, inTime, refusal, startWorld } from './support.mjs';

const TIMEOUT = { timeout: 60_000 };
const SECRET = 'sk-echo/with+"quote"-27182818284590';
let world;
let echo;

const every = (write) => [...SECRET].map((letter) => write(letter.charCodeAt(0))).join('');
const hex = (code, digits = 2) => code.toString(16).padStart(digits, '0');
const json = (text) => JSON.stringify(text).slice(1, -1);
/** What may stand between two quotes of a JSON text, and is the secret to somebody. */
const WAYS = {
  plain: json(SECRET),
  unicode: every((code) => `\\u${hex(code, 4)}`),
  'one letter': json(SECRET).replace('s', '\\u0073'),
  slash: json(SECRET).replaceAll('/', '\\/'),
  'a text in a text': json(json(`"${every((code) => `\\u${hex(code, 4)}`)}"`)),
  percent: every((code) => `%${hex(code)}`),
  'some percent': json(encodeURIComponent(SECRET)),
  html: every((code) => `&#${code};`),
  base64: Buffer.from(SECRET).toString('base64'),
  'a basic header': Buffer.from(`user:${SECRET}`).toString('base64').replaceAll('/', '\\/'),
  hex: Buffer.from(SECRET).toString('hex'),
};

const WAYS_BY_NAME = new Map(Object.keys(WAYS).map((way) => [way.replaceAll(' ', '_'), way]));

/** Whether a client could read the secret in an answer. */
function holds(text) {
  const levels = [text];
  for (let deep = 0; deep < 3; deep += 1) {
    levels.push(levels.at(-1).replace(/\\+u00([0-9a-f]{2})|%([0-9a-f]{2})|&#(\d+);|\\+(["/])/gi, (_, one, two, three, four) => four ?? String.fromCharCode(three ? Number(three) : parseInt(one ?? two, 16))));
  }
  const forms = [SECRET, Buffer.from(SECRET).toString('hex'), Buffer.from(SECRET).toString('base64').slice(0, -4), Buffer.from(`user:${SECRET}`).toString('base64').slice(8, -4)];
  return levels.some((level) => forms.some((form) => level.includes(form)));
}

before(async () => {
  const usage = '"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}';
  const server = createServer((req, res) => {
    const parts = [];
    req.on('data', (part) => parts.push(part));
    req.on('end', () => {
      const said = new URL(req.url, 'http://x').searchParams.get('way') ?? JSON.parse(Buffer.concat(parts)).model;
      const [form, way] = said.split('|');
      const text = WAYS[WAYS_BY_NAME.get(way) ?? way];
      const send = (status, type, body) => res.writeHead(status, { 'content-type': type }).end(body);
      if (form === 'whole') send(200, 'application/json', `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"it is ${text}."},"finish_reason":"stop"}],${usage}}`);
      else if (form === 'error') send(400, 'application/json', `{"error":{"message":"bad key ${text}","type":"invalid_request_error"}}`);
      else send(200, 'text/event-stream', `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"it is ${text}."},"finish_reason":null}]}\n\ndata: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],${usage}}\n\ndata: [DONE]\n\n`);
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  echo = { url: `http://127.0.0.1:${server.address().port}/v1`, stop: () => new Promise((done) => server.close(done).closeAllConnections()) };
  world = await startWorld({ secrets: { ECHOED_KEY: ` ${SECRET}\n`, SPACES: '   ', ONE_LETTER: 'a', SEVEN: '1234567', BROKEN: 'sk-0123\n456789', NO_FILE: '{"client_email": "a@b"}' } });
  const model = (name) => [name, { targets: [{ provider: 'echo', model: name }] }];
  const auths = {
    spaces: { bearer: 'SPACES' }, letter: { header: 'x-key', secret: 'ONE_LETTER' }, seven: { bearer: 'SEVEN' }, broken: { bearer: 'BROKEN' }, file: { google: 'NO_FILE' },
    aws: { aws: { access_key_id: 'PROVIDER_A_KEY', secret_access_key: 'SPACES', region: 'eu-west-1' } },
  };
  const provider = (auth) => ({ dialect: 'openai', base_url: echo.url, price_list: 'none', auth });
  await world.catalog({
    ...Object.fromEntries(['whole', 'stream', 'error'].flatMap((form) => Object.keys(WAYS).map((way) => model(`${form}|${way}`.replaceAll(' ', '_'))))),
    ...Object.fromEntries(Object.keys(auths).map((name) => [name, { targets: [{ provider: name, model: 'whole|plain' }] }])),
  }, {
    providers: { echo: provider({ bearer: 'ECHOED_KEY' }), ...Object.fromEntries(Object.entries(auths).map(([name, auth]) => [name, provider(auth)])) },
    prices: { 'echo/*': { input: '1', output: '1' } },
  });
});

after(async () => {
  await world.stop();
  await echo.stop();
});


/** The same question in each dialect, of a model that also says whether the answer is to be a stream. */
const QUESTIONS = {
  openai: (model, stream) => ['/v1/chat/completions', { model, stream, messages: HELLO }],
  anthropic: (model, stream) => ['/v1/messages', { model, stream, max_tokens: 50, messages: HELLO }],
  responses: (model, stream) => ['/v1/responses', { model, stream, input: 'Hello' }],
  gemini: (model, stream) => [`/v1beta/models/${encodeURIComponent(model)}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`, { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] }],
};

for (const way of Object.keys(WAYS)) {
  test(`a secret that is echoed is in no answer of any dialect: ${way}`, TIMEOUT, async () => {
    const tenant = await world.tenant({ limits: [], passthrough: ['*'] });
    for (const form of ['whole', 'stream', 'error']) {
      for (const [dialect, ask] of Object.entries(QUESTIONS)) {
        const [path, body] = ask(`${form}|${way}`.replaceAll(' ', '_'), form === 'stream');
        const response = await tenant.post(path, body);
        const all = `${[...response.headers].flat().join(' ')} ${await response.text()}`;
        assert.ok(all.includes('own credentials'), `${form} ${dialect} was not stopped: ${all}`);
        assert.ok(!holds(all), `${form} ${dialect}: ${all}`);
      }
      const response = await fetch(`${world.url}/providers/echo/images/x?way=${encodeURIComponent(`${form}|${way}`)}`, { headers: tenant.headers() });
      let got = '';
      const reading = async () => {
        for await (const chunk of response.body) got += Buffer.from(chunk).toString('latin1');
      };
      await assert.rejects(inTime(reading(), 'it breaks off'), undefined, `${form} native`);
      assert.ok(!holds(got), `${form} native: ${got}`);
    }
    assert.ok(!world.logs.some(holds), 'nor is it in the log');
  });
}

test('a secret that is none is a set-up error by its name, on every road, and nothing is sent, billed or blamed', TIMEOUT, async () => {
  const tenant = await world.tenant({ limits: [], passthrough: ['*'] });
  for (const [model, words] of [
    ['spaces', /the secret SPACES is blank\. Set it: npx wrangler secret put SPACES/], ['letter', /the secret ONE_LETTER is too short: it has fewer than 8 bytes/], ['seven', /the secret SEVEN is too short/],
    ['broken', /the secret BROKEN holds line breaks/], ['aws', /the secret SPACES is blank/], ['file', /the secret NO_FILE is no service account's key file: private_key must be a text/],
  ]) {
    const response = await tenant.chat({ model });
    await refusal(response, 503, { code: 'gateway_not_set_up', message: words });
    const row = await world.settled(response);
    assert.deepEqual([row.cost, row.attempts], [0, 0], model);
    if (model === 'aws') continue;
    const native = await fetch(`${world.url}/providers/${model}/images/x`, { headers: tenant.headers() });
    await refusal(native, 503, { code: 'gateway_not_set_up', message: words });
  }
  assert.ok(!world.logs.some((line) => line.includes('sk-0123')));
});
