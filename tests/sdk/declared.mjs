// What the SDK's own declarations say a request may hold: every field, of every alternative of its type, and every kind of value.
//
//   const declared = readDeclarations('ChatCompletionCreateParamsBase');
//   declared.paths     Set of 'messages[]<user>.content:array', 'messages[]<user>.content[]<text>.text:string', 'n:null' …
//   declared.words     Map of a top-level field to the words that it may say: 'service_tier' -> ['auto', 'flex', …]
//   pathsOf(body)      the same paths, of a request that was made
//
// An object is marked by what its `type` or `role` says. What is open to anything (a JSON schema) is not looked into.

import { readFileSync } from 'node:fs';

const PACKAGE = new URL('../../node_modules/openai/resources/', import.meta.url);
const PRIMITIVES = ['string', 'number', 'boolean', 'null'];

/** The parts of `text` between `separator`s that stand in no bracket. */
function split(text, separator) {
  const parts = [''];
  let depth = 0;
  for (const letter of text) {
    if ('{(<['.includes(letter)) depth += 1;
    if ('})>]'.includes(letter)) depth -= 1;
    if (letter === separator && depth === 0) parts.push('');
    else parts[parts.length - 1] += letter;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

/** Where the bracket that opens at `open` closes. */
function closing(text, open) {
  let depth = 0;
  for (let at = open; ; at += 1) {
    if (text[at] === '{') depth += 1;
    if (text[at] === '}') depth -= 1;
    if (depth === 0) return at;
  }
}

/** Every interface and type of `text`, by its full name: { scope, text }. */
function index(text, scope, found) {
  const declaration = /(?:export )?(?:declare )?(interface|namespace|type) (\w+)([^{=;]*)([{=])/g;
  for (let match; (match = declaration.exec(text));) {
    const [, kind, name, , opens] = match;
    const start = declaration.lastIndex;
    const full = scope ? `${scope}.${name}` : name;
    if (opens === '=') {
      const [said] = split(text.slice(start), ';');
      found.set(full, { scope, text: said });
      declaration.lastIndex = start + said.length;
    } else {
      const end = closing(text, start - 1);
      const body = text.slice(start, end);
      if (kind === 'namespace') index(body, full, found);
      else found.set(full, { scope, text: `{${body}}` });
      declaration.lastIndex = end;
    }
  }
  return found;
}

function source(file) {
  return readFileSync(new URL(file, PACKAGE), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '').replace(/^export (declare class|\{)[\s\S]*?^\}/gm, '');
}

/** Looks `name` up from within `scope`, outwards. */
function resolve(types, name, scope) {
  for (let inside = scope; ; inside = inside.split('.').slice(0, -1).join('.')) {
    const full = inside ? `${inside}.${name}` : name;
    if (types.has(full)) return { ...types.get(full), full };
    if (!inside) throw new Error(`the declarations do not say what ${name} is`);
  }
}

function fieldsOf(text) {
  return split(text.slice(1, -1), ';').map((member) => /^(\w+)\??:\s*([\s\S]*)$/.exec(member)).filter(Boolean).map(([, name, type]) => [name, type]);
}

/** Adds the paths of `type` below `path`. */
function walk(types, type, scope, path, paths) {
  for (const one of split(type, '|')) {
    if (one.startsWith("'")) paths.add(`${path}:string`);
    else if (PRIMITIVES.includes(one)) paths.add(`${path}:${one}`);
    else if (['true', 'false'].includes(one)) paths.add(`${path}:boolean`);
    else if (one === 'unknown') continue;
    else if (one.startsWith('(')) walk(types, one.slice(1, -1).replace(/ & \{\}$/, ''), scope, path, paths);
    else if (one.startsWith('Array<')) {
      paths.add(`${path}:array`);
      walk(types, one.slice('Array<'.length, -1), scope, `${path}[]`, paths);
    } else if (one.startsWith('{')) {
      const fields = fieldsOf(one);
      const mark = fields.find(([name, said]) => ['type', 'role'].includes(name) && /^'\w+'$/.test(said))?.[1].slice(1, -1);
      paths.add(`${path}:object`);
      for (const [name, said] of fields) walk(types, said, scope, `${path}${mark ? `<${mark}>` : ''}${path ? '.' : ''}${name}`, paths);
    } else {
      const { text, scope: within, full } = resolve(types, one, scope);
      walk(types, text, text.startsWith('{') ? full : within, path, paths);
    }
  }
}

/** The words that `type` may say. */
function wordsOf(types, type, scope) {
  return split(type, '|').flatMap((one) => {
    if (one.startsWith("'")) return [one.slice(1, -1)];
    if (/^[A-Z][\w.]*$/.test(one)) {
      const { text, scope: within } = resolve(types, one, scope);
      return text.startsWith('{') ? [] : wordsOf(types, text, within);
    }
    return [];
  });
}

export function readDeclarations(name) {
  const types = index(source('chat/completions/completions.d.ts'), '', index(source('shared.d.ts'), 'Shared', new Map()));
  const root = resolve(types, name, '');
  const paths = new Set();
  walk(types, name, '', '', paths);
  paths.delete(':object');
  const words = new Map(fieldsOf(root.text).map(([field, type]) => [field, wordsOf(types, type, '')]).filter(([, said]) => said.length > 0));
  return { paths, words, fields: fieldsOf(root.text).map(([field]) => field) };
}

export function pathsOf(value, path = '', paths = new Set()) {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  if (path) paths.add(`${path}:${kind}`);
  if (kind === 'array') for (const element of value) pathsOf(element, `${path}[]`, paths);
  if (kind === 'object') {
    const mark = [value.type, value.role].find((said) => typeof said === 'string');
    for (const [name, member] of Object.entries(value)) pathsOf(member, `${path}${mark ? `<${mark}>` : ''}${path ? '.' : ''}${name}`, paths);
  }
  return paths;
}
