// What Anthropic refuses of a message: unknown fields, blocks that say nothing, tool calls and results that do not belong together.

import { first, isObject, unknownField, wrong } from './fields.mjs';

const FIELDS = new Set(['model', 'messages', 'max_tokens', 'cache_control', 'container', 'diagnostics', 'inference_geo', 'metadata', 'output_config', 'service_tier',
  'speed', 'stop_sequences', 'stream', 'system', 'thinking', 'tool_choice', 'tools', 'user_profile_id', 'workspace_id', 'temperature', 'top_k', 'top_p']);
const BETA = new Set(['output_format', 'context_management', 'mcp_servers']);
const NEVER_COUNTED = ['max_tokens', 'stream', 'temperature', 'top_k', 'top_p', 'metadata', 'stop_sequences', 'service_tier'];
/** The kinds of block that may stand in a request, and what each must have. */
const BLOCKS = {
  text: ['text'], image: ['source'], document: ['source'], search_result: ['source', 'title', 'content'], thinking: ['thinking', 'signature'],
  redacted_thinking: ['data'], tool_use: ['id', 'name', 'input'], tool_result: ['tool_use_id'], server_tool_use: ['id', 'name', 'input'],
  web_search_tool_result: ['tool_use_id', 'content'],
};
const ASSISTANTS = new Set(['text', 'thinking', 'redacted_thinking', 'tool_use', 'server_tool_use', 'web_search_tool_result']);
const USERS = new Set(['text', 'image', 'document', 'search_result', 'tool_result']);
const EFFORTS = new Set(['low', 'medium', 'high', 'xhigh', 'max']);
const CACHE_POINTS_MAX = 4;

/** Who asks: a key, by either header, and a version of the API. */
export function admit({ req }) {
  const { headers } = req;
  if (!headers['x-api-key'] && !headers.authorization) return wrong('x-api-key header is required', null, 401);
  return headers['anthropic-version'] ? null : wrong('anthropic-version: header is required');
}

export const check = (body, route, req) => checkAny(body, req) ?? checkCap(body);
export function checkCount(body, route, req) {
  const extra = NEVER_COUNTED.find((name) => body[name] !== undefined);
  return extra ? wrong(`${extra}: Extra inputs are not permitted`) : checkAny(body, req);
}

function checkCap({ max_tokens, thinking }) {
  if (max_tokens === undefined) return wrong('max_tokens: Field required');
  if (!Number.isInteger(max_tokens) || max_tokens < 1) return wrong('max_tokens: Input should be greater than or equal to 1');
  if (thinking?.type === 'enabled' && thinking.budget_tokens >= max_tokens) return wrong('`max_tokens` must be greater than `thinking.budget_tokens`.');
  return null;
}

function checkAny(body, req) {
  const extra = Object.keys(body).find((name) => !FIELDS.has(name) && !(BETA.has(name) && req.headers['anthropic-beta']));
  if (extra) return wrong(`${extra}: Extra inputs are not permitted`);
  return checkSettings(body) ?? checkTools(body) ?? checkMessages(body);
}

function checkSettings({ thinking, metadata, temperature, top_p, output_config, system }) {
  if (thinking && !['enabled', 'adaptive', 'disabled', 'between_tools'].includes(thinking.type)) return wrong('thinking.type: Input tag is not valid');
  if (thinking?.type === 'enabled' && !(thinking.budget_tokens >= 1024)) {
    return wrong('thinking.enabled.budget_tokens: Input should be greater than or equal to 1024');
  }
  if (thinking?.type === 'enabled' && temperature !== undefined && temperature !== 1) {
    return wrong('`temperature` may only be set to 1 when thinking is enabled.');
  }
  if (temperature !== undefined && !(temperature >= 0 && temperature <= 1)) return wrong('temperature: range: 0..1');
  if (top_p !== undefined && top_p !== null && !(top_p >= 0 && top_p <= 1)) return wrong('top_p: range: 0..1');
  if (metadata && unknownField(metadata, new Set(['user_id']))) {
    return wrong(`metadata.${unknownField(metadata, new Set(['user_id']))}: Extra inputs are not permitted`);
  }
  if (output_config?.effort && !EFFORTS.has(output_config.effort)) {
    return wrong('output_config.effort: Input should be \'low\', \'medium\', \'high\', \'xhigh\' or \'max\'');
  }
  if (output_config?.format && (output_config.format.type !== 'json_schema' || !isObject(output_config.format.schema))) {
    return wrong('output_config.format.schema: Field required');
  }
  if (Array.isArray(system)) return first(system, (block, at) => (block?.type === 'text' ? checkText(block, `system.${at}`) : wrong(`system.${at}.type: Input should be 'text'`)));
  return null;
}

function checkTools({ tools, tool_choice }) {
  if (tool_choice && !['auto', 'any', 'tool', 'none'].includes(tool_choice.type)) return wrong('tool_choice.type: Input tag is not valid');
  if (tool_choice && !tools?.length && tool_choice.type !== 'none') return wrong('tool_choice may only be specified while providing tools.');
  return first(tools ?? [], (tool, at) => {
    if (tool.type && tool.type !== 'custom') return null; // a tool of Anthropic's own
    if (!/^[a-zA-Z0-9_-]{1,128}$/.test(tool.name ?? '')) return wrong(`tools.${at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`);
    return tool.input_schema?.type === 'object' ? null : wrong(`tools.${at}.custom.input_schema.type: Field required`);
  });
}

const checkText = (block, path) => (typeof block.text === 'string' && block.text !== '' ? null : wrong(`${path}: text content blocks must be non-empty`));

function checkMessages({ messages, tools }) {
  if (!Array.isArray(messages) || messages.length === 0) return wrong('messages: at least one message is required');
  let points = 0;
  const found = first(messages, (message, at) => {
    const { role, content } = message;
    if (!['user', 'assistant', 'system'].includes(role)) return wrong(`messages.${at}.role: Input should be 'user', 'assistant' or 'system'`);
    if (typeof content === 'string') {
      return content === '' && at < messages.length - 1 ? wrong(`messages.${at}: all messages must have non-empty content`) : checkResults(messages, at);
    }
    if (!Array.isArray(content)) return wrong(`messages.${at}.content: Input should be a valid list`);
    if (content.length === 0) return wrong(`messages.${at}: all messages must have non-empty content`);
    points += content.filter((block) => block.cache_control).length;
    return first(content, (block, nth) => checkBlock(block, role, `messages.${at}.content.${nth}`)) ?? checkResults(messages, at);
  });
  if (found) return found;
  if (points > CACHE_POINTS_MAX) return wrong(`A maximum of ${CACHE_POINTS_MAX} blocks with cache_control may be provided. Found ${points}.`);
  const last = messages.at(-1);
  if (last.role === 'assistant' && typeof last.content === 'string' && /\s$/.test(last.content)) {
    return wrong('messages: final assistant content cannot end with trailing whitespace');
  }
  const calls = messages.some((message) => Array.isArray(message.content) && message.content.some((block) => block.type === 'tool_use'));
  return calls && !tools ? wrong('Requests which include `tool_use` or `tool_result` blocks must define tools.') : null;
}

function checkBlock(block, role, path) {
  const needs = BLOCKS[block?.type];
  const allowed = role === 'assistant' ? ASSISTANTS : USERS;
  if (!needs || !allowed.has(block.type)) return wrong(`${path}: Input tag '${block?.type}' found using 'type' does not match any of the expected tags`);
  const missing = needs.find((name) => block[name] === undefined);
  if (missing) return wrong(`${path}.${block.type}.${missing}: Field required`);
  if (block.type === 'text') return checkText(block, path);
  if (block.type === 'tool_use' && !isObject(block.input)) return wrong(`${path}.tool_use.input: Input should be a valid dictionary`);
  if (block.type === 'image') return checkSource(block.source, `${path}.image.source`);
  return null;
}

function checkSource(source, path) {
  if (source.type === 'url') return typeof source.url === 'string' ? null : wrong(`${path}.url: Field required`);
  if (source.type === 'file') return null;
  if (source.type !== 'base64') return wrong(`${path}: Input tag '${source.type}' does not match any of the expected tags`);
  if (!/^image\/(png|jpeg|gif|webp)$/.test(source.media_type)) {
    return wrong(`${path}.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'`);
  }
  return /^[A-Za-z0-9+/]+=*$/.test(source.data) ? null : wrong(`${path}.base64.data: The image was not valid base64`);
}

const idsOf = (message, type, name) => (Array.isArray(message?.content) ? message.content.filter((block) => block.type === type).map((block) => block[name]) : []);

/** Results stand in the message after their calls, all of them, before anything else in it. */
function checkResults(messages, at) {
  const message = messages[at];
  const called = idsOf(messages[at - 1], 'tool_use', 'id');
  const results = idsOf(message, 'tool_result', 'tool_use_id');
  const stray = results.find((id) => !called.includes(id));
  if (stray) return wrong(`messages.${at}.content: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${stray}.`);
  if (at > 0) {
    const open = called.filter((id) => !results.includes(id));
    if (open.length > 0) return wrong(`messages.${at}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${open.join(', ')}.`);
  }
  if (message.role === 'user' && results.length > 0 && message.content.slice(0, results.length).some((block) => block.type !== 'tool_result')) {
    return wrong(`messages.${at}.content: tool_result blocks must come first in the message`);
  }
  const mine = idsOf(message, 'tool_use', 'id');
  if (new Set(mine).size < mine.length) return wrong('messages: `tool_use` ids must be unique');
  return null;
}
