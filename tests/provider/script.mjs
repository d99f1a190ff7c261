// The script language of the provider: words in a model name (or `x-script`, `metadata.script`, a queued step) -> a plan for one call.
//
//   c<N>      N content chunks = N completion tokens per choice (10)   i<N>     N prompt tokens (else counted from the messages)
//   s<N>      about N bytes of content                                 k<N>     N of the prompt tokens were cached
//   w<N>      N of the prompt tokens were written to a cache           ai<N>    N of the prompt tokens are sound
//   r<N>      N completion tokens per choice were thought, not said    ao<N>    N of the chunks of each choice are sound
//   d<MS>     delay between chunks                                     l<MS>    latency before the head
//   u<N>      the usage tells of N completion tokens, whatever came
//   tier<WORD> speed<WORD> geo<WORD>  served by that tier, so fast, there; as far as the dialect tells it
//   q<N>      N searches of the web                                    latency<WORD>  Bedrock's
//   tool      answer with one tool call                                tools2   answer with two tool calls, in parallel
//   talk      say c<N> chunks before the tool calls                    utf8     content of multi-byte words
//   json      {"city":"Paris"}, if JSON or a call is demanded         cite     the text cites an address
//   refuse    decline in words, as the dialect tells it                filter   blocked by the provider: nothing is said
//   aloud     Chat Completions tells its thoughts, as compatible providers do (the other dialects do if the request lets them)
//   split<N>  the event stream is written in pieces of N bytes         nousage  never tell the usage
//   fail<CODE> that HTTP error; ra<S> its retry-after, quota its code  failonce<CODE> only for the first call of this model
//   dated, millis, resets, inbody  ra<S> as a date, in milliseconds, as the reset of a limit that is spent, in the error's body alone
//   flaky<P>  P percent of this model's calls get 500                  hang     never answer
//   reset     connection reset before the head                         badjson  200 whose JSON stops half-way, length matching
//   cut<N>    connection reset after N chunks (or half a JSON body)    stall<N> N chunks, then silence
//   err<N>    N chunks, then an error event inside the stream          nodone   the stream ends without its last word
//   opened    cut0, stall0 and err0 come after the stream's opening, in which nothing is said yet; hum<N> N comments before it
//   empty     200 with nothing in it                                   blank     200 with the last word of a stream alone, or {}
//   page      200 with a web page                                     errbody   200 with the body of an error
//   garble    the stream begins with an event that cannot be read
//   byte<N>   the connection carries N bytes of the answer, its head included, and is closed
//   ok        forget the faults named before                           demo     friendly text at a human pace
//
// A request may bring words of its own in `metadata.script`, which gateways pass on. Words are separated by '-' (in a header or a step
// also ',' or ' '), after any '/'. Unknown words mean nothing: they make names unique.

const NUMBERED = {
  c: 'chunks', i: 'prompt', k: 'cached', w: 'written', ai: 'audioIn', r: 'reasoning', ao: 'audioOut', u: 'told', s: 'size', d: 'delay', q: 'searches',
  l: 'latency', ra: 'retryAfter', split: 'split', fail: 'fail', failonce: 'failOnce', flaky: 'flaky', cut: 'cut', stall: 'stall', err: 'err', byte: 'byte', hum: 'hum',
};
const WORDED = { tier: 'tier', speed: 'speed', geo: 'geo', latency: 'latencyOf' };
const FLAGS = new Set(['hang', 'reset', 'badjson', 'nousage', 'nodone', 'tool', 'tools2', 'talk', 'json', 'refuse',
  'filter', 'cite', 'aloud', 'utf8', 'quota', 'demo', 'dated', 'millis', 'resets', 'inbody',
  'opened', 'empty', 'blank', 'page', 'errbody', 'garble']);
const FAULTLESS = {
  fail: 0, failOnce: 0, flaky: 0, cut: null, stall: null, err: null, byte: null, hang: false, reset: false, badjson: false, quota: false,
  opened: false, empty: false, blank: false, page: false, errbody: false, garble: false, hum: 0,
};
const DEFAULT = {
  chunks: 10, prompt: null, cached: 0, written: 0, audioIn: 0, reasoning: 0, audioOut: 0, told: null, size: 0, delay: 0,
  latency: 0, retryAfter: null, split: 0, nousage: false, nodone: false, tool: false, tools2: false, talk: false, json: false,
  tier: '', speed: '', geo: '', latencyOf: '', searches: 0, refuse: false, filter: false, cite: false, aloud: false, utf8: false, demo: false, dated: false, millis: false, resets: false, inbody: false,
  ...FAULTLESS,
};
const REMEMBERED = 2_000;
const plans = new Map();

/** The plan of a call: what its model name says, overlaid by each of `overlays` (the request's own, queued step, then header). */
export function planOf(model, ...overlays) {
  const key = [model, ...overlays].join('\n');
  let plan = plans.get(key);
  if (plan) return plan;
  plan = { ...DEFAULT, key };
  readWords(plan, model.slice(model.lastIndexOf('/') + 1).split('-'));
  for (const words of overlays) if (words) readWords(plan, words.split(/[-, ]+/));
  if (plans.size >= REMEMBERED) plans.clear();
  plans.set(key, plan);
  return plan;
}

function readWords(plan, words) {
  for (const word of words) {
    const [, name, digits] = /^([a-z]+)(\d+)$/.exec(word) ?? [];
    const [, kind, said] = /^(tier|speed|geo|latency)([a-z]+)$/.exec(word) ?? [];
    if (kind) plan[WORDED[kind]] = said;
    else if (name && NUMBERED[name]) plan[NUMBERED[name]] = Number(digits);
    else if (word === 'demo') Object.assign(plan, { demo: true, delay: 30, latency: 120 });
    else if (word === 'ok') Object.assign(plan, FAULTLESS);
    else if (FLAGS.has(word)) plan[word] = true;
  }
}

/** The part of the script that needs memory: queued steps, first-call failures, the exact share of flaky calls. */
export class Director {
  #steps = new Map();
  #seen = new Map();

  queue(model, steps) {
    const waiting = this.#steps.get(model) ?? [];
    waiting.push(...steps);
    this.#steps.set(model, waiting);
    return waiting.length;
  }

  plan(model, header, own) {
    const step = this.#steps.size > 0 ? this.#take(model) ?? this.#take('*') ?? '' : '';
    return planOf(model, own ?? '', step, header ?? '');
  }

  #take(model) {
    const waiting = this.#steps.get(model);
    if (!waiting) return undefined;
    if (waiting.length === 1) this.#steps.delete(model);
    return waiting.shift();
  }

  /** The HTTP error this call gets, 0 for none. */
  failure(plan) {
    if (plan.fail) return plan.fail;
    if (!plan.failOnce && !plan.flaky) return 0;
    const nth = (this.#seen.get(plan.key) ?? 0) + 1;
    this.#seen.set(plan.key, nth);
    if (plan.failOnce && nth === 1) return plan.failOnce;
    const due = Math.floor((nth * plan.flaky) / 100) > Math.floor(((nth - 1) * plan.flaky) / 100);
    return due ? 500 : 0;
  }

  reset() {
    this.#steps.clear();
    this.#seen.clear();
  }
}
