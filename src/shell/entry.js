// The Worker's entry module: hands the platform's events to the Rust build.
//
// Rust decides and never waits: every step of a call and of a tenant's object is one synchronous
// call into it. JavaScript waits and never decides: here, in front.js and in glue.js.
import { DurableObject } from "cloudflare:workers";
import * as rust from "../../build/index.js";
import { Answers } from "./answers.js";
import { visit } from "./front.js";
import { memory } from "./memory.js";

// Events closer than this are in company, and then the first waits so long for the others: a
// transaction costs as much as a few calls.
const COMPANY_MS = 2;
const GROUP_MS = 4;

let gateway;

export default {
  fetch(request, env, context) {
    gateway ??= new rust.Gateway(env.API_KEYS_SECRET, env.API_KEYS_SECRET_PREVIOUS, [env.ALLOWED_ORIGINS].flat().join(" "));
    const answer = visit(gateway, request, env, context);
    // A client that leaves does not end the call: what was started is settled.
    context.waitUntil(answer);
    return answer;
  },
};

export class TenantObject extends DurableObject {
  #host;
  #answers;
  #commit = null;
  #last = 0;
  #lost = false;

  constructor(context, env) {
    super(context, env);
    this.#host = new rust.TenantHost(context.storage);
    this.#answers = new Answers(context.storage, (step) => this.#decide(step), () => this.#write());
  }

  // Settles the calls that have ended, and admits one if one asks: decided at once, answered when durable.
  async call(ask, ends) {
    const reply = this.#decide((host) => host.call(Date.now(), ask, ends));
    await this.#committed();
    return reply;
  }

  // Takes up how far a stream has come, and says how far it may go: decided at once, answered when durable.
  async amend(text) {
    const reply = this.#decide((host) => host.amend(Date.now(), text));
    await this.#committed();
    return reply;
  }

  // Whether a key is good: asked before a long body of its call is read.
  async check(text) {
    return this.#decide((host) => host.check(Date.now(), text));
  }

  // The next bytes of a named call's answer, told by its front.
  async publish(text, bytes) {
    return this.#answers.publish(text, bytes);
  }

  // What there is of that answer from a place on, for whoever follows the call.
  async follow(text, from) {
    return this.#answers.follow(text, from);
  }

  async configure(text) {
    this.#decide((host) => host.configure(Date.now(), text));
  }

  async usage(text) {
    return this.#decide((host) => host.usage(Date.now(), text));
  }

  async models(text) {
    return this.#decide((host) => host.models(Date.now(), text));
  }

  // Some calls of the ledger, read backwards.
  async calls(text) {
    return this.#decide((host) => host.calls(Date.now(), text));
  }

  // Lowers what a call was billed: decided at once, answered when durable.
  async credit(text) {
    const reply = this.#decide((host) => host.credit(Date.now(), text));
    await this.#committed();
    return reply;
  }

  async room(text) {
    return this.#decide((host) => host.room(Date.now(), text));
  }

  async metrics() {
    const { held, peak } = memory();
    return this.#host.metrics(held, peak);
  }

  async alarm() {
    this.#decide((host) => host.expire(Date.now()));
    this.#write();
  }

  // A step that fails may have taken the memory of the whole turn with it: then nobody of the turn
  // is told that its change is durable.
  #decide(step) {
    try {
      return step(this.#host);
    } catch (error) {
      this.#lost = this.#commit !== null;
      throw error;
    }
  }

  // Group commit. An event that comes alone is written at once. In company the first one waits a
  // moment for the others; then all their changes are written in one transaction, and all of them
  // are answered. The runtime's output gate holds the answers until that is durable.
  #committed() {
    const now = Date.now();
    const alone = now - this.#last >= COMPANY_MS;
    this.#last = now;
    if (alone && this.#commit === null) return this.#write();
    this.#commit ??= scheduler.wait(GROUP_MS).then(() => {
      this.#commit = null;
      this.#write();
    });
    return this.#commit;
  }

  #write() {
    if (this.#lost) {
      // The group that is waiting has lost its memory, too, and is to be told so.
      this.#lost = this.#commit !== null;
      throw new Error("another event of this turn failed; ask again");
    }
    const alarm = this.#decide((host) => host.commit());
    if (alarm !== undefined) this.ctx.storage.setAlarm(alarm);
  }
}
