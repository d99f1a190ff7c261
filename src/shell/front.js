// The front's waiting half: one visit from its request to its answer. What happens next is always
// Rust's decision (visit.rs, call.rs); the numbers below are its answers.
import { GONE, Waiting } from "./beginning.js";
import { outgoingBody, readBody } from "./body.js";
import {
  CUT, answerHead, bytesOf, callModel, callObject, callProvider, drop, failureBody, head, isClosed, late, relayStream, runsModels,
} from "./glue.js";
import { googleToken } from "./google.js";
import { Latecomers, Limit, TimeUp } from "./late.js";
import { LONG_MAX, Share } from "./memory.js";
import { Publication, follow } from "./replay.js";
import { pass } from "./through.js";
import { deliver, heardOut, passOn, readAnswer, speak, unreadBody } from "./whole.js";

const CALL = 1, LOOK = 2, ADMIN = 3, THROUGH = 4;
const NONE = 0, UNABLE = 2;
const READ = 0, STREAM = 1, EXPLAIN = 3;
// How long the end of a call waits for a call of the same tenant to travel with.
const LINGER_MS = 5;
const LINGER_MAX_MS = 1_000;
// When the object is asked again that does not know yet what the end of another call will tell it.
const EARLY_MS = 100;
// A stream from which nothing comes for so long is taken for cut.
const IDLE_MS = 120_000;
// How long a stream is read on whose client has left. The platform gives 30 seconds, of which its settlement needs a part.
const DRAIN_MS = 25_000;

export async function visit(gateway, request, env, context) {
  const visit = gateway.visit(head(request), env.TENANTS !== undefined);
  switch (visit.kind()) {
    case CALL:
      return serve(visit, request, env, context).catch((error) => {
        return crashed({ visit, env, context, publication: null, latecomers: new Latecomers(context) }, error);
      });
    case THROUGH:
      return pass(visit, request, env, context);
    case LOOK:
      return look(visit, env, context);
    case ADMIN:
      visit.free();
      return heardOut(await gateway.admin(request, env), unreadBody(request), context);
    default:
      return heardOut(speak(visit, context), unreadBody(request), context);
  }
}

// One call: read, admitted, sent to one target after the other until one answers, settled.
async function serve(visit, request, env, context) {
  const share = new Share(() => visit.free());
  let making = null;
  try {
    const refused = await readBody(visit, request, env, context, share);
    if (refused !== null) return refused;
    if (!(await admitted(visit, env, context))) return (visit.named() && (await follow(visit, env))) || speak(visit, context);
    const publication = visit.leads() ? new Publication(env.TENANTS, visit.tenant(), visit.publication()) : null;
    const waiting = visit.streams() ? new Waiting(() => visit.early_headers()) : null;
    const latecomers = new Latecomers(context);
    const call = { visit, env, context, publication, waiting, latecomers, report: report(visit, env), gone: request.signal };
    making = made(call, share)
      .catch((error) => crashed(call, error))
      .finally(() => share.give());
    return await (waiting === null ? making : waiting.answer(making));
  } finally {
    if (making === null) share.give();
  }
}

// The call itself: its `visit`; the `publication` of its answer, where it has a name; the client of a stream that is `waiting`; the
// `latecomers`, answers that come after their time; the `report` of its progress; and the signal that its client has `gone`.
async function made(call, share) {
  const { visit, env, waiting } = call;
  for (let next; (next = visit.next(secrets(env, visit.secret_names()), bound(env, visit.upcoming_binding()))) !== NONE; ) {
    if (next === UNABLE) continue;
    const account = visit.google_account();
    try {
      if (account !== undefined) visit.google_token(await googleToken(account));
    } catch (error) {
      visit.no_token(String(error?.message));
      continue;
    }
    const limit = waiting?.attempt(visit.timeout()) ?? new Limit(visit.timeout());
    const response = await headed(call, share, limit);
    if (response === null) {
      if (waiting?.left) break;
      continue;
    }
    const what = visit.head(response.status, answerHead(response), response.headers.get("content-encoding") ?? "", Date.now());
    if (share.bytes > 0) share.give(visit.held());
    if (what === STREAM) {
      const streaming = await stream(call, response, limit);
      if (streaming !== null) return streaming;
      if (waiting.left) break;
      continue;
    }
    if (what !== READ || waiting !== null) limit.over();
    if (what === EXPLAIN) {
      visit.explained(await failureBody(response), Date.now());
      continue;
    }
    if (what !== READ) {
      drop(response);
      continue;
    }
    const answered = await whole(call, response, waiting === null ? limit : new Limit(visit.timeout()));
    if (answered !== null) return answered;
  }
  return ended(call);
}

// The response of the target that is being tried, once its head is there; null where none comes in time, or the client has left.
async function headed(call, share, limit) {
  const { visit, env, waiting } = call;
  const { sent, stop } = called(visit, env, share, limit.signal);
  try {
    return await limit.within(sent, () => ({ head: sent, stop: () => limit.abort() })).finally(stop);
  } catch (error) {
    limit.over();
    const left = waiting?.left ?? false;
    if (error instanceof TimeUp) call.latecomers.take(visit.late(false, left), limit.rest());
    const why = String(error?.message);
    if (left) visit.left();
    else visit.failed(late(error), false, why, visit.doubts(why) && (await isClosed(visit.url())));
    return null;
  }
}

// The client's answer, of a whole one that comes within its `limit`; nothing where that is none, and the next target is to be tried.
async function whole(call, response, limit) {
  const { visit, waiting } = call;
  const share = new Share();
  try {
    let content;
    try {
      content = await readAnswer(visit, response, share, limit, waiting !== null);
    } catch (error) {
      if (error instanceof TimeUp) call.latecomers.take(visit.late(true, false), limit.rest());
      visit.failed(late(error), true, "", false);
      return null;
    } finally {
      limit.over();
    }
    if (content === null) return ended(call);
    if (content.reader !== undefined) return long(call, content, limit);
    if (!visit.whole(content, Date.now())) return null;
    return ended(call, visit.text() || content);
  } finally {
    share.give();
  }
}

// Sends the request to the target that is being tried: a promise of its response, and what ends the sending.
function called(visit, env, share, signal) {
  // What the request became for this target is held besides.
  if (share.bytes > 0) share.hold(Math.max(share.bytes, visit.held()), Infinity);
  const binding = visit.binding();
  if (binding !== undefined) return { sent: callModel(env[binding], visit.model(), visit.outgoing_body(), signal), stop: () => {} };
  const headers = visit.outgoing_headers(Date.now());
  const { content, stop } = outgoingBody(visit, share);
  return { sent: callProvider(visit.url(), headers, content, signal), stop };
}

// The end of a call that is not a stream: settled, and told to the client and to whoever follows. A client that has a head
// already is told what went wrong as an event.
function ended({ visit, env, context, publication, waiting, latecomers, report }, content) {
  report?.end();
  const said = content ?? visit.text();
  const event = waiting?.told ? visit.event(bytesOf(said)) : undefined;
  const last = visit.billed() ? "kept" : "failed";
  const [tenant, settlement] = [visit.tenant(), visit.settlement()];
  const [status, headers] = [visit.status(), visit.headers()];
  visit.free();
  const settled = (settlement) => latecomers.settle(settlement, (text) => settle(env, context, tenant, text));
  let bytes = said;
  if (publication === null) {
    settled(settlement);
  } else {
    bytes = publication.whole(status, headers, said, last);
    context.waitUntil(publication.over().then(() => settled(settlement)));
  }
  return event === undefined ? deliver(status, headers, bytes, context) : new Response(event);
}

// What nobody foresaw is an answer too, and the call is settled.
function crashed(call, error) {
  call.visit.crashed(String(error?.message));
  return ended(call);
}

// The secrets of these names, as lines; one that is not set is empty.
export function secrets(env, names) {
  return names === "" ? [] : names.split("\n").map((name) => (typeof env[name] === "string" ? env[name] : ""));
}

// Whether the binding of this name is declared, where one is needed.
const bound = (env, name) => name === undefined || runsModels(env[name]);

// Asks the tenant's object; ends of earlier calls travel with the question.
export async function admitted(visit, env, context) {
  const tenant = visit.tenant();
  const ends = take(tenant);
  try {
    if (visit.admitted(await callObject(env.TENANTS, tenant, "call", visit.ask(), ends))) return true;
    if (!visit.early()) return false;
    await scheduler.wait(EARLY_MS);
    return visit.admitted(await callObject(env.TENANTS, tenant, "call", visit.ask(), ""));
  } catch (error) {
    visit.undecided(String(error?.message));
    // It may have been admitted all the same: then it used nothing.
    for (const end of [...ends.split("\n"), visit.settlement()]) settle(env, context, tenant, end);
    return false;
  }
}

// A stream from its head to its settlement: resolves to its client's response, or to null where its answer does not begin.
function stream(call, response, limit) {
  return new Promise((resolve, reject) => {
    call.context.waitUntil(streamed(call, response, limit, resolve).catch(reject));
  });
}

async function streamed({ visit, env, context, publication, latecomers, report, gone }, response, limit, give) {
  const relay = visit.relay();
  report.stop = () => limit.end();
  const { reader, bytes, how } = await limit.begin(response, relay, visit.first_event_timeout());
  if (bytes === null) {
    report.stop = null;
    if (limit.rest !== null) latecomers.take(visit.late(true, how === GONE), limit.rest());
    relay.free();
    if (how === GONE) visit.left();
    else visit.not_begun(how, Date.now());
    return give(null);
  }
  visit.begun();
  const [status, headers] = [visit.status(), visit.headers()];
  const held = new Share();
  const options = { gone, mayHold: (bytes) => held.hold(bytes, LONG_MAX), ...publication?.stream(status, headers) };
  const streaming = relayStream(reader, relay, status, headers, IDLE_MS, DRAIN_MS, options, bytes);
  report.stop = streaming.stop;
  give(streaming.answer);
  const end = await streaming.ended;
  held.end();
  report.end();
  visit.streamed(end);
  await publication?.end("kept");
  relay.free();
  const tenant = visit.tenant();
  const sent = latecomers.settle(visit.settlement(), (text) => settle(env, context, tenant, text));
  visit.free();
  await sent;
}

// A whole answer that passes as it comes within its `limit`, and is read to its end for its usage.
function long({ visit, env, context, publication, latecomers, report, gone }, rest, limit) {
  limit.cuts();
  const passage = visit.passage();
  const [status, headers] = [visit.status(), visit.headers()];
  const tap = publication?.later(status, headers);
  const { answer, ended } = passOn(rest, passage, status, headers, { gone, idleMs: IDLE_MS, drainMs: DRAIN_MS, tap });
  const settled = async () => {
    const how = await ended;
    limit.over();
    report.end();
    visit.passed(how);
    if (how === CUT) publication?.lose();
    await publication?.end("kept");
    passage.free();
    const tenant = visit.tenant();
    const sent = latecomers.settle(visit.settlement(), (text) => settle(env, context, tenant, text));
    visit.free();
    await sent;
  };
  context.waitUntil(settled());
  return answer;
}

// Tells the tenant's object every few seconds that a call goes on, and how far its stream has come, one telling at a time, until `end`
// is called. Where the object wants the stream to stop, `stop` is called. A telling that fails is made up for by the next.
function report(visit, env) {
  const [tenant, every] = [visit.tenant(), visit.reports_every()];
  let busy = false;
  const tell = async () => {
    const progress = busy ? "" : visit.progress(every);
    if (progress === "") return;
    busy = true;
    try {
      const reply = await callObject(env.TENANTS, tenant, "amend", progress);
      if (!told.over && visit.amended(reply)) told.stop?.();
    } catch (error) {
      console.warn(`a call goes on unreported: ${error?.message}`);
    }
    busy = false;
  };
  const timer = setInterval(tell, every);
  const told = {
    stop: null,
    over: false,
    end() {
      told.over = true;
      clearInterval(timer);
    },
  };
  return told;
}

// Shows a tenant something of itself, all ended calls included.
async function look(visit, env, context) {
  const tenant = visit.tenant();
  const ends = take(tenant);
  try {
    if (ends !== "") await callObject(env.TENANTS, tenant, "call", "", ends);
    visit.seen(await callObject(env.TENANTS, tenant, visit.method(), visit.look_text()));
  } catch (error) {
    visit.undecided(String(error?.message));
    for (const end of ends.split("\n")) settle(env, context, tenant, end);
  }
  return speak(visit, context);
}

// Ends of calls on their way to their tenant's object. Should one be lost, the call's lease ends it.
const outbox = new Map();

function take(tenant) {
  const waiting = outbox.get(tenant);
  outbox.delete(tenant);
  return waiting === undefined ? "" : waiting.ends.join("\n");
}

// Puts an end into the outbox. The first one for a tenant waits a moment; what no call has taken
// along by then, it sends.
export function settle(env, context, tenant, end) {
  if (end === "") return undefined;
  const waiting = outbox.get(tenant);
  waiting?.ends.push(end);
  // One that waits for long has lost the request that was to send it.
  if (waiting !== undefined && Math.abs(Date.now() - waiting.since) < LINGER_MAX_MS) return undefined;
  outbox.set(tenant, { ends: waiting?.ends ?? [end], since: Date.now() });
  const sent = scheduler.wait(LINGER_MS).then(() => {
    const ends = take(tenant);
    if (ends !== "") return callObject(env.TENANTS, tenant, "call", "", ends);
  });
  const kept = sent.catch((error) => console.error(`calls were not settled and are left to their leases: ${error?.message}`));
  context.waitUntil(kept);
  return kept;
}
