// What Gemini refuses: names its protocol buffers do not have, parts that hold nothing or two things, results without their calls.

import { first, isObject, wrong } from './fields.mjs';

const BODY = new Set(['contents', 'systemInstruction', 'tools', 'toolConfig', 'safetySettings', 'generationConfig', 'cachedContent', 'labels', 'model', 'store', 'serviceTier']);
const CONFIG = new Set(['stopSequences', 'responseMimeType', 'responseSchema', 'responseJsonSchema', 'responseModalities', 'candidateCount', 'maxOutputTokens',
  'temperature', 'topP', 'topK', 'seed', 'presencePenalty', 'frequencyPenalty', 'responseLogprobs', 'logprobs', 'enableEnhancedCivicAnswers', 'speechConfig',
  'thinkingConfig', 'imageConfig', 'mediaResolution', 'audioTimestamp', 'routingConfig', 'modelSelectionConfig', 'responseFormat', 'audioTranscriptionConfig']);
const THINKING = new Set(['includeThoughts', 'thinkingBudget', 'thinkingLevel']);
const LEVELS = new Set(['MINIMAL', 'LOW', 'MEDIUM', 'HIGH', 'THINKING_LEVEL_UNSPECIFIED']);
const CHOICE = new Set(['mode', 'allowedFunctionNames', 'streamFunctionCallArguments']);
const CONTENT = new Set(['parts', 'role']);
/** What a part holds: one of these. */
const DATA = ['text', 'inlineData', 'fileData', 'functionCall', 'functionResponse', 'executableCode', 'codeExecutionResult', 'toolCall', 'toolResponse'];
const PART = new Set([...DATA, 'thought', 'thoughtSignature', 'videoMetadata', 'partMetadata', 'mediaResolution']);
const CALL = new Set(['id', 'name', 'args']);
const RESULT = new Set(['id', 'name', 'response', 'parts', 'scheduling', 'willContinue']);
const DECLARATION = new Set(['name', 'description', 'parameters', 'parametersJsonSchema', 'response', 'responseJsonSchema', 'behavior']);
/** The names that a `Schema` has: JSON Schema's others are for `parametersJsonSchema` and `responseJsonSchema`. */
const SCHEMA = new Set(['type', 'format', 'title', 'description', 'nullable', 'enum', 'maxItems', 'minItems', 'properties', 'required', 'minProperties', 'maxProperties',
  'minLength', 'maxLength', 'pattern', 'example', 'anyOf', 'propertyOrdering', 'default', 'items', 'minimum', 'maximum', 'additionalProperties', 'ref', 'defs']);

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

/** `object` with every name of its first level in camel case, as a protocol buffer reads it. */
const read = (object) => (isObject(object) ? Object.fromEntries(Object.entries(object).map(([name, value]) => [camel(name), value])) : {});

function names(object, known, path) {
  const extra = isObject(object) ? Object.keys(object).find((name) => !known.has(camel(name))) : undefined;
  const where = path ? ` at '${path}'` : '';
  return extra === undefined ? null : wrong(`Invalid JSON payload received. Unknown name "${extra}"${where}: Cannot find field.`);
}

/** A key in a header or in the address, or a token. */
export function admit({ req }) {
  const { headers, url } = req;
  if (headers['x-goog-api-key'] || headers.authorization || /[?&]key=./.test(url)) return null;
  return wrong('Method doesn\'t allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.', null, 403);
}

export function check(body) {
  const { contents, generationConfig, systemInstruction, tools, toolConfig } = read(body);
  return names(body, BODY, '') ?? checkConfig(generationConfig) ?? checkTools(tools, toolConfig) ??
    (systemInstruction ? checkContent(systemInstruction, 'system_instruction', null) : null) ?? checkContents([contents].flat());
}

/** countTokens takes contents, or a whole request that names its model. */
export function checkCount(body) {
  if (body.generateContentRequest) return body.generateContentRequest.model ? check(body.generateContentRequest) : wrong('* GenerateContentRequest.model: unexpected model name format');
  return names(body, new Set(['contents', 'generateContentRequest', 'model', 'systemInstruction', 'tools', 'generationConfig']), '') ?? checkContents([body.contents].flat());
}

function checkConfig(config) {
  if (config === undefined) return null;
  const { thinkingConfig, temperature, maxOutputTokens, responseSchema, responseMimeType, responseJsonSchema } = read(config);
  const found = names(config, CONFIG, 'generation_config') ?? names(thinkingConfig, THINKING, 'generation_config.thinking_config');
  if (found) return found;
  const { thinkingLevel, thinkingBudget } = read(thinkingConfig);
  if (thinkingLevel !== undefined && !LEVELS.has(String(thinkingLevel).toUpperCase())) {
    return wrong(`Invalid value at 'generation_config.thinking_config.thinking_level' (TYPE_ENUM), "${thinkingLevel}"`);
  }
  if (thinkingLevel !== undefined && thinkingBudget !== undefined) return wrong('You can only set only one of thinking budget and thinking level.');
  if (temperature !== undefined && !(temperature >= 0 && temperature <= 2)) {
    return wrong('* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].');
  }
  if (maxOutputTokens !== undefined && !(Number.isInteger(maxOutputTokens) && maxOutputTokens > 0)) {
    return wrong('* GenerateContentRequest.generation_config.max_output_tokens: must be positive.');
  }
  if (responseSchema !== undefined && responseJsonSchema !== undefined) return wrong('Only one of response_schema and response_json_schema may be set.');
  if ((responseSchema ?? responseJsonSchema) !== undefined && responseMimeType !== 'application/json') {
    return wrong('Function calling or structured output needs response_mime_type: application/json');
  }
  return responseSchema === undefined ? null : checkSchema(responseSchema, 'generation_config.response_schema');
}

function checkSchema(schema, path) {
  const found = names(schema, SCHEMA, path);
  if (found) return found;
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    const deeper = checkSchema(inner, `${path}.properties[${name}]`);
    if (deeper) return deeper;
  }
  return schema.items ? checkSchema(schema.items, `${path}.items`) : first(schema.anyOf ?? [], (inner, at) => checkSchema(inner, `${path}.any_of[${at}]`));
}

function checkTools(tools, toolConfig) {
  const { functionCallingConfig } = read(toolConfig);
  const { mode, allowedFunctionNames } = read(functionCallingConfig);
  if (mode !== undefined && !['AUTO', 'ANY', 'NONE', 'VALIDATED', 'MODE_UNSPECIFIED'].includes(String(mode).toUpperCase())) {
    return wrong(`Invalid value at 'tool_config.function_calling_config.mode' (TYPE_ENUM), "${mode}"`);
  }
  if (allowedFunctionNames?.length > 0 && !['ANY', 'VALIDATED'].includes(mode)) {
    return wrong('Please set mode to ANY or VALIDATED to use allowed_function_names.');
  }
  return names(functionCallingConfig, CHOICE, 'tool_config.function_calling_config') ?? first(tools ?? [], (tool, at) => (
    first(read(tool).functionDeclarations ?? [], (declaration, nth) => {
      const path = `tools[${at}].function_declarations[${nth}]`;
      const { name, parameters, parametersJsonSchema } = read(declaration);
      if (!/^[a-zA-Z_][\w.:-]{0,127}$/.test(name ?? '')) {
        return wrong(`* GenerateContentRequest.${path}.name: Invalid function name. Must start with a letter or an underscore.`);
      }
      if (parameters !== undefined && parametersJsonSchema !== undefined) {
        return wrong(`${path}: only one of parameters and parameters_json_schema may be set.`);
      }
      return names(declaration, DECLARATION, path) ?? (parameters ? checkSchema(parameters, `${path}.parameters`) : null);
    })));
}

function checkContents(contents) {
  if (contents.length === 0 || contents[0] === undefined) return wrong('* GenerateContentRequest.contents: contents is not specified');
  return first(contents, (content, at) => {
    const found = checkContent(content, `contents[${at}]`, content?.role);
    if (found) return found;
    const calls = countOf(contents[at - 1], 'functionCall');
    const results = countOf(content, 'functionResponse');
    if (results > 0 && results !== calls) {
      return wrong('Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.');
    }
    if (calls > 0 && results === 0) {
      return wrong('Please ensure that function call turn comes immediately after a user turn or after a function response turn.');
    }
    return null;
  });
}

const countOf = (content, name) => (content?.parts ?? []).filter((part) => read(part)[name] !== undefined).length;

function checkContent(content, path, role) {
  if (typeof content === 'string') return null;
  const found = names(content, CONTENT, path);
  if (found) return found;
  if (role != null && !['user', 'model', 'function'].includes(role)) return wrong('Please use a valid role: user, model.');
  const parts = [content?.parts ?? []].flat();
  if (parts.length === 0) return wrong(`* GenerateContentRequest.${path}.parts: contents.parts must not be empty.`);
  return first(parts, (part, nth) => checkPart(part, `${path}.parts[${nth}]`));
}

function checkPart(part, path) {
  const found = names(part, PART, path);
  if (found) return found;
  const value = read(part);
  const held = DATA.filter((name) => value[name] !== undefined);
  if (held.length > 1) return wrong(`Invalid value at '${path}' (oneof), oneof field 'data' is already set. Cannot set '${held[1]}'`);
  if (held.length === 0) return wrong(`* GenerateContentRequest.${path}.data: required oneof field 'data' must have one initialized field`);
  const { functionCall, functionResponse, inlineData } = value;
  if (functionCall && functionCall.args !== undefined && !isObject(functionCall.args)) {
    return wrong(`Invalid value at '${path}.function_call.args' (type.googleapis.com/google.protobuf.Struct)`);
  }
  if (functionResponse && !isObject(functionResponse.response)) {
    return wrong(`Invalid value at '${path}.function_response.response' (type.googleapis.com/google.protobuf.Struct)`);
  }
  if (functionResponse && !functionResponse.name) return wrong(`* GenerateContentRequest.${path}.function_response.name: Name cannot be empty.`);
  if (inlineData && !(read(inlineData).mimeType && /^[\w+/-]+=*$/.test(inlineData.data))) {
    return wrong(`Invalid value at '${path}.inline_data.data' (TYPE_BYTES), Base64 decoding failed`);
  }
  return names(functionCall, CALL, `${path}.function_call`) ?? names(functionResponse, RESULT, `${path}.function_response`);
}
