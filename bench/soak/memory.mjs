// The memory of workerd: what is left of it once V8 has collected its garbage.
//
// V8 collects when it likes, and lets garbage pile up for minutes first: resident memory alone grows for a quarter of an hour and proves
// nothing. So each sample is taken right after a collection, asked for through the inspector. What leaks is not collected.

import { readFileSync } from 'node:fs';

/** Resident memory of a process, in MB. */
export const residentMb = (pid) => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1_024;

/** The most that it ever was, in MB. */
export const peakMb = (pid) => Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1_024;

/** The inspector of the gateway's isolate; workerd was started with an inspector at `url`. */
export async function inspect(url, pid) {
  const { host } = new URL(url);
  const targets = await (await fetch(`http://${host}/json`)).json();
  const { webSocketDebuggerUrl: address } = targets.find(({ id, title }) => `${id} ${title}`.includes('tollgate'));
  const socket = new WebSocket(address.replace(/^ws:\/\/[^/]+/, `ws://${host}`));
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`the inspector at ${address} does not answer`));
  });
  let asked = 0;
  const waiting = new Map();
  socket.onmessage = ({ data }) => {
    const { id, result, error } = JSON.parse(data);
    waiting.get(id)?.(result ?? Promise.reject(new Error(error?.message)));
    waiting.delete(id);
  };
  const ask = (method) => new Promise((resolve) => {
    asked += 1;
    waiting.set(asked, resolve);
    socket.send(JSON.stringify({ id: asked, method }));
  });
  return {
    /** { resident, heap } in MB after a collection. */
    async sample() {
      await ask('HeapProfiler.collectGarbage');
      const { usedSize } = await ask('Runtime.getHeapUsage');
      return { resident: residentMb(pid), heap: usedSize / 1e6 };
    },
    close: () => socket.close(),
  };
}
