// What OpenAI's Responses refuses: unknown parameters, items that are not whole, results without their calls.

import { first, isObject, unknownField, wrong } from './fields.mjs';

const FIELDS = new Set(['access_programs', 'background', 'context_management', 'conversation', 'image', 'include', 'input', 'instructions', 'max_output_tokens', 'max_tool_calls',
  'metadata', 'model', 'moderation', 'parallel_tool_calls', 'personality', 'previous_response_id', 'prompt', 'prompt_cache_key', 'prompt_cache_options',
  'prompt_cache_retention', 'reasoning', 'safety_identifier', 'service_tier', 'store', 'stream', 'stream_options', 'temperature', 'text', 'tool_choice', 'tools',
  'top_logprobs', 'top_p', 'truncation', 'user']);
const EFFORTS = new Set(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']);
const INPUT_MIN = 16;
const PARTS = {
  user: new Set(['input_text', 'input_image', 'input_file', 'input_audio']), assistant: new Set(['output_text', 'refusal']),
};
const NEEDS = {
  function_call: ['call_id', 'name', 'arguments'], function_call_output: ['call_id', 'output'], reasoning: ['id', 'summary'], item_reference: ['id'],
};

export function check(body) {
  const extra = unknownField(body, FIELDS);
  if (extra) return wrong(`Unknown parameter: '${extra}'.`, extra);
  return checkSettings(body) ?? checkTools(body) ?? checkInput(body);
}

function checkSettings({ reasoning, text, max_output_tokens, temperature, stream_options, stream, metadata }) {
  if (reasoning?.effort != null && !EFFORTS.has(reasoning.effort)) return wrong(`Invalid value: '${reasoning.effort}'.`, 'reasoning.effort');
  if (max_output_tokens != null && !(Number.isInteger(max_output_tokens) && max_output_tokens > 0)) {
    return wrong(`Invalid 'max_output_tokens': integer below minimum value. Expected a value >= ${INPUT_MIN}.`, 'max_output_tokens');
  }
  if (temperature != null && !(temperature >= 0 && temperature <= 2)) return wrong('Invalid \'temperature\': decimal above maximum value.', 'temperature');
  if (stream_options && stream !== true) return wrong('The \'stream_options\' parameter is only allowed when \'stream\' is enabled.', 'stream_options');
  if (stream_options && unknownField(stream_options, new Set(['include_obfuscation']))) {
    return wrong(`Unknown parameter: 'stream_options.${unknownField(stream_options, new Set(['include_obfuscation']))}'.`, 'stream_options');
  }
  if (metadata && Object.values(metadata).some((value) => typeof value !== 'string')) {
    return wrong('Invalid type for \'metadata\': expected strings.', 'metadata');
  }
  const format = text?.format;
  if (format && !['text', 'json_object', 'json_schema'].includes(format.type)) return wrong(`Invalid value: '${format.type}'.`, 'text.format.type');
  if (format?.type === 'json_schema' && (typeof format.name !== 'string' || !isObject(format.schema))) {
    return wrong('Missing required parameter: \'text.format.name\'.', 'text.format.name');
  }
  return null;
}

function checkTools({ tools, tool_choice }) {
  if (isObject(tool_choice) && tool_choice.type === 'function' && typeof tool_choice.name !== 'string') {
    return wrong('Missing required parameter: \'tool_choice.name\'.', 'tool_choice.name');
  }
  return first(tools ?? [], (tool, at) => {
    if (typeof tool.type !== 'string') return wrong(`Missing required parameter: 'tools[${at}].type'.`, `tools[${at}].type`);
    if (tool.type === 'function' && typeof tool.name !== 'string') return wrong(`Missing required parameter: 'tools[${at}].name'.`, `tools[${at}].name`);
    return tool.type === 'function' && tool.parameters !== undefined && tool.parameters !== null && !isObject(tool.parameters)
      ? wrong(`Invalid type for 'tools[${at}].parameters': expected an object.`, `tools[${at}].parameters`) : null;
  });
}

function checkInput({ input, previous_response_id, conversation }) {
  if (typeof input === 'string') return null;
  if (!Array.isArray(input)) return wrong('Invalid type for \'input\': expected one of a string or array of objects.', 'input');
  const called = new Set();
  const answered = new Set();
  const found = first(input, (item, at) => {
    const path = `input[${at}]`;
    if ((item.type ?? 'message') === 'message') return checkMessage(item, path);
    const missing = (NEEDS[item.type] ?? []).find((name) => item[name] === undefined);
    if (missing) return wrong(`Missing required parameter: '${path}.${missing}'.`, `${path}.${missing}`);
    if (item.type === 'function_call') called.add(item.call_id);
    if (item.type === 'function_call' && typeof item.arguments !== 'string') {
      return wrong(`Invalid type for '${path}.arguments': expected a string.`, `${path}.arguments`);
    }
    if (item.type !== 'function_call_output') return null;
    answered.add(item.call_id);
    return called.has(item.call_id) || previous_response_id || conversation ? null
      : wrong(`No tool call found for function call output with call_id ${item.call_id}.`, 'input');
  });
  const open = [...called].find((id) => !answered.has(id));
  return found ?? (open ? wrong(`No tool output found for function call ${open}.`, 'input') : null);
}

function checkMessage({ role, content }, path) {
  if (!['user', 'assistant', 'system', 'developer'].includes(role)) return wrong(`Invalid value: '${role}'.`, `${path}.role`);
  if (typeof content === 'string') return null;
  if (!Array.isArray(content)) return wrong(`Invalid type for '${path}.content': expected one of an array of objects or string.`, `${path}.content`);
  const allowed = PARTS[role] ?? PARTS.user;
  return first(content, (part, nth) => {
    const place = `${path}.content[${nth}]`;
    if (!allowed.has(part.type)) {
      return wrong(`Invalid value: '${part.type}'. Supported values are: ${[...allowed].map((name) => `'${name}'`).join(' and ')}.`, place);
    }
    if (part.type === 'input_image' && typeof part.image_url !== 'string' && typeof part.file_id !== 'string') {
      return wrong(`Invalid type for '${place}.image_url': expected a string.`, `${place}.image_url`);
    }
    return part.type.endsWith('_text') && typeof part.text !== 'string' ? wrong(`Missing required parameter: '${place}.text'.`, `${place}.text`) : null;
  });
}
