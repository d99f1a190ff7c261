// Serves the built gateway on workerd with its state on disk, quietly, until SIGINT or SIGTERM.
// PORT (8787), STATE (.state); ADMIN_TOKEN, API_KEYS_SECRET, OPENAI_API_KEY, ANTHROPIC_API_KEY, ALLOWED_ORIGINS override .dev.vars,
// every other NAME=value there is bound as well. STATE/workerd.pid holds the process id of workerd.
import { ROOT, startGateway } from "./lib/gateway.mjs";
import { localSecrets } from "./lib/secrets.mjs";

const port = Number(process.env.PORT ?? 8787);
let gateway;
let ending = false;

async function end(code) {
  if (ending) return;
  ending = true;
  await Promise.race([gateway.stop(), new Promise((done) => setTimeout(done, 5_000))]).catch(() => {});
  process.exit(code);
}
try {
  gateway = await startGateway({ port, state: process.env.STATE ?? ".state", secrets: localSecrets(ROOT) });
} catch (error) {
  console.error(error.code === "ERR_ADDRESS_IN_USE" ? `Port ${port} is taken: choose another one with PORT.` : error.message);
  process.exit(1);
}
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.removeAllListeners(signal); // Miniflare's own would end this process before its clean-up
  process.on(signal, () => end(0));
}
gateway.exited.then(() => {
  console.error("workerd ended by itself.");
  return end(1);
});
console.log(`ready ${gateway.url}`);
