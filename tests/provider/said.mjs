// What one call will say, in no dialect: a plan and what was heard of the request -> blocks of tokens, why they end, and what is billed. Pure.
//
// Token truth: one completion token per content chunk and choice, and those that were thought (`r<N>`). Prompt tokens are `i<N>`, else counted
// from the request: always below one per byte of it.

import { remembered } from './wire.mjs';

const WORDS = 'the quick brown fox jumps over the lazy dog while rain falls softly'.split(' ').map((word) => `${word} `);
const WIDE_WORDS = ['né ', '日本 ', '🙂 ', 'ж ', 'naïve ', '👩‍💻 ', 'ß ', '東京 '];
const DEMO = ('Hello from the scripted provider: no model was asked and nothing was spent. ' +
  'Your call came through the gateway, its limits were checked, and these words are streamed and metered like any others.').match(/\S+ ?/g);
const REFUSAL = ['I', '\'m ', 'sorry, ', 'but ', 'I ', 'can', '\'t ', 'help ', 'with ', 'that.'];
const argumentsFor = (city) => ['{"', 'city', '":"', city, '"}'];

/** What a thought is signed with: providers want it back as it is. */
export const SIGNATURE = Buffer.from('signed by the scripted provider').toString('base64');
/** Where a citation (`cite`) points. */
export const SOURCE = { url: 'https://example.com/source', title: 'A scripted source' };

/**
 * What one call will say. `heard`: model, cap, choices, tool (the name of the first tool, or null), answered (a tool's result came last), schema
 * (the answer is to be JSON), forced (a tool must be called), prompt (the tokens counted).
 * A block is `{ kind: text | tool | refusal, pieces }`, one token per piece.
 */
export function compose(plan, heard) {
  const cap = heard.cap ?? Infinity;
  const thought = Math.min(plan.filter ? 0 : plan.reasoning, cap);
  const wanted = blocksOf(plan, heard);
  const whole = wanted.reduce((sum, block) => sum + block.pieces.length, 0);
  const tokens = Math.max(0, Math.min(whole, cap - thought));
  const blocks = [];
  let room = tokens;
  for (const block of wanted) {
    const pieces = room < block.pieces.length ? block.pieces.slice(0, room) : block.pieces;
    if (pieces.length > 0) blocks.push({ ...block, pieces, whole: pieces.length === block.pieces.length });
    room -= pieces.length;
  }
  const tool = wanted.some((block) => block.kind === 'tool');
  const choices = Math.max(1, heard.choices ?? 1);
  return {
    plan, model: heard.model, blocks, tool, tokens, choices, thought: thought * choices, thoughts: thoughtsOf(plan, thought),
    finish: plan.filter ? 'filter' : tokens < whole ? 'length' : tool ? 'tool' : plan.refuse ? 'refusal' : 'stop',
    prompt: plan.prompt ?? heard.prompt, cites: plan.cite && !tool && !plan.refuse && tokens > 0,
    key: `${plan.key}|${blocks.map((block) => `${block.name ?? block.kind}${block.pieces.length}`)}|${thought}|${choices}|${heard.schema}|${tokens}`,
  };
}

function blocksOf(plan, heard) {
  const text = (pieces) => ({ kind: 'text', pieces });
  if (plan.filter) return [];
  if ((plan.tool || plan.tools2 || (plan.json && heard.forced)) && !heard.answered) {
    const call = (city, nth) => ({ kind: 'tool', name: heard.tool ?? 'get_weather', nth, pieces: argumentsFor(city) });
    const calls = plan.tools2 ? [call('Paris', 0), call('Oslo', 1)] : [call('Paris', 0)];
    return plan.talk ? [text(chatter(plan, plan.chunks)), ...calls] : calls;
  }
  if (plan.refuse) return [{ kind: 'refusal', pieces: REFUSAL }];
  if (plan.json && heard.schema) return [text(argumentsFor('Paris'))];
  return [text(plan.demo ? DEMO : chatter(plan, plan.chunks))];
}

function chatter(plan, count) {
  const words = plan.utf8 ? WIDE_WORDS : WORDS;
  const width = plan.size ? Math.max(1, Math.round(plan.size / Math.max(1, plan.chunks))) : 0;
  const sized = (word) => (width === 0 ? word : word.slice(0, width).padEnd(width, 'x'));
  return remembered(`words|${count}|${width}|${plan.utf8}`, () => Array.from({ length: count }, (_, at) => sized(words[at % words.length])));
}

const thoughtsOf = (plan, count) => Array.from({ length: count }, (_, at) => `${['think', 'then', 'think', 'again'][at % 4]} `);

export const textOf = (block) => block.pieces.join('');
/** All that is said in words: the text and refusal blocks. */
export const wordsOf = (said) => said.blocks.filter((block) => block.kind !== 'tool').map(textOf).join('');

/** Every token with its block, in order, and whether it is the first or last of it. */
export function* tokensOf(said) {
  for (const [index, block] of said.blocks.entries()) {
    for (const [at, piece] of block.pieces.entries()) {
      yield { piece, block, index, first: at === 0, last: at === block.pieces.length - 1 };
    }
  }
}

/** The tokens that are billed, once all is said. Parts of the prompt overlap nowhere, and no part is above its whole. */
export function billOf(said, sent = said.tokens) {
  const { plan, prompt, choices } = said;
  const output = plan.told ?? sent * choices + said.thought;
  const cached = Math.min(plan.cached, prompt);
  const written = Math.min(plan.written, prompt - cached);
  return {
    input: prompt, output, cached, written, audioIn: Math.min(plan.audioIn, prompt - cached - written),
    thought: Math.min(said.thought, output), audioOut: Math.min(plan.audioOut, sent) * choices,
  };
}

// ---- counting a prompt ------------------------------------------------------------------------------------------------------

const OPAQUE = new Set(['data', 'bytes', 'url', 'uri', 'fileUri', 'image_url', 'file_data', 'signature', 'thoughtSignature', 'encrypted_content', 'id']);
const MEDIA_TOKENS = 1;

export const quarter = (text) => Math.ceil(Buffer.byteLength(text) / 4);

/** The tokens of all that `values` say: a quarter of the bytes of every text in them, and one for what is no text. */
export function count(...values) {
  let tokens = 3;
  const walk = (value, key) => {
    if (typeof value === 'string') tokens += OPAQUE.has(key) ? MEDIA_TOKENS : quarter(value);
    else if (Array.isArray(value)) for (const one of value) walk(one, key);
    else if (value !== null && typeof value === 'object') for (const [name, one] of Object.entries(value)) walk(one, name);
  };
  for (const value of values) walk(value, '');
  return tokens;
}
