import type { Claim } from "../log/engine.ts";

/** The keys of one catalog. All are in one slot of a cluster. */
export interface RedisKeys {
  /** Hash: `number` and `nonce` of the latest claim, `append`: id of the last append. */
  readonly claim: string;
  /** String with a time to live: who has the lease. */
  readonly lease: string;
  /** Stream of at most one entry `<number>-<position>`: where readers find the catalog. */
  readonly head: string;
  /** Sorted set: the nonces of all logs by their claims' numbers. */
  readonly logs: string;
  /** Stream of the frames of one claim; their ids are `<number>-<position>`. */
  log(nonce: string): string;
}

/** The keys of the catalog of that name. */
export function redisKeys(name: string): RedisKeys {
  const prefix = `{signalbox:${name}}:`;
  return {
    claim: `${prefix}claim`,
    lease: `${prefix}lease`,
    head: `${prefix}head`,
    logs: `${prefix}logs`,
    log: (nonce) => `${prefix}log:${nonce}`,
  };
}

/** The id of the frame at a position, or of the snapshot that begins there. */
export function idAt({ number }: Claim, position: number): string {
  return `${number}-${position}`;
}

/** The two numbers of an id. */
export function numbersOf(id: string): readonly [number: number, position: number] {
  const match = /^(\d+)-(\d+)$/.exec(id);
  if (match === null) throw new TypeError(`${JSON.stringify(id)} is no id of a stream`);
  return [Number(match[1]), Number(match[2])];
}
