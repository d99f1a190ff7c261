// The gateway's secrets for local use: .dev.vars, with what is missing made up and written there, and the environment above it.
import { randomBytes } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";

const NEEDED = { ADMIN_TOKEN: () => `admin_${randomBytes(24).toString("base64url")}`, API_KEYS_SECRET: () => randomBytes(32).toString("hex") };
const FROM_ENVIRONMENT = ["ADMIN_TOKEN", "API_KEYS_SECRET", "API_KEYS_SECRET_PREVIOUS", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ALLOWED_ORIGINS"];

/** Every NAME=value of `.dev.vars` in `folder`, and those of the environment's variables that are the gateway's. */
export function localSecrets(folder) {
  const file = join(folder, ".dev.vars");
  const secrets = existsSync(file) ? parseEnv(readFileSync(file, "utf8")) : {};
  for (const name of FROM_ENVIRONMENT) if (process.env[name]) secrets[name] = process.env[name];
  for (const [name, make] of Object.entries(NEEDED)) {
    if (secrets[name]) continue;
    secrets[name] = make();
    const head = existsSync(file) ? "" : "# Secrets of local development; git ignores this file.\n";
    appendFileSync(file, `${head}${name}=${secrets[name]}\n`, { mode: 0o600 });
  }
  return secrets;
}
