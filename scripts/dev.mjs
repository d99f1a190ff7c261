// A gateway to try things on: a scripted local provider, the gateway in front of it, a tenant `demo` with a key, and one line to paste.
// Providers for which .dev.vars has a key, and local ones that listen, are put into the catalog as well. PORT (8787), STATE (.state).
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT, startGateway } from "./lib/gateway.mjs";
import { localSecrets } from "./lib/secrets.mjs";

const port = Number(process.env.PORT ?? 8787);
const state = process.env.STATE ?? ".state";

const HOSTED = [
  { provider: "openai", secret: "OPENAI_API_KEY", model: "gpt-4o-mini" },
  { provider: "anthropic", secret: "ANTHROPIC_API_KEY", model: "claude-haiku-4-5" },
];
const LOCAL = [
  { provider: "ollama", base_url: "http://127.0.0.1:11434/v1" },
  { provider: "lmstudio", base_url: "http://127.0.0.1:1234/v1" },
];
const DEMO_POLICY = {
  limits: [
    { name: "rpm", what: "requests", per: "key", models: ["*"], window: "60s", max: 100 },
    { name: "monthly", what: "cost", per: "tenant", models: ["*"], window: "month", max: "25.00" },
  ],
  models: ["*"],
};

const secrets = localSecrets(ROOT);
let gateway;
const provider = await startProvider();
gateway = await startGateway({ port, state, secrets }).catch((error) => {
  stop(1, error.code === "ERR_ADDRESS_IN_USE" ? `Port ${port} is taken: choose another one with PORT.` : error.message);
});
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.removeAllListeners(signal);
  process.on(signal, () => stop(0));
}
gateway.exited.then(() => stop(1, "workerd ended by itself."));

try {
  console.log("Models:");
  await fillCatalog();
  const key = await demoKey();
  console.log(`
The gateway listens on ${gateway.url}; the admin token is ADMIN_TOKEN in .dev.vars. Paste this:

  curl -N ${gateway.url}/v1/chat/completions -H 'authorization: Bearer ${key}' -H 'content-type: application/json' \
-d '{"model":"demo","stream":true,"messages":[{"role":"user","content":"Hello!"}]}'

Ctrl-C ends it.`);
} catch (error) {
  await stop(1, error.message);
}

/** Starts the scripted provider and gives its base URL. */
async function startProvider() {
  const child = spawn(process.execPath, [join(ROOT, "tests/provider/main.mjs"), "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill());
  for await (const line of createInterface(child.stdout)) {
    const url = line.match(/^ready (\S+)/)?.[1];
    if (url) return `${url}/v1`;
  }
  return stop(1, "The scripted provider did not start.");
}

/** Adds the demo model, and whatever else can be reached, to the catalog as it is; says what clients can name. */
async function fillCatalog() {
  const { version: _, ...before } = await admin("GET", "/catalog");
  const catalog = structuredClone({ providers: {}, models: {}, prices: {}, ...before });
  const names = (provider) => Object.keys(catalog.models).filter((name) => catalog.models[name].targets.some((target) => target.provider === provider));
  const say = (name, why) => console.log(`  ${names(name).slice(0, 4).join(", ")}${names(name).length > 4 ? ", …" : ""} (${why})`);

  catalog.providers.scripted = { dialect: "openai", base_url: provider };
  catalog.models.demo = { targets: [{ provider: "scripted", model: "demo" }] };
  catalog.prices["scripted/*"] = { input: "0.15", output: "0.60" };
  say("scripted", "a scripted provider on this machine");
  for (const { provider: name, secret, model } of HOSTED) {
    if (!secrets[secret]) continue;
    catalog.providers[name] ??= {};
    if (names(name).length === 0) catalog.models[model] = { targets: [{ provider: name, model }] };
    say(name, `${secret} is set`);
  }
  for (const { provider: name, base_url } of LOCAL) {
    const answer = await fetch(`${base_url}/models`, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
    const models = (await answer?.json().catch(() => null))?.data ?? [];
    if (models.length === 0) continue;
    catalog.providers[name] = { dialect: "openai", base_url };
    catalog.prices[`${name}/*`] = { input: "0", output: "0" };
    for (const { id } of models) catalog.models[id] ??= { targets: [{ provider: name, model: id }] };
    say(name, `${base_url} listens`);
  }
  await admin("PUT", "/catalog", catalog);
}

/** The demo tenant's key: the one of last time while it works, else a new one. */
async function demoKey() {
  await admin("POST", "/tenants", { id: "demo", name: "Demo", policy: DEMO_POLICY }, [201, 409]);
  const file = join(state, "demo-key");
  const old = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  if (old) {
    const usage = await fetch(`${gateway.url}/v1/usage`, { headers: { authorization: `Bearer ${old}` } });
    await usage.arrayBuffer();
    if (usage.ok) return old;
  }
  const { key } = await admin("POST", "/tenants/demo/keys", { name: "dev" });
  writeFileSync(file, `${key}\n`, { mode: 0o600 });
  return key;
}

async function admin(method, path, body, expected = [200, 201, 204]) {
  const response = await fetch(`${gateway.url}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${secrets.ADMIN_TOKEN}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  if (!expected.includes(response.status)) throw new Error(`${method} /admin/v1${path} was answered with ${response.status}: ${text.slice(0, 500)}`);
  return text ? JSON.parse(text) : null;
}

async function stop(code, message) {
  if (message) console.error(message);
  await Promise.race([gateway?.stop(), new Promise((done) => setTimeout(done, 5_000))]).catch(() => {});
  process.exit(code);
}
