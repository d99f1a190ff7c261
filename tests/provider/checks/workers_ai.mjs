// What the AI binding refuses: fields that not all models have, contents that are no text, schemas in an envelope, tools half described.

const FIELDS = new Set([
  'messages', 'tools', 'tool_choice', 'response_format', 'stream', 'stream_options', 'max_tokens', 'max_completion_tokens', 'temperature', 'top_p', 'top_k',
  'seed', 'repetition_penalty', 'frequency_penalty', 'presence_penalty', 'reasoning_effort', 'chat_template_kwargs', 'model', 'options',
]);
const no = (message) => ({ status: 400, message: `Error: ${message}` });
const isPart = (part) => (part.type === 'text' ? typeof part.text === 'string'
  : part.type === 'image_url' && /^data:image\/[a-z+.-]+;base64,/.test(part.image_url?.url ?? ''));

/** What is wrong with a request, as { status, message }; null: nothing. */
export function check(body) {
  const foreign = Object.keys(body).find((name) => !FIELDS.has(name));
  if (foreign) return no(`required properties at '/' are 'messages'; '/${foreign}' is not known`);
  if (body.options?.returnRawResponse !== true) return no('the options are not those of a raw response');
  if (!Array.isArray(body.messages)) return no('Type mismatch of \'/messages\'');
  for (const [at, { role, content }] of body.messages.entries()) {
    const parts = Array.isArray(content) ? content : null;
    if (!['system', 'user', 'assistant', 'tool'].includes(role)) return no(`'/messages/${at}/role' is ${role}`);
    if (typeof content !== 'string' && !parts?.every(isPart)) return no(`Type mismatch of '/messages/${at}/content', 'string' not in ${typeof content}`);
    if (parts && !parts.some((part) => part.type === 'image_url')) return no(`Type mismatch of '/messages/${at}/content', 'array' not in 'string'`);
  }
  for (const [at, tool] of (body.tools ?? []).entries()) {
    const { name, description, parameters } = tool.function ?? {};
    const described = [name, description].every((text) => typeof text === 'string') && parameters?.type === 'object';
    if (tool.type !== 'function' || !described) return no(`required properties at '/tools/${at}/function' are 'name,description,parameters'`);
  }
  const schema = body.response_format?.json_schema;
  if (schema !== undefined && (typeof schema.schema === 'object' || typeof schema.name === 'string')) return no('\'/response_format/json_schema\' is no schema');
  if (![undefined, null, 'low', 'medium', 'high'].includes(body.reasoning_effort)) return no(`'/reasoning_effort' is ${body.reasoning_effort}`);
  return null;
}
