// Bytes: HTTP chunks, server-sent events, and templates of streams that are made once.

const TEMPLATES_KEPT = 256;
const templates = new Map();

/** What `make` made for this key before, else makes it. */
export function remembered(key, make) {
  let made = templates.get(key);
  if (made === undefined) {
    made = make();
    if (templates.size >= TEMPLATES_KEPT) templates.clear();
    templates.set(key, made);
  }
  return made;
}

/** One event as one HTTP/1.1 chunk; nothing stays nothing. */
export function framed(bytes) {
  const data = Buffer.from(bytes);
  if (data.length === 0) return data;
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]);
}

/** The event bytes inside one framed write, which may hold several frames: used to cut a stream at any byte. */
export function unframed(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length;) {
    const line = bytes.indexOf('\r\n', at);
    const length = parseInt(bytes.toString('latin1', at, line), 16);
    parts.push(bytes.subarray(line + 2, line + 2 + length));
    at = line + 2 + length + 2;
  }
  return Buffer.concat(parts);
}

export const sse = (data) => `data: ${JSON.stringify(data)}\n\n`;
export const named = (event, data) => `event: ${event}\n${sse(data)}`;

export const digits = (value, width) => String(value).padStart(width, '0');
