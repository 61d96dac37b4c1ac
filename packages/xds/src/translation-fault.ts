/** What could not be translated; its last good form stays in use. */
export interface TranslationFault {
  /** The service's key, or what else was being built, for example `port 8080`. */
  readonly subject: string;
  readonly cause: unknown;
  /** Istio objects (`<kind>/<namespace>/<name>`) that have a part in it; absent where it is not known which. */
  readonly objects?: readonly string[];
  /** Whether nothing failed: a part of an object gives way to another object's. */
  readonly yielded?: true;
}
