// What clients ask for in a soak, and what each kind of call may become: its share, the statuses that its script explains, its bill.

import { randomBytes } from 'node:crypto';
import { PREFIX, USAGES } from './edges.mjs';

const MIB = 1_024 * 1_024;
export const CAP = 100;
/** What the Anthropic provider is shown. */
export const SECRET = { name: 'CLAUDE_KEY', value: 'the credential of the soak' };
/** US dollars for a million tokens, by provider. */
export const PRICES = {
  scripted: { input: '0.15', output: '0.60', cached_input: '0.075' },
  hasty: { input: '1', output: '2' },
  claude: { input: '3', output: '15', cached_input: '0.3' },
  edges: { input: '1', output: '2' },
  nowhere: { input: '1', output: '2' },
};
/** Where nobody listens. */
const NOWHERE = 'http://127.0.0.1:1/v1';
/** What is held for a native call whose path has no price of its own, in nano-dollars. */
export const NATIVE_HELD = 100_000_000;

/** What stands where a stream should begin, though it is none: nobody is billed for it where the next target answers. */
const VOIDS = ['err0', 'opened-err0', 'empty', 'blank', 'garble', 'errbody', 'cut0', 'opened-cut0', 'hasty/stall0', 'hasty/opened-stall0'];
/** Of these, what is an error with a status and free where there is no other target. */
const FREE_VOIDS = ['err0', 'opened-err0', 'empty', 'blank', 'garble', 'page', 'errbody'];
const RESETS = ['cut0', 'opened-cut0', 'cut1', 'cut2', 'cut3', 'cut4', 'err1', 'err3'];

const stream = { stream: true, statuses: [200] };
const native = { dialect: 'native', statuses: [200], bill: 'told' };
const giant = (random) => 'x'.repeat(4 * MIB + random(12 * MIB - 2_000));

/**
 * `words`: what the targets are told, each `provider/words` or the scripted provider's; `weight`: how often in 2,000 calls; `script`: words
 * of the call itself, one of these. `bill`: a rule of rules.mjs. How its client reads: `leaves` after so many pieces at most, `pace` in ms
 * between reads, `stops` reading after so many bytes and leaves later. `detached`: it takes minutes, and no
 * connection waits for it. `overloaded`: there may be no room for it.
 */
export const KINDS = {
  // ordinary calls
  whole: { words: ['c8-i20-k5'], weight: 760, statuses: [200], bill: 'told' },
  stream: { words: ['c30-i40'], weight: 520, ...stream, bill: 'told' },
  slow: { words: ['c20-d20'], weight: 120, ...stream, bill: 'told' },
  translated: { words: ['claude/c12-i30'], weight: 60, ...stream, bill: 'told' },
  backed: { words: ['flaky30-primary', 'c8-backup'], weight: 80, statuses: [200], bill: 'told' },
  named: { words: ['c20-d10'], weight: 30, ...stream, bill: 'told', followers: 3 },
  // clients that leave, read slowly, or stop
  left: { words: ['c40-d10-left'], weight: 80, ...stream, leaves: 20, bill: 'left' },
  'left-claude': { words: ['claude/c40-d10-left'], weight: 20, ...stream, leaves: 20, bill: 'left' },
  'silent-stays': { words: ['c9-stall4-stays'], weight: 1, ...stream, detached: true, bill: 'some' },
  silent: { words: ['c9-stall3'], weight: 6, ...stream, leaves: 3, bill: 'left' },
  'slow-reader': { words: ['edges/giant-stream-8'], weight: 2, ...stream, cap: 2_000_000, pace: 20, bill: 'told' },
  'stopped-reader': { words: ['edges/giant-stream-24-stopped'], weight: 2, ...stream, cap: 8_000_000, stops: MIB, bill: 'left' },
  'stopped-whole': { words: ['edges/giant-24-stopped'], weight: 2, statuses: [200], cap: 8_000_000, stops: MIB, bill: 'left' },
  // what is giant
  'giant-request': { words: ['c8-i20-giant'], weight: 3, statuses: [200], overloaded: true, content: giant, bill: 'told' },
  'giant-answer': { words: ['edges/giant-32'], weight: 2, statuses: [200], cap: 8_000_000, bill: 'told' },
  'giant-stream': { words: ['edges/giant-stream-16'], weight: 2, ...stream, cap: 8_000_000, bill: 'told' },
  // providers that fail, fall silent, break off
  failing: { words: ['fail500'], weight: 40, statuses: [500], bill: 'free' },
  busy: { words: ['fail429-ra1'], weight: 20, statuses: [429], bill: 'free' },
  void: { words: ['c8-void'], script: FREE_VOIDS, weight: 24, statuses: [502, 503], stream: true, bill: 'free' },
  hanging: { words: ['hasty/hang'], weight: 10, statuses: [504], bill: 'some' },
  'silent-head': { words: ['hasty/c8-head'], script: ['stall0', 'opened-stall0'], weight: 8, statuses: [504], stream: true, bill: 'some' },
  'silent-whole': { words: ['hasty/c8-stall0'], weight: 4, statuses: [504], bill: 'some' },
  'silent-backed': { words: ['hasty/hang-primary', 'c8-backup2'], weight: 6, statuses: [200], bill: 'besides' },
  pausing: { words: ['edges/pausing'], weight: 4, ...stream, bill: 'told' },
  reset: { words: ['c12-reset'], script: RESETS, weight: 40, statuses: [200, 502], stream: true, bill: 'some' },
  'reset-claude': { words: ['claude/c12-reset'], script: RESETS, weight: 16, statuses: [200, 502, 529], stream: true, bill: 'some' },
  'reset-head': { words: ['reset'], weight: 10, statuses: [502], bill: 'some' },
  cut: { words: ['c20-cut7'], weight: 40, ...stream, bill: 'some' },
  'cut-whole': { words: ['c8-cut0'], weight: 30, statuses: [502], bill: 'some' },
  badjson: { words: ['badjson'], weight: 20, statuses: [502], bill: 'some' },
  unsent: { words: ['nowhere/c8'], weight: 6, statuses: [502], bill: 'free' },
  untold: { words: ['c9-nousage'], weight: 50, ...stream, bill: 'counted' },
  ...Object.fromEntries(VOIDS.map((words) => [
    `void-${words.replace('hasty/', '')}`, { words: [`${words}-primary`, 'c8-backup3'], weight: 4, ...stream, bill: 'told' }])),
  // usages that cannot be true
  ...Object.fromEntries(Object.entries(USAGES).map(([name, { bill }]) => [name, { words: [`edges/${name}`], weight: 6, streams: true, statuses: [200], bill }])),
  // work behind the answer
  background: { words: ['edges/background'], dialect: 'background', looks: 'now', weight: 12, statuses: [200], bill: 'run' },
  'background-late': { words: ['edges/background-late'], dialect: 'background', looks: 'late', weight: 2, statuses: [200], bill: 'run' },
  'background-lost': { words: ['edges/background-lost'], dialect: 'background', looks: 'never', weight: 2, statuses: [200], bill: 'run' },
  look: { words: [], weight: 0, statuses: [200], bill: 'free' },
  // native calls
  'native-told': { ...native, weight: 20 },
  'native-event': { ...native, weight: 2 },
  'native-upload': { ...native, weight: 2, binary: true },
  'native-left': { ...native, weight: 8, leaves: 1 },
  'native-untold': { ...native, weight: 10, bill: 'held' },
  'native-cut': { ...native, weight: 6, breaks: true, bill: 'held' },
};

/** The catalog of these kinds: the scripted provider at `url`, that of the edges at `edges`. */
export function catalogOf(url, edges) {
  const provider = { dialect: 'openai', base_url: `${url}/v1`, price_list: 'none' };
  const target = (said) => {
    const at = said.indexOf('/');
    return at < 0 ? { provider: 'scripted', model: said } : { provider: said.slice(0, at), model: said.slice(at + 1) };
  };
  const asked = Object.entries(KINDS).filter(([, { words = [] }]) => words.length > 0);
  return {
    providers: {
      scripted: provider, hasty: { ...provider, timeout: '2s', first_event_timeout: '2s' },
      claude: { ...provider, dialect: 'anthropic', headers: { 'anthropic-version': '2023-06-01' }, auth: { header: 'x-api-key', secret: SECRET.name } },
      nowhere: { ...provider, base_url: NOWHERE },
      edges: { ...provider, dialect: ['openai', 'responses'], base_url: `${edges}/v1` },
    },
    models: Object.fromEntries(asked.map(([name, { words }]) => [name, { targets: words.map(target) }])),
    prices: Object.fromEntries(Object.entries(PRICES).map(([name, price]) => [`${name}/*`, price])),
  };
}

/** One call of a kind: { path, headers, body }. */
export function callOf(name, random) {
  const kind = KINDS[name];
  if (kind.dialect === 'native') {
    if (!kind.binary) return { path: `/providers/edges${PREFIX}${name}`, headers: { 'content-type': 'application/json' }, body: Buffer.from('{"input":"x"}') };
    return { path: `/providers/edges${PREFIX}${name}`, headers: { 'content-type': 'audio/wav' }, body: randomBytes(MIB + random(15 * MIB)) };
  }
  const headers = { 'content-type': 'application/json' };
  if (kind.dialect === 'background') {
    return { path: '/v1/responses', headers, body: Buffer.from(JSON.stringify({ model: name, background: true, max_output_tokens: CAP, input: 'x'.repeat(1 + random(400)) })) };
  }
  const content = kind.content ? kind.content(random) : 'x'.repeat(1 + random(400)); // no dialect but OpenAI's takes a message that says nothing
  const body = { model: name, stream: kind.streams ? random(2) === 1 : kind.stream === true, max_tokens: kind.cap ?? CAP, messages: [{ role: 'user', content }] };
  if (kind.script) body.metadata = { script: kind.script[random(kind.script.length)] };
  if (kind.followers) headers['idempotency-key'] = randomBytes(12).toString('hex');
  return { path: '/v1/chat/completions', headers, body: Buffer.from(JSON.stringify(body)) };
}
