// What Bedrock's Converse refuses: fields it has not, turns out of order, tool uses and results that do not belong together.

import { first, isObject, unknownField, wrong } from './fields.mjs';

const BODY = new Set(['messages', 'system', 'inferenceConfig', 'toolConfig', 'guardrailConfig', 'additionalModelRequestFields', 'promptVariables',
  'additionalModelResponseFieldPaths', 'requestMetadata', 'performanceConfig', 'serviceTier', 'outputConfig']);
const INFERENCE = new Set(['maxTokens', 'temperature', 'topP', 'stopSequences']);
const BLOCKS = new Set(['text', 'image', 'document', 'video', 'audio', 'toolUse', 'toolResult', 'guardContent', 'cachePoint', 'reasoningContent', 'citationsContent', 'searchResult']);
const FORMATS = new Set(['png', 'jpeg', 'gif', 'webp']);
const CHOICES = new Set(['auto', 'any', 'tool']);

export function check(body) {
  const extra = unknownField(body, BODY);
  if (extra) return wrong(`#: extraneous key [${extra}] is not permitted, please reformat your input and try again.`);
  const { inferenceConfig, toolConfig, outputConfig } = body;
  const odd = isObject(inferenceConfig) ? unknownField(inferenceConfig, INFERENCE) : undefined;
  if (odd) return wrong(`#/inferenceConfig: extraneous key [${odd}] is not permitted, please reformat your input and try again.`);
  if (inferenceConfig?.maxTokens !== undefined && !(inferenceConfig.maxTokens >= 1)) {
    return wrong('Value at \'inferenceConfig.maxTokens\' failed to satisfy constraint: Member must have value greater than or equal to 1');
  }
  if (inferenceConfig?.temperature !== undefined && !(inferenceConfig.temperature >= 0 && inferenceConfig.temperature <= 1)) {
    return wrong('Value at \'inferenceConfig.temperature\' failed to satisfy constraint: Member must have value less than or equal to 1');
  }
  if (outputConfig?.textFormat && typeof outputConfig.textFormat.structure?.jsonSchema?.schema !== 'string') {
    return wrong('Value at \'outputConfig.textFormat.structure.jsonSchema.schema\' failed to satisfy constraint: Member must not be null');
  }
  return checkTools(toolConfig) ?? checkMessages(body.messages, toolConfig);
}

function checkTools(config) {
  if (config === undefined) return null;
  if (!Array.isArray(config.tools) || config.tools.length === 0) {
    return wrong('Value at \'toolConfig.tools\' failed to satisfy constraint: Member must have length greater than or equal to 1');
  }
  const choice = Object.keys(config.toolChoice ?? {});
  if (config.toolChoice && (choice.length !== 1 || !CHOICES.has(choice[0]))) return wrong('Value at \'toolConfig.toolChoice\' failed to satisfy constraint');
  return first(config.tools, ({ toolSpec }, at) => {
    if (toolSpec === undefined) return null;
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(toolSpec.name ?? '')) {
      return wrong(`Value '${toolSpec.name}' at 'toolConfig.tools.${at + 1}.member.toolSpec.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+`);
    }
    return isObject(toolSpec.inputSchema?.json) ? null
      : wrong(`The value at toolConfig.tools.${at}.toolSpec.inputSchema.json is invalid. Provide a valid JSON object.`);
  });
}

const idsOf = (message, kind) => (message?.content ?? []).filter((block) => block[kind]).map((block) => block[kind].toolUseId);

function checkMessages(messages, toolConfig) {
  if (!Array.isArray(messages) || messages.length === 0) {
    return wrong('A conversation must start with a user message. Try again with a conversation that starts with a user message.');
  }
  return first(messages, ({ role, content }, at) => {
    if (role !== (at % 2 === 0 ? 'user' : 'assistant')) {
      return wrong(at === 0 ? 'A conversation must start with a user message. Try again with a conversation that starts with a user message.'
        : 'A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.');
    }
    if (!Array.isArray(content) || content.length === 0) {
      return wrong(`The content field in the Message object at messages.${at} is empty. Add a ContentBlock object to the content field and try again.`);
    }
    const found = first(content, (block, nth) => checkBlock(block, `messages.${at}.content.${nth}`, toolConfig));
    if (found) return found;
    const called = idsOf(messages[at - 1], 'toolUse');
    const results = idsOf({ content }, 'toolResult');
    if (results.length > called.length || results.some((id) => !called.includes(id))) {
      return wrong(`The number of toolResult blocks at messages.${at}.content exceeds the number of toolUse blocks of previous turn.`);
    }
    return results.length < called.length
      ? wrong(`Expected toolResult blocks at messages.${at}.content for the following Ids: ${called.filter((id) => !results.includes(id)).join(', ')}`) : null;
  });
}

function checkBlock(block, path, toolConfig) {
  const kinds = Object.keys(block);
  if (kinds.length !== 1 || !BLOCKS.has(kinds[0])) {
    return wrong(`ContentBlock object at ${path} must set one of the following keys: ${[...BLOCKS].join(', ')}.`);
  }
  const [kind] = kinds;
  const value = block[kind];
  if (kind === 'text' && !/\S/.test(value)) {
    return wrong(`The text field in the ContentBlock object at ${path} is blank. Add text to the text field, and try again.`);
  }
  if ((kind === 'toolUse' || kind === 'toolResult') && !toolConfig) {
    return wrong('The toolConfig field must be defined when using toolUse and toolResult content blocks.');
  }
  if (kind === 'toolUse' && !isObject(value.input)) {
    return wrong(`The format of the value at ${path}.toolUse.input is invalid. Provide a json object for the field and try again.`);
  }
  if (kind === 'toolResult' && !Array.isArray(value.content)) return wrong(`The content field in the ToolResult object at ${path} is empty.`);
  if (kind === 'image' && !(FORMATS.has(value.format) && (typeof value.source?.bytes === 'string' || value.source?.s3Location))) {
    return wrong(`The image at ${path} is not valid.`);
  }
  return null;
}
