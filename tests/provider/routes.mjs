// Which endpoint speaks which dialect: one table.

import { anthropic, anthropicCount } from './dialects/anthropic.mjs';
import { azureChat, azureCompletions, azureEmbeddings } from './dialects/azure.mjs';
import { bedrock } from './dialects/bedrock.mjs';
import { chat } from './dialects/chat.mjs';
import { completions } from './dialects/completions.mjs';
import { gemini, geminiCount, geminiEmbed, geminiEmbedBatch, geminiModel, geminiModels } from './dialects/gemini.mjs';
import { imageEdits, imageGenerations, moderations, rerank, rerankSearch, speech, transcriptions, translations } from './dialects/media.mjs';
import { embeddings, modelOf, models, openai } from './dialects/openai.mjs';
import { responses, responsesCount } from './dialects/responses.mjs';
import { giveToken, vertex, vertexCount, vertexPredict } from './dialects/vertex.mjs';
import { workersAi } from './dialects/workers_ai.mjs';
import { cancelBatch, createBatch, deleteFile, getBatch, getContent, getFile, listBatches, listFiles, upload } from './files.mjs';
import { planOf } from './script.mjs';
import { sendJson } from './send.mjs';

const serve = (how, dialect = openai) => ({ dialect, serve: how });
const json = (dialect, make) => serve((asked) => sendJson(asked, 200, JSON.stringify(make(asked))), dialect);

/** Endpoints of one path each. */
const PATHS = new Map(Object.entries({
  'POST /v1/chat/completions': { dialect: chat },
  'POST /v1/embeddings': { dialect: embeddings },
  'POST /v1/completions': { dialect: completions },
  'POST /v1/responses': { dialect: responses },
  'POST /v1/responses/input_tokens': { dialect: responsesCount },
  'POST /v1/messages': { dialect: anthropic },
  'POST /v1/messages/count_tokens': { dialect: anthropicCount },
  'POST /v1/images/generations': { dialect: imageGenerations },
  'POST /v1/images/edits': { dialect: imageEdits },
  'POST /v1/audio/speech': { dialect: speech },
  'POST /v1/audio/transcriptions': { dialect: transcriptions },
  'POST /v1/audio/translations': { dialect: translations },
  'POST /v1/moderations': { dialect: moderations },
  'POST /v1/rerank': { dialect: rerank },
  'POST /v2/rerank': { dialect: rerankSearch },
  'POST /v1/files': serve(upload),
  'GET /v1/files': serve(listFiles),
  'POST /v1/batches': serve(createBatch),
  'GET /v1/batches': serve(listBatches),
  'GET /v1/models': json(openai, models),
  'GET /v1beta/models': json(gemini, geminiModels),
  'POST /workers-ai': { dialect: workersAi },
  'POST /token': serve(giveToken, gemini),
}));

const GEMINI = {
  generateContent: gemini, streamGenerateContent: gemini, countTokens: geminiCount, embedContent: geminiEmbed, batchEmbedContents: geminiEmbedBatch,
};
const VERTEX = { generateContent: vertex, streamGenerateContent: vertex, countTokens: vertexCount, predict: vertexPredict };
const AZURE = { 'chat/completions': azureChat, completions: azureCompletions, embeddings: azureEmbeddings };

const google = (dialects) => ([model, method], query) => {
  const dialect = dialects[method];
  return dialect && { dialect, model, streams: method === 'streamGenerateContent', sse: new URLSearchParams(query).get('alt') === 'sse' };
};

const azure = ([model, rest], query) => AZURE[rest] && { dialect: AZURE[rest], model, version: new URLSearchParams(query).get('api-version') };

/** Endpoints whose path says more: what it matches, and the route that its parts make. */
const PATTERNS = [
  ['GET', /^\/v1\/models\/(.+)$/, ([id]) => json(openai, () => modelOf(id))],
  ['GET', /^\/v1beta\/models\/([^:]+)$/, ([id]) => json(gemini, () => geminiModel(id))],
  ['POST', /^\/v1beta\/models\/(.+):([a-zA-Z]+)$/, google(GEMINI)],
  ['POST', /^\/v1(?:beta1)?\/projects\/[^/]+\/locations\/[^/]+\/publishers\/google\/models\/([^:/]+):([a-zA-Z]+)$/, google(VERTEX)],
  ['POST', /^\/openai\/deployments\/([^/]+)\/(.+)$/, azure],
  ['POST', /^\/model\/([^/]+)\/converse(-stream)?$/, ([model, streams]) => ({ dialect: bedrock, model, streams: streams !== undefined })],
  ['GET', /^\/v1\/files\/([^/]+)$/, ([id]) => serve(getFile(id))],
  ['GET', /^\/v1\/files\/([^/]+)\/content$/, ([id]) => serve(getContent(id))],
  ['DELETE', /^\/v1\/files\/([^/]+)$/, ([id]) => serve(deleteFile(id))],
  ['GET', /^\/v1\/batches\/([^/]+)$/, ([id]) => serve(getBatch(id, answerLine))],
  ['POST', /^\/v1\/batches\/([^/]+)\/cancel$/, ([id]) => serve(cancelBatch(id))],
];

/** The route of a request; one whose dialect says nothing if there is none. */
export function find(method, path, query) {
  const exact = PATHS.get(`${method} ${path}`);
  if (exact) return exact;
  for (const [verb, pattern, make] of PATTERNS) {
    const match = verb === method && pattern.exec(path);
    const route = match && make(match.slice(1).map((part) => part && decodeURIComponent(part)), query);
    if (route) return route;
  }
  if (path.startsWith('/openai/v1/')) return find(method, path.slice('/openai'.length), query); // Azure's newer paths are OpenAI's own
  const { heads, refuse } = path.startsWith('/v1beta/') ? gemini : openai;
  return { dialect: { heads, refuse } };
}

/** The answer to one line of a batch's file. */
function answerLine({ url, body }, seq) {
  const { dialect } = find('POST', url, '');
  const plan = planOf(body.model);
  if (plan.fail) return { status: plan.fail, body: dialect.fault(plan.fail, plan) };
  const heard = dialect.hear(body, {});
  const who = { seq, created: Math.floor(Date.now() / 1000), tells: true, heard, body };
  if (dialect.answer) {
    const made = dialect.answer(plan, body, who);
    return { status: 200, body: made.body, usage: made.usage };
  }
  const said = dialect.say(plan, heard);
  return { status: 200, body: JSON.parse(dialect.whole(said, who)), usage: dialect.usage(said) };
}
