// One call of a soak, and how its client reads the answer: to its end, slowly, or not at all from some point on; and when it leaves.

import { request } from 'node:http';

const UNANSWERED_MS = 280_000; // a stream that falls silent is cut after 120 to 240 s
const STOPPED_MS = 3_000; // how long a client that stopped reading stays
const KEPT_BYTES = 16_384;
const PIECE = '"delta":{"content":"';

/**
 * Sends a call and reads its answer in a manner: `leaves` after so many pieces, `anything` counting as one; `torn` after so many ms;
 * `pace` in ms between reads; `stops` after so many bytes.
 *
 * Gives { call, original, status, code, pieces, left, broke, text }: the call's name and that of the call whose answer it was given, the pieces
 * of content that came, whether it left, why it broke off, and the beginning of what came.
 */
export function send(agent, url, { method = 'POST', path, headers, body }, manner = {}) {
  const seen = { call: null, original: null, status: 0, code: null, pieces: 0, left: false, broke: null, text: '' };
  return new Promise((resolve) => {
    const length = body === undefined ? {} : { 'content-length': body.length };
    const sent = request(url + path, { method, agent, headers: { ...headers, ...length } }, (response) => {
      seen.status = response.statusCode;
      seen.call = response.headers['x-request-id'] ?? null;
      seen.original = response.headers['x-tollgate-original-request-id'] ?? null;
      read(response, seen, manner, leave);
      response.on('error', () => {}); // its close is what counts
      response.on('close', () => {
        clearTimeout(timer);
        if (!response.complete && !seen.left) seen.broke = 'broke off';
        seen.code = /"code": ?"(\w+)"/.exec(seen.text)?.[1] ?? null;
        resolve(seen);
      });
    });
    const leave = () => {
      seen.left = true;
      sent.destroy();
    };
    const timer = manner.torn === undefined ? undefined : setTimeout(leave, manner.torn);
    sent.setTimeout(UNANSWERED_MS, () => sent.destroy(new Error('unanswered')));
    sent.on('error', (error) => {
      clearTimeout(timer);
      if (!seen.left) seen.broke = error.code ?? error.message;
      resolve(seen);
    });
    sent.end(body);
  });
}

function read(response, seen, { leaves = Infinity, anything = false, pace = 0, stops = Infinity }, leave) {
  let bytes = 0;
  response.on('data', (part) => {
    const text = part.toString('latin1');
    bytes += part.length;
    seen.pieces += text.split(PIECE).length - 1;
    if (seen.text.length < KEPT_BYTES) seen.text += text.slice(0, KEPT_BYTES);
    if (seen.pieces >= leaves || anything) return leave();
    if (bytes >= stops) {
      response.pause();
      return setTimeout(leave, STOPPED_MS);
    }
    if (pace > 0) {
      response.pause();
      setTimeout(() => response.resume(), pace);
    }
    return undefined;
  });
}
