// A multipart form as a request's body: its fields, and of its files the name, type, size and digest.

import { createHash } from 'node:crypto';

const BREAK = '\r\n\r\n';
/** The bytes of a file in a form. */
export const DATA = Symbol('data');

function* partsOf(raw, boundary) {
  const mark = Buffer.from(`--${boundary}`);
  for (let at = raw.indexOf(mark); at >= 0;) {
    const next = raw.indexOf(mark, at + mark.length);
    if (next < 0) return;
    const part = raw.subarray(at + mark.length + 2, next - 2);
    const split = part.indexOf(BREAK);
    yield { head: part.toString('utf8', 0, split), data: part.subarray(split + BREAK.length) };
    at = next;
  }
}

/** The form as an object; a name that comes more than once, or ends with `[]`, is a list. Throws if it is no form. */
export function readForm(raw, req) {
  const boundary = /^multipart\/form-data;.*?boundary="?([^";]+)"?/i.exec(req.headers['content-type'] ?? '')?.[1];
  if (!boundary) throw new Error('no multipart form');
  const form = {};
  for (const { head, data } of partsOf(raw, boundary)) {
    const [, name] = /[ ;]name="([^"]*)"/.exec(head) ?? [];
    const [, filename] = /filename="([^"]*)"/.exec(head) ?? [];
    const [, type = 'application/octet-stream'] = /content-type: ?([^\r\n]+)/i.exec(head) ?? [];
    const value = filename === undefined ? data.toString()
      : { filename, type, bytes: data.length, sha256: createHash('sha256').update(data).digest('hex') };
    if (filename !== undefined) Object.defineProperty(value, DATA, { value: data });
    const key = name.replace(/\[\]$/, '');
    if (form[key] !== undefined) form[key] = [form[key], value].flat();
    else form[key] = name.endsWith('[]') ? [value] : value;
  }
  return form;
}
