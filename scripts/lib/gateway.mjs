// Starts the built gateway, or any other Worker, on real workerd with state on disk. serve, dev, the tests and the benchmark use it.
//
//   const gateway = await startGateway({ port: 0, state: "/tmp/state", secrets: { ADMIN_TOKEN, API_KEYS_SECRET } });
//   await fetch(`${gateway.url}/healthz`);
//   await gateway.stop();
//
// Requests go straight to the Worker's own socket in workerd; no process and no Worker stands in front of it.

import { build } from "esbuild";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import workerd from "workerd";
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "./miniflare.mjs";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The gateway as wrangler.toml describes it. */
export async function gatewayWorker() {
  const toml = (await readFile(join(ROOT, "wrangler.toml"), "utf8")).split(/^\[env\./m)[0];
  const value = (name) => toml.match(new RegExp(`^${name} *= *(.*?) *(?:#.*)?$`, "m"))?.[1];
  return {
    name: JSON.parse(value("name")),
    main: join(ROOT, JSON.parse(value("main"))),
    compatibilityDate: JSON.parse(value("compatibility_date")),
    compatibilityFlags: JSON.parse(value("compatibility_flags") ?? "[]"),
    durableObjects: { TENANTS: { className: "TenantObject", useSQLite: true } },
    vars: { ALLOWED_ORIGINS: JSON.parse(value("ALLOWED_ORIGINS")) },
    d1Databases: { REGISTRY: JSON.parse(value("database_id")) },
    migrations: { REGISTRY: join(ROOT, "migrations/registry") },
  };
}

/**
 * Starts a Worker and waits until it answers.
 *
 * port     0 takes any free one
 * state    folder that keeps D1 and the Durable Objects; left out: nothing is kept after stop()
 * secrets  and vars: bindings of type string (vars may hold any JSON)
 * worker   instead of the gateway: { main, name, vars, compatibilityDate, compatibilityFlags, kvNamespaces, durableObjects, d1Databases,
 *          migrations: { BINDING: folder } }, where `main` is a JavaScript module and the rest is in Miniflare's (v4) words
 * ready    path asked until it answers; null: don't ask
 * onLog    gets what the Worker logs, as { level, message }; left out: to stderr
 *
 * Gives { url, port, workerdPid, exited, miniflare, stop() }. `exited` resolves when workerd ended without stop() being called.
 */
export async function startGateway({ port = 0, host = "127.0.0.1", state, secrets = {}, vars = {}, worker, ready = "/healthz", onLog } = {}) {
  const { main, migrations = {}, vars: own = {}, ...options } = { name: "worker", compatibilityDate: "2026-11-17", ...(worker ?? (await gatewayWorker())) };
  port ||= await freePort(host);
  const folder = state === undefined ? await temporaryFolder() : resolve(state);
  await mkdir(folder, { recursive: true });
  const pidFile = join(folder, "workerd.pid");
  await rm(pidFile, { force: true });

  process.env.GATEWAY_WORKERD = workerd.default ?? workerd;
  process.env.MINIFLARE_WORKERD_PATH = fileURLToPath(new URL("workerd.sh", import.meta.url));
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...options,
      modules: await bundle(resolve(main)),
      modulesRoot: "/",
      bindings: { ...own, ...vars, ...secrets },
      unsafeDirectSockets: [{ host, port }],
      host,
      port: 0, // Miniflare's own entry, used for migrations only
      resourcePersistencePath: join(folder, "v3"), // where `wrangler --persist-to` looks
      unsafeRuntimeEnv: { GATEWAY_PID_FILE: pidFile },
      cf: false,
      logRequests: false,
      log: new Log(LogLevel.ERROR),
      handleStructuredLogs: onLog ?? (({ message }) => process.stderr.write(`${message}\n`)),
    }),
  );
  try {
    await miniflare.ready;
    for (const [binding, from] of Object.entries(migrations)) await migrate(await miniflare.getD1Database(binding), from);
  } catch (error) {
    await miniflare.dispose().catch(() => {});
    throw error;
  }

  const workerdPid = Number(await readFile(pidFile, "utf8"));
  const url = `http://${host}:${port}`;
  let stopping = false;
  const exited = new Promise((done) => {
    const watch = setInterval(() => {
      if (stopping || !alive(workerdPid)) clearInterval(watch);
      if (!stopping && !alive(workerdPid)) done();
    }, 100);
    watch.unref();
  });
  const stop = async () => {
    stopping = true;
    await miniflare.dispose();
    await rm(state === undefined ? folder : pidFile, { recursive: true, force: true });
  };
  if (ready !== null) await answers(url + ready, workerdPid);
  return { url, port, workerdPid, exited, miniflare, stop };
}

/** One JavaScript module and the wasm modules that it imports, as wrangler would upload them. */
async function bundle(main) {
  const wasm = new Map();
  const compiledWasm = {
    name: "compiled-wasm",
    setup({ onResolve }) {
      onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
        wasm.set(basename(path), resolve(resolveDir, path));
        return { path: `./${basename(path)}`, external: true };
      });
    },
  };
  const { outputFiles } = await build({
    entryPoints: [main],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*", "node:*"],
    plugins: [compiledWasm],
    logLevel: "error",
  });
  const modules = [{ type: "ESModule", path: "/main.js", contents: outputFiles[0].text }];
  for (const [name, path] of wasm) modules.push({ type: "CompiledWasm", path: `/${name}`, contents: await readFile(path) });
  return modules;
}

/** Applies the .sql files of a folder that are new, and notes them where `wrangler d1 migrations` does. */
async function migrate(database, folder) {
  const files = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith(".sql")).sort();
  await database
    .prepare(
      `CREATE TABLE IF NOT EXISTS d1_migrations(
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`,
    )
    .run();
  const { results } = await database.prepare("SELECT name FROM d1_migrations").all();
  const applied = new Set(results.map((row) => row.name));
  for (const file of files.filter((name) => !applied.has(name))) {
    const { unstable_splitSqlQuery: split } = await import("wrangler");
    const statements = split(await readFile(join(folder, file), "utf8")).map((sql) => database.prepare(sql));
    // A batch is one transaction: a migration is applied and noted, or neither.
    await database.batch([...statements, database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(file)]);
  }
}

async function answers(url, pid) {
  for (const until = Date.now() + 20_000; Date.now() < until; ) {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => null);
    await response?.arrayBuffer().catch(() => {});
    if (response) return;
    if (!alive(pid)) break;
    await new Promise((next) => setTimeout(next, 50));
  }
  throw new Error(`${url} does not answer.`);
}

function alive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function freePort(host) {
  const server = createServer();
  await new Promise((done, fail) => server.once("error", fail).listen(0, host, done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

async function temporaryFolder() {
  const { mkdtemp } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  return mkdtemp(join(tmpdir(), "gateway-"));
}
