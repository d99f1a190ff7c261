// OpenAI's files and batches, kept in memory: what was uploaded comes back as it was, and a batch answers each line of its file.

import { invalid } from './dialects/openai.mjs';
import { DATA, readForm } from './multipart.mjs';
import { sendData, sendError, sendJson } from './send.mjs';
import { digits } from './wire.mjs';

const DAY_S = 86_400;
const ENDPOINTS = new Set(['/v1/responses', '/v1/chat/completions', '/v1/embeddings', '/v1/completions', '/v1/moderations']);
const now = () => Math.floor(Date.now() / 1000);

/** The files and batches of one provider. */
export class Store {
  #files = new Map();
  #batches = new Map();
  #made = 0;

  add(filename, data, purpose) {
    this.#made += 1;
    const file = { id: `file-${digits(this.#made, 22)}`, object: 'file', bytes: data.length, created_at: now(), filename, purpose, status: 'processed' };
    this.#files.set(file.id, { file, data });
    return file;
  }

  file(id) {
    return this.#files.get(id);
  }

  drop(id) {
    return this.#files.delete(id);
  }

  files() {
    return [...this.#files.values()].map(({ file }) => file).reverse();
  }

  begin(batch) {
    this.#made += 1;
    const made = { id: `batch_${digits(this.#made, 24)}`, ...batch };
    this.#batches.set(made.id, { batch: made, seen: 0 });
    return made;
  }

  batch(id) {
    return this.#batches.get(id);
  }

  batches() {
    return [...this.#batches.values()].map(({ batch }) => batch).reverse();
  }

  reset() {
    this.#files.clear();
    this.#batches.clear();
  }
}

const json = (asked, value) => sendJson(asked, 200, JSON.stringify(value));
const missing = (asked, what, id) => sendError(asked, 404, invalid(`No such ${what}: ${id}`, 'id'));

function listOf(asked, all) {
  const wanted = new URL(asked.req.url, 'http://127.0.0.1').searchParams;
  const after = wanted.get('after');
  const limit = Number(wanted.get('limit') ?? 10_000);
  const rest = (after ? all.slice(all.findIndex((one) => one.id === after) + 1) : all).filter((one) => !wanted.has('purpose') || one.purpose === wanted.get('purpose'));
  const data = rest.slice(0, limit);
  return json(asked, { object: 'list', data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: rest.length > limit });
}

// ---- files ------------------------------------------------------------------------------------------------------------------

export function upload(asked) {
  let form = null;
  try {
    form = readForm(asked.raw, asked.req);
  } catch {
    // told below
  }
  asked.journal.body(asked.call, form, asked.raw);
  if (!form?.file?.filename) return sendError(asked, 400, invalid('Missing required parameter: \'file\'.', 'file'));
  if (!form.purpose) return sendError(asked, 400, invalid('Missing required parameter: \'purpose\'.', 'purpose'));
  return json(asked, asked.store.add(form.file.filename, form.file[DATA], form.purpose));
}

export const listFiles = (asked) => listOf(asked, asked.store.files());

const ofFile = (serve) => (id) => (asked) => {
  const found = asked.store.file(id);
  return found ? serve(asked, found) : missing(asked, 'File object', id);
};
export const getFile = ofFile((asked, { file }) => json(asked, file));
export const getContent = ofFile((asked, { data }) => sendData(asked, 'application/octet-stream', data));
export const deleteFile = ofFile((asked, { file }) => json(asked, { id: file.id, object: 'file', deleted: asked.store.drop(file.id) }));

// ---- batches ----------------------------------------------------------------------------------------------------------------

export function createBatch(asked) {
  let body = null;
  try {
    body = JSON.parse(asked.raw.toString());
  } catch {
    // told below
  }
  asked.journal.body(asked.call, body, asked.raw);
  if (!ENDPOINTS.has(body?.endpoint)) return sendError(asked, 400, invalid(`Invalid value: '${body?.endpoint}'.`, 'endpoint'));
  if (body.completion_window !== '24h') return sendError(asked, 400, invalid(`Invalid value: '${body.completion_window}'.`, 'completion_window'));
  if (!asked.store.file(body.input_file_id)) return sendError(asked, 400, invalid(`No such File object: ${body.input_file_id}`, 'input_file_id'));
  const at = now();
  return json(asked, asked.store.begin({
    object: 'batch', endpoint: body.endpoint, errors: null, input_file_id: body.input_file_id, completion_window: '24h', status: 'validating',
    output_file_id: null, error_file_id: null, created_at: at, in_progress_at: null, expires_at: at + DAY_S, finalizing_at: null, completed_at: null,
    failed_at: null, expired_at: null, cancelling_at: null, cancelled_at: null, request_counts: { total: 0, completed: 0, failed: 0 },
    metadata: body.metadata ?? null,
  }));
}

export const listBatches = (asked) => listOf(asked, asked.store.batches());

/** A batch is in progress when it is looked at first, and completed when it is looked at again. */
export const getBatch = (id, answerLine) => (asked) => {
  const found = asked.store.batch(id);
  if (!found) return missing(asked, 'Batch object', id);
  found.seen += 1;
  const { batch } = found;
  if (batch.status === 'validating') Object.assign(batch, { status: 'in_progress', in_progress_at: now() });
  else if (batch.status === 'in_progress') complete(asked, batch, answerLine);
  else if (batch.status === 'cancelling') Object.assign(batch, { status: 'cancelled', cancelled_at: now() });
  return json(asked, batch);
};

export const cancelBatch = (id) => (asked) => {
  const found = asked.store.batch(id);
  if (!found) return missing(asked, 'Batch object', id);
  if (found.batch.status === 'completed') return sendError(asked, 409, invalid(`Batch '${id}' is already completed.`));
  return json(asked, Object.assign(found.batch, { status: 'cancelling', cancelling_at: now() }));
};

/** Answers every line of the file: what came well in one file, what failed in another, and the usage of all. */
function complete({ store, call }, batch, answerLine) {
  const lines = store.file(batch.input_file_id).data.toString().split('\n').filter((line) => line.trim() !== '').map((line) => JSON.parse(line));
  const told = lines.map((line, nth) => {
    const { status, body, usage } = answerLine(line, call.seq * 1_000 + nth);
    const response = { status_code: status, request_id: `req_${call.seq}_${nth}`, body };
    return { usage, failed: status !== 200, text: JSON.stringify({ id: `batch_req_${digits(nth, 8)}`, custom_id: line.custom_id, response, error: null }) };
  });
  const fileOf = (failed, name) => {
    const rows = told.filter((one) => one.failed === failed).map((one) => `${one.text}\n`);
    return rows.length > 0 ? store.add(`${batch.id}_${name}.jsonl`, Buffer.from(rows.join('')), 'batch_output').id : null;
  };
  const sum = (...names) => told.reduce((total, { usage }) => total + (names.map((name) => usage?.[name]).find((value) => value !== undefined) ?? 0), 0);
  const [input, output] = [sum('input_tokens', 'prompt_tokens'), sum('output_tokens', 'completion_tokens')];
  const at = now();
  Object.assign(batch, {
    status: 'completed', finalizing_at: at, completed_at: at, output_file_id: fileOf(false, 'output'), error_file_id: fileOf(true, 'error'),
    request_counts: { total: told.length, completed: told.filter((one) => !one.failed).length, failed: told.filter((one) => one.failed).length },
    usage: {
      input_tokens: input, input_tokens_details: { cached_tokens: 0 }, output_tokens: output, output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: input + output,
    },
  });
}
