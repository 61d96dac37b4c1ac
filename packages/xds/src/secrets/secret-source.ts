import type { Credential } from "../gateway/secrets.ts";

/** A secret as its source has it. */
export interface FoundSecret {
  readonly credential: Credential;
  /** Where it is, for people: a folder, or an object of a cluster. */
  readonly origin: string;
}

/** What changed at a source, by `<namespace>/<name>`. Undefined: it is gone. */
export type FoundSecrets = ReadonlyMap<string, FoundSecret | undefined>;

/** Where secrets come from. */
export interface SecretSource {
  /**
   * Tells what there is, and every change, until the signal aborts; then resolves. What cannot be read now is not told: what was told
   * before stays. Secrets go nowhere but to `push`: not into errors, and not into logs.
   */
  run(push: (changes: FoundSecrets) => void, signal: AbortSignal): Promise<void>;
}
