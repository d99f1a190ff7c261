// Tokens of Google's for service accounts: signed and asked for here, what is signed and asked is Rust's (google.rs).
import { Grant, Granted } from "../../build/index.js";

const TOKEN_MS = 10_000;
// What an isolate keeps, by account; far fewer are ever used.
const KEPT_MAX = 100;
const ALGORITHM = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };

const kept = new Map();

// A token that still holds, for the JSON of an account's key file.
export async function googleToken(account) {
  const known = kept.get(account);
  if (known?.holds(Date.now())) return known.token();
  const granted = await ask(account);
  known?.free();
  if (kept.size >= KEPT_MAX) kept.clear();
  kept.set(account, granted);
  return granted.token();
}

async function ask(account) {
  const grant = Grant.of(account, Date.now());
  try {
    const key = await crypto.subtle.importKey("pkcs8", grant.key(), ALGORITHM, false, ["sign"]);
    const signature = new Uint8Array(await crypto.subtle.sign(ALGORITHM.name, key, grant.assertion()));
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const request = { method: "POST", headers, body: grant.body(signature), redirect: "manual", signal: AbortSignal.timeout(TOKEN_MS) };
    const response = await fetch(grant.url(), request);
    return Granted.read(new Uint8Array(await response.arrayBuffer()), Date.now());
  } finally {
    grant.free();
  }
}
