// Vertex AI: Gemini's dialect on a project's paths, for those who bring a token that POST /token gave them.

import { wrong } from '../checks/fields.mjs';
import { quarter } from '../said.mjs';
import { sendJson } from '../send.mjs';
import { gemini, geminiCount } from './gemini.mjs';
import { vector } from './openai.mjs';

function admit({ req, google }) {
  return google.knows(req.headers.authorization) ? null : { ...wrong('', null, 401), body: gemini.fault(401) };
}

/** Vertex wants a role on every content. */
function check(body, route, req) {
  const bare = [body.contents].flat().some((content) => !content?.role);
  return bare ? wrong('Please use a valid role: user, model.') : gemini.check(body, route, req);
}

export const vertex = { ...gemini, name: 'vertex', admit, check };
export const vertexCount = { ...geminiCount, name: 'vertex.count', admit };

/** POST …:predict, which is how Vertex makes embeddings. */
export const vertexPredict = {
  ...gemini, say: undefined, name: 'vertex.predict', needs: 'instances', admit, check: null, hear: (body, route) => ({ model: route.model }),
  answer(plan, body) {
    const tokens = body.instances.map(({ content }) => quarter(content));
    const predictions = body.instances.map(({ content }, nth) => ({
      embeddings: { values: Array.from(vector(content, body.parameters?.outputDimensionality ?? 16)), statistics: { token_count: tokens[nth], truncated: false } },
    }));
    return { tokens: plan.prompt ?? tokens.reduce((sum, one) => sum + one, 0), body: { predictions } };
  },
};

/** POST /token. The claim's audience may be Google's own or this server's. */
export function giveToken(asked) {
  const { google, req, raw, call, journal } = asked;
  journal.body(call, Object.fromEntries(new URLSearchParams(raw.toString())), raw);
  const { status, body } = google.give(raw.toString(), `http://${req.headers.host}/token`);
  return sendJson(asked, status, JSON.stringify(body), { 'cache-control': 'no-cache, no-store' });
}
