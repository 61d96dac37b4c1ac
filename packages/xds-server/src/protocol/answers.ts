import type { SubscriptionStatus } from "../events.ts";
import type { Frame } from "./frame.ts";

/** A response that the client has not answered. */
export interface SentResponse {
  readonly nonce: string;
  readonly version: string;
  /** Names of the resources in it, and of those that it says are gone. */
  readonly names: readonly string[];
  /** The oldest change in it, by the stream's change counter. */
  readonly oldest: number;
}

/** The newest response, while it is not answered. */
export interface Awaiting {
  readonly nonce: string;
  /** Epoch milliseconds after which the server stops waiting for the answer. */
  readonly deadline: number;
  /** The oldest change in it, or in an earlier one that is not answered either. */
  readonly oldest: number;
}

const maxUnanswered = 32;
/** Stands for a response that is accepted or refused as a whole. */
const whole = "";

/**
 * What one stream was sent of one resource type, and what the client made of it. Every response is answered on its own:
 * an answer is matched with the response that its nonce names, also when a newer one is on its way. What the client
 * refused stays refused, name by name, until it accepts a response that has the name.
 */
export class Answers {
  /** An accepted response replaces all that was refused before: it says everything. */
  readonly #wholeState: boolean;
  readonly #unanswered = new Map<string, SentResponse>();
  readonly #refused = new Map<string, string>();
  #refusedOldest: number | undefined;
  #sentAt: number | undefined;
  #acked: { readonly version: string; readonly nonce: string; readonly at: number } | undefined;
  awaiting: Awaiting | undefined;
  /** Of the newest response. */
  nonce = "";
  sentVersion: string | undefined;

  constructor(wholeState: boolean) {
    this.#wholeState = wholeState;
  }

  /** The oldest change in what the client refused and has not accepted since; `undefined` when there is none. */
  get refusedOldest(): number | undefined {
    return this.#refusedOldest;
  }

  /** An answer with this nonce would be taken for one to a response that is out. */
  inUse(nonce: string): boolean {
    return nonce === this.nonce || this.#unanswered.has(nonce);
  }

  /** Names that the client refused and has not accepted since. */
  get refused(): Iterable<string> {
    return [...this.#refused.keys()].filter((name) => name !== whole);
  }

  /** Names of which the client may hold something other than what it was sent last. */
  *doubted(): Iterable<string> {
    if (this.#wholeState) return;
    yield* this.#refused.keys();
    for (const { names } of this.#unanswered.values()) yield* names;
  }

  /** The client holds this version already, from an earlier stream. */
  holds(version: string, now: number): void {
    this.sentVersion = version;
    this.#acked = { version, nonce: "", at: now };
  }

  sent({ version, nonce, names }: Frame, deadline: number, oldest: number, now: number): void {
    this.nonce = nonce;
    this.sentVersion = version;
    this.#sentAt = now;
    this.awaiting = { nonce, deadline, oldest: Math.min(oldest, this.awaiting?.oldest ?? oldest) };
    if (this.#wholeState) this.#unanswered.clear();
    this.#unanswered.set(nonce, { nonce, version, names, oldest });
    if (this.#unanswered.size > maxUnanswered) this.#mergeOldest();
  }

  /** The oldest response is no longer told apart from the next one. */
  #mergeOldest(): void {
    const [first, second] = this.#unanswered.values();
    if (first === undefined || second === undefined) return;
    this.#unanswered.delete(first.nonce);
    const names = [...new Set([...first.names, ...second.names])];
    this.#unanswered.set(second.nonce, { ...second, names, oldest: Math.min(first.oldest, second.oldest) });
  }

  /** Returns the response that is answered; `undefined` when there is none with this nonce, or it was answered before. */
  answer(nonce: string, error: string | undefined, now: number): SentResponse | undefined {
    const sent = this.#unanswered.get(nonce);
    if (sent === undefined) return undefined;
    this.#unanswered.delete(nonce);
    if (this.awaiting?.nonce === nonce) this.awaiting = undefined;
    else if (this.awaiting !== undefined) {
      const oldest = Math.min(...[...this.#unanswered.values()].map((other) => other.oldest));
      this.awaiting = { ...this.awaiting, oldest };
    }
    if (error === undefined) this.#accept(sent, now);
    else this.#refuse(sent, error);
    return sent;
  }

  #accept(sent: SentResponse, now: number): void {
    this.#acked = { version: sent.version, nonce: sent.nonce, at: now };
    if (this.#wholeState) this.#refused.clear();
    this.#refused.delete(whole);
    for (const name of sent.names) this.#refused.delete(name);
    if (this.#unanswered.size > 0 && sent.nonce === this.nonce) this.#supersede(new Set(sent.names));
    this.#settleRefused();
  }

  /** The newest response was accepted: what earlier ones said of its names does not matter any more. */
  #supersede(accepted: ReadonlySet<string>): void {
    for (const [nonce, sent] of this.#unanswered) {
      this.#unanswered.set(nonce, { ...sent, names: sent.names.filter((name) => !accepted.has(name)) });
    }
  }

  #refuse(sent: SentResponse, error: string): void {
    this.#refusedOldest = Math.min(sent.oldest, this.#refusedOldest ?? Infinity);
    if (this.#wholeState || sent.names.length === 0) this.#refused.set(whole, error);
    else {
      for (const name of sent.names) {
        this.#refused.delete(name);
        this.#refused.set(name, error);
      }
    }
  }

  /** The client no longer asks for the name, or it does not exist any more. */
  forget(name: string): void {
    if (this.#refused.delete(name)) this.#settleRefused();
  }

  /** Forgets what is refused of names that `keep` does not take. */
  forgetUnless(keep: (name: string) => boolean): void {
    for (const name of this.#refused.keys()) if (name !== whole && !keep(name)) this.#refused.delete(name);
    this.#settleRefused();
  }

  #settleRefused(): void {
    if (this.#refused.size === 0) this.#refusedOldest = undefined;
  }

  status(): Omit<SubscriptionStatus, "resourceType" | "wildcard" | "names"> {
    const error = [...this.#refused.values()].at(-1);
    return {
      ...(this.sentVersion === undefined ? {} : { sentVersion: this.sentVersion }),
      ...(this.nonce === "" ? {} : { sentNonce: this.nonce }),
      ...(this.#sentAt === undefined ? {} : { sentAt: this.#sentAt }),
      ...(this.#acked === undefined
        ? {}
        : { ackedVersion: this.#acked.version, ackedNonce: this.#acked.nonce, ackedAt: this.#acked.at }),
      ...(error === undefined ? {} : { error }),
    };
  }
}
