import { SourceError, type Logger, type Problem } from "@signalbox/registry";
import type { Ledger, LedgerChange } from "./ledger.ts";
import type { Peer, PeerView } from "./peer.ts";

/** What the readers of a group of servers need. */
export interface PeersOptions {
  /** The first is preferred at the start. At least one. */
  readonly peers: readonly [Peer, ...Peer[]];
  readonly ledger: Ledger;
  readonly logger: Logger;
  readonly counter: (name: string) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/**
 * Servers that replicate to each other, read as one source. One of them is read as long as it is healthy; when it fails the
 * next one is, in the same round. The others are asked only at the start and when the one that is read lacks what was
 * there before.
 */
export class Peers {
  readonly #options: PeersOptions;
  /** The one that is read first; then those that answered last, those that failed longest ago before others. */
  #order: Peer[];
  #started = false;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#order = [...options.peers];
  }

  /** The server that is read. */
  get active(): string {
    return this.#order[0]?.url ?? "";
  }

  /** What the server that is read calls the state that it said last; undefined where it has no word for it. */
  get version(): string | undefined {
    const [peer] = this.#order;
    return peer?.hash === undefined ? undefined : `${peer.url} ${peer.hash}`;
  }

  /** One round. Rejects with a SourceError when no server gave a complete answer. */
  async read(signal: AbortSignal): Promise<readonly LedgerChange[]> {
    const { ledger, now } = this.#options;
    try {
      const { view, others } = this.#started ? await this.#next(signal) : await this.#first(signal);
      this.#started = true;
      return ledger.settle(view, others, now());
    } catch (error) {
      ledger.interrupted();
      throw error;
    }
  }

  /** Asks all at the start. The one to read is the fullest; where an earlier run left something, the one that lacks least of it. */
  async #first(signal: AbortSignal): Promise<Round> {
    const answers = await this.#askAll(this.#order, signal);
    const good = answers.flatMap((answer) => ("view" in answer ? [answer] : []));
    const lacks = ({ view }: { readonly view: PeerView }): number => this.#options.ledger.lackedBy(view).length;
    const size = ({ view }: { readonly view: PeerView }): number => view.instances.size;
    const [best] = good.toSorted((left, right) => lacks(left) - lacks(right) || size(right) - size(left));
    if (best === undefined) throw failureOf(answers.flatMap((answer) => ("error" in answer ? [answer.error] : [])));
    const others = good.filter((answer) => answer !== best);
    this.#order = [
      best.peer,
      ...others.map(({ peer }) => peer),
      ...this.#order.filter((peer) => !good.some((one) => one.peer === peer)),
    ];
    return { view: best.view, others: others.map(({ peer, view }) => this.#released(peer, view)) };
  }

  async #next(signal: AbortSignal): Promise<Round> {
    const { ledger, logger, counter } = this.#options;
    const { peer, view } = await this.#firstHealthy(signal);
    if (!ledger.isDoubtful(view) || this.#order.length === 1) return { view, others: [] };
    counter("eureka_comparisons_total");
    const rest = this.#order.filter((other) => other !== peer);
    const answers = await this.#askAll(rest, signal);
    const good = answers.flatMap((answer) => ("view" in answer ? [answer] : []));
    const lacks = (one: PeerView): number => ledger.lackedBy(one).length;
    const [best] = good.toSorted((left, right) => lacks(left.view) - lacks(right.view));
    if (best === undefined || lacks(best.view) >= lacks(view)) {
      return { view, others: good.map((other) => this.#released(other.peer, other.view)) };
    }
    logger.warn("eureka-peer-partial", {
      peer: peer.url,
      lacks: lacks(view),
      held: ledger.held.size,
      instead: best.peer.url,
    });
    this.#prefer(best.peer);
    const others = [{ peer, view }, ...good.filter((other) => other !== best)];
    return { view: best.view, others: others.map((other) => this.#released(other.peer, other.view)) };
  }

  /** Asks one after the other until one answers. Those that failed go to the end. */
  async #firstHealthy(signal: AbortSignal): Promise<{ readonly peer: Peer; readonly view: PeerView }> {
    const { ledger, logger } = this.#options;
    const errors: SourceError[] = [];
    for (const peer of [...this.#order]) {
      try {
        const view = await peer.read(ledger.held, signal);
        if (errors.length > 0) {
          // Another server's silence does not count from when the first one's began.
          ledger.interrupted();
          logger.warn("eureka-peer-failed", { errors: errors.map(({ message }) => message), instead: peer.url });
        }
        return { peer, view };
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof SourceError)) throw error;
        errors.push(error);
        this.#order = [...this.#order.filter((other) => other !== peer), peer];
        if (this.#order.length > 1) this.#options.counter("eureka_peer_failures_total");
      }
    }
    throw failureOf(errors);
  }

  async #askAll(peers: readonly Peer[], signal: AbortSignal): Promise<readonly Answer[]> {
    const { ledger } = this.#options;
    const answers = await Promise.all(
      peers.map(async (peer): Promise<Answer> => {
        try {
          return { peer, view: await peer.read(ledger.held, signal) };
        } catch (error) {
          if (!(error instanceof SourceError)) throw error;
          return { peer, error };
        }
      }),
    );
    signal.throwIfAborted();
    return answers;
  }

  #prefer(peer: Peer): void {
    this.#order = [peer, ...this.#order.filter((other) => other !== peer)];
    this.#options.counter("eureka_peer_switches_total");
  }

  /** A server that is not read in every round keeps no base: deltas would not lead on from it. */
  #released(peer: Peer, view: PeerView): PeerView {
    peer.forget();
    return view;
  }
}

interface Round {
  readonly view: PeerView;
  readonly others: readonly PeerView[];
}

type Answer = { readonly peer: Peer; readonly view: PeerView } | { readonly peer: Peer; readonly error: SourceError };

const telling: readonly Problem[] = ["AUTH_FAILED", "PROTOCOL_ERROR", "UNREACHABLE"];

/** One error for the failures of all servers. What a person must mend comes before what may mend itself. */
function failureOf(errors: readonly SourceError[]): SourceError {
  const [only] = errors;
  if (only !== undefined && errors.length === 1) return only;
  const problem = telling.find((one) => errors.some((error) => error.problem === one)) ?? "UNREACHABLE";
  const message = `no server answered: ${errors.map((error) => error.message).join("; ")}`;
  return new SourceError(problem, message, { cause: new AggregateError(errors) });
}
