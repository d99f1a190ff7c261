// The gateway's Worker with an AI binding: workerd's own, whose requests Miniflare sends to the scripted provider.

import { gatewayWorker } from '../../scripts/lib/gateway.mjs';

export async function withBinding(provider) {
  return { ...(await gatewayWorker()), ai: { binding: 'AI', remoteProxyConnectionString: new URL(`${provider.url}/workers-ai`) } };
}
