#!/usr/bin/env node
// The scripted provider as a program: prints `ready http://127.0.0.1:PORT` when it listens, ends on SIGINT or SIGTERM.

import { parseArgs } from 'node:util';
import { startProvider } from './provider.mjs';

const HELP = `usage: node tests/provider/main.mjs [--port N]

A scripted provider on loopback. --port 0 (the default) takes any free port. It speaks OpenAI (Chat Completions, Responses, Completions,
embeddings, pictures, sound, files, batches), Azure OpenAI, Anthropic, Gemini, Vertex AI, Amazon Bedrock and Workers AI's
binding; routes.mjs lists the paths.
Base URL for a catalog: http://127.0.0.1:PORT/v1. The head of script.mjs lists the words that steer a call.

  curl -sN http://127.0.0.1:PORT/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"model":"demo","stream":true,"messages":[{"role":"user","content":"hi"}]}'
`;

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, help: { type: 'boolean', short: 'h' } } });
if (values.help) {
  process.stdout.write(HELP);
} else {
  const provider = await startProvider({ port: Number(values.port) });
  process.stdout.write(`ready ${provider.url}\n`);
  const stop = async () => {
    await provider.stop();
    process.exit(0);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}
