// Who asks Amazon: the signature of a request, made again by other code than the callers', against the one key that is known here.

import { createHash } from 'node:crypto';
import aws4 from 'aws4';

export const AWS_KEY = { accessKeyId: 'AKIATEST', secretAccessKey: 'test-secret' };
const SKEW_MS = 5 * 60_000;
const SCHEME = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;
const MUST_SIGN = ['host', 'x-amz-date'];

const refused = (type, message) => ({ status: 403, message, headers: { 'x-amzn-errortype': type } });
const INVALID = 'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';

const timeOf = (stamp) => Date.parse(`${stamp ?? ''}`.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));

/** Why a request may not be answered, or null. A Bedrock API key (a bearer token) is taken as it is. */
export function admit({ req, raw }, now = Date.now()) {
  const { authorization, ...headers } = req.headers;
  if (!authorization) return refused('MissingAuthenticationTokenException', 'Missing Authentication Token');
  if (authorization.startsWith('Bearer ')) return null;
  const [, id, date, region, service, signed, signature] = SCHEME.exec(authorization) ?? [];
  if (!id) return refused('IncompleteSignatureException', `Authorization header is not as AWS4-HMAC-SHA256 wants it: ${authorization}`);
  if (id !== AWS_KEY.accessKeyId) return refused('UnrecognizedClientException', 'The security token included in the request is invalid.');
  const names = signed.split(';');
  const unsigned = [...MUST_SIGN, ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))].find((name) => !names.includes(name));
  if (unsigned) return refused('InvalidSignatureException', `'${unsigned}' must be a 'SignedHeader' in the AWS Authorization.`);
  const time = timeOf(headers['x-amz-date']);
  if (!(Math.abs(now - time) <= SKEW_MS)) return refused('InvalidSignatureException', `Signature not yet current or expired: ${headers['x-amz-date']}`);
  if (service !== 'bedrock') return refused('InvalidSignatureException', 'Credential should be scoped to correct service: \'bedrock\'.');
  const told = headers['x-amz-content-sha256'];
  if (told !== undefined && told !== createHash('sha256').update(raw).digest('hex')) return refused('InvalidSignatureException', INVALID);
  const own = Object.fromEntries(names.map((name) => [name, headers[name] ?? '']));
  const request = { method: req.method, path: req.url, service, region, body: raw, headers: own, doNotModifyHeaders: true };
  const signer = new aws4.RequestSigner(request, AWS_KEY);
  signer.datetime = headers['x-amz-date'];
  signer.extraHeadersToInclude = Object.fromEntries(names.map((name) => [name, true]));
  return signer.getDate() === date && signer.signature() === signature ? null : refused('InvalidSignatureException', INVALID);
}
