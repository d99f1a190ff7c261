// The calls whose bills are proved, their models and prices, and what each costs: by BigInt, from the texts of the prices.

/** Prices by the name of the provider's model, in dollars for a million tokens (`request`: for a call). */
export const PRICES = {
  plain: { input: '0.15', output: '0.60', cached_input: '0.075' },
  odd: { input: '0.123456789', output: '3.987654321', cached_input: '0.000000001' }, // no product of these is a whole nano-dollar
  free: { input: '0', output: '0' },
  flat: { input: '2.5', output: '10' }, // nothing is said of kinds: all are priced as what they are a part of
  kinds: { input: '1.25', output: '10', cached_input: '0.125', cache_write: '1.5625', audio_input: '32', reasoning: '12.3', audio_output: '64' },
  called: { input: '0.1', output: '0.4', request: '0.000123457' },
  long: {
    input: '3', output: '15', cached_input: '0.3', cache_write: '3.75', reasoning: '15', audio_input: '3', audio_output: '15',
    tiers: [
      { above: 128_000, input: '4.5', output: '20', cached_input: '0.45', cache_write: '5', reasoning: '20', audio_input: '4.5', audio_output: '20' },
      { above: 200_000, input: '6', output: '22.5', cached_input: '0.6', cache_write: '7.5', reasoning: '22.5', audio_input: '6', audio_output: '22.5' },
    ],
  },
  primary: { input: '1', output: '2' },
  backup: { input: '1.1', output: '2.2', cached_input: '0.7' },
};

/** The client's models, and the provider's models that stand behind each. */
export const MODELS = { ...Object.fromEntries(Object.keys(PRICES).map((name) => [name, [name]])), backed: ['primary', 'backup'] };

// ---- what a usage costs -----------------------------------------------------------------------------------------------------

/** Billionths of a decimal text. */
function nano(text) {
  const [whole, fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(9, '0'));
}

/** The tokens of a usage by kind, each counted once. */
function kindsOf({ prompt_tokens: input, completion_tokens: output, prompt_tokens_details: went = {}, completion_tokens_details: came = {} }) {
  const parts = {
    cached_input: went.cached_tokens ?? 0, cache_write: went.cache_write_tokens ?? 0, audio_input: went.audio_tokens ?? 0,
    reasoning: came.reasoning_tokens ?? 0, audio_output: came.audio_tokens ?? 0,
  };
  const rest = { input: input - parts.cached_input - parts.cache_write - parts.audio_input, output: output - parts.reasoning - parts.audio_output };
  return { ...parts, ...rest };
}

const WHOLE = { cached_input: 'input', cache_write: 'input', audio_input: 'input', reasoning: 'output', audio_output: 'output' };

/** What a usage costs in nano-dollars: every kind at its rate, rounded up once. */
export function costOf(usage, price) {
  const rates = (price.tiers ?? []).filter(({ above }) => usage.prompt_tokens > above).at(-1) ?? price;
  let sum = 0n; // billionths of a nano-dollar, for a million tokens
  for (const [kind, tokens] of Object.entries(kindsOf(usage))) sum += BigInt(tokens) * nano(rates[kind] ?? rates[WHOLE[kind]]);
  return nano(price.request ?? '0') + (sum + 999_999n) / 1_000_000n;
}

const KINDS = ['cache_write', 'cache_write_hour', 'audio_input', 'reasoning', 'audio_output'];

/** The tokens of special kinds as a row keeps them: null where there are none. */
export function partsOf(usage) {
  const kinds = kindsOf(usage);
  const parts = KINDS.map((kind) => kinds[kind] ?? 0);
  return parts.every((tokens) => tokens === 0) ? null : JSON.stringify(parts);
}

// ---- the calls --------------------------------------------------------------------------------------------------------------

/** Whole numbers below what is asked, the same for the same seed (mulberry32). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const WEIGHTS = { told: 60, twice: 7, named: 7, left: 6, 'left-whole': 1, cut: 6, untold: 4, refused: 3, fails: 3, backed: 3 };
const FAILURES = ['fail500', 'fail429', 'fail503', 'reset', 'badjson', 'cut0', 'ok', 'ok', 'ok'];
const SIZES = [0, 1, 17, 999, 12_345, 128_000, 128_001, 200_000, 200_001, 250_000];

/** `count` calls of all kinds; `steps` are what becomes of the first target of those that have two. */
export function jobsOf(seed, count) {
  const random = randomOf(seed);
  const one = (list) => list[random(list.length)];
  const wheel = Object.entries(WEIGHTS).flatMap(([kind, weight]) => Array(weight).fill(kind));
  const models = Object.keys(PRICES).filter((name) => !['primary', 'backup'].includes(name));
  const calls = [];
  const steps = [];
  while (calls.length < count) {
    const kind = one(wheel);
    const model = kind === 'backed' ? 'backed' : one(models);
    const stream = kind === 'left' || (kind !== 'left-whole' && random(2) === 1);
    const words = wordsOf(kind, stream, random, one);
    const body = { model, stream, max_tokens: 400, messages: [{ role: 'user', content: 'x'.repeat(random(300)) }], metadata: { script: words } };
    if (random(4) === 0) body.n = 1 + random(3);
    if (stream && random(2) === 0) body.stream_options = { include_usage: true };
    // Who leaves without a word of the answer is known by a mark: the provider has to have the call by then.
    const mark = kind === 'left-whole' ? `mark-${calls.length}` : undefined;
    if (mark) body.metadata.mark = mark;
    const job = { kind, mark, body: JSON.stringify(body), pieces: kind === 'left' ? random(12) : 0, caller: random(1_000) };
    // What is sent again is another call, but for one that has a name.
    if (kind === 'named') job.name = `bill-${calls.length}`;
    const times = { twice: 2, named: 3 }[kind] ?? 1;
    for (let nth = 0; nth < times && calls.length < count; nth += 1) calls.push(job);
    if (kind === 'backed') steps.push(one(FAILURES));
  }
  return { calls, steps };
}

/** What the provider is to do: the tokens that it will tell of, and the fault. */
function wordsOf(kind, stream, random, one) {
  const input = Math.max(1, one(SIZES) + random(50));
  const chunks = kind === 'left' ? 150 : random(24);
  const words = [`c${chunks}`, `i${random(3) === 0 ? one(SIZES) : input}`];
  if (kind === 'untold') return [`c${1 + chunks}`, 'nousage'].join('-');
  if (random(2) === 0) words.push(`k${random(input)}`);
  if (random(3) === 0) words.push(`w${random(input)}`);
  if (random(4) === 0) words.push(`ai${random(input)}`);
  if (random(3) === 0) words.push(`r${random(200)}`);
  if (random(4) === 0) words.push(`ao${random(24)}`);
  if (kind === 'left') words.push('d2');
  if (kind === 'left-whole') words.push('l30');
  if (kind === 'cut') words.push(stream ? one([`cut${random(24)}`, `byte${80 + random(4_000)}`]) : one(['cut0', `byte${random(600)}`, 'badjson']));
  if (kind === 'refused') words.push(one(['fail400', 'fail404', 'fail422']));
  if (kind === 'fails') words.push(one(['fail500', 'fail503', 'fail429', 'reset']));
  return words.join('-');
}
