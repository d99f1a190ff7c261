// Who asks Google Cloud: a service account signs a claim, gets a token for it at POST /token, and brings that with every call.

import { createPublicKey, verify } from 'node:crypto';

const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const AUDIENCE = 'https://oauth2.googleapis.com/token';
const LIFE_S = 3_600;
const SKEW_S = 300;

const part = (text) => JSON.parse(Buffer.from(text, 'base64url').toString());
const denied = (description, error = 'invalid_grant') => ({ status: 400, body: { error, error_description: description } });

/** The public key that claims are checked with, and the tokens that were given for them. */
export class GoogleKeys {
  #key = null;
  #email = null;
  #life = LIFE_S;
  #given = new Map();

  /** `public_key` in PEM; `email`, who must have signed (anyone); `expires_in`, the seconds a token is good for. */
  trust({ public_key, email = null, expires_in = LIFE_S }) {
    this.#key = createPublicKey(public_key);
    this.#email = email;
    this.#life = expires_in;
    return true;
  }

  /** The answer to POST /token with this form: `{ status, body }`. */
  give(form, own, now = Date.now() / 1000) {
    const said = new URLSearchParams(form);
    if (said.get('grant_type') !== GRANT) return denied('Unsupported grant type', 'unsupported_grant_type');
    const [head, claims, signature, ...more] = (said.get('assertion') ?? '').split('.');
    let header;
    let claim;
    try {
      header = part(head);
      claim = part(claims);
    } catch {
      return denied('Bad Request', 'invalid_request');
    }
    if (more.length > 0 || header.alg !== 'RS256' || (header.typ ?? 'JWT') !== 'JWT') return denied('Invalid JWT: the header must say RS256.');
    if (!this.#key || !verify('RSA-SHA256', Buffer.from(`${head}.${claims}`), this.#key, Buffer.from(signature ?? '', 'base64url'))) {
      return denied('Invalid JWT Signature.');
    }
    if (this.#email && claim.iss !== this.#email) return denied('Invalid grant: account not found');
    if (![AUDIENCE, own].includes(claim.aud)) return denied('Invalid JWT: Failed audience check');
    if (!(claim.iat <= now + SKEW_S && claim.exp > now - SKEW_S && claim.exp - claim.iat <= LIFE_S)) {
      return denied('Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.');
    }
    if (!claim.scope && !claim.target_audience) return denied('Invalid OAuth scope or ID token audience provided.', 'invalid_scope');
    const token = `ya29.scripted-${this.#given.size + 1}`;
    this.#given.set(token, now + this.#life);
    return { status: 200, body: { access_token: token, expires_in: this.#life, token_type: 'Bearer' } };
  }

  /** Whether a call that brings this header has a token that is still good. */
  knows(authorization, now = Date.now() / 1000) {
    const token = /^Bearer (.+)$/.exec(authorization ?? '')?.[1];
    return (this.#given.get(token) ?? 0) > now;
  }

  reset() {
    this.#given.clear();
  }
}
