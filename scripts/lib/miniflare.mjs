// Miniflare, with one line of it changed.
//
// Miniflare puts a Worker of its own between ours and the network, on every outgoing fetch, to imitate two request headers of
// production. Under load its CPU time would count as the gateway's, so here the gateway's fetches go straight out, as they do in
// plain workerd. GATEWAY_PLAIN_MINIFLARE=1 leaves Miniflare as it is.
import { readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { dirname } from "node:path";

const FROM = "globalOutbound: { name: getOutboundInterceptorName(workerIndex) }";
const TO = "globalOutbound: getGlobalOutbound(workerIndex, config4, dev)";

function load() {
  const require = createRequire(import.meta.url);
  if (process.env.GATEWAY_PLAIN_MINIFLARE) return require("miniflare");
  const file = require.resolve("miniflare");
  const source = readFileSync(file, "utf8");
  if (source.split(FROM).length !== 2) throw new Error(`scripts/lib/miniflare.mjs does not fit this Miniflare: "${FROM}" is not in it once.`);
  const module = new Module(file);
  module.filename = file;
  module.paths = Module._nodeModulePaths(dirname(file));
  module._compile(source.replace(FROM, TO), file);
  return module.exports;
}

export const { Miniflare, Log, LogLevel, convertV4MiniflareOptions } = load();
