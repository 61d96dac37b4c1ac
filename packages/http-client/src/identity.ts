import { createHash, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { fileReason, FollowedFile } from "./followed-file.ts";
import type { HttpTls, PemSource } from "./http-client.ts";

/** The parts of a TLS configuration that may change while the client runs; each is PEM. */
export interface Identity {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** What a look at the files gave: what to use from now on, whether it is new, and what is wrong with the files. */
export interface IdentityLook {
  readonly identity: Identity;
  readonly version: string;
  readonly rejected?: string;
}

type Part = keyof Identity;
const parts: readonly Part[] = ["ca", "cert", "key"];
const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Follows the PEM files of a TLS configuration. What does not belong together is never handed out. */
export class FollowedIdentity {
  readonly #files: ReadonlyMap<Part, FollowedFile>;
  readonly #fixed: Identity;
  #current: { readonly identity: Identity; readonly version: string } | undefined;
  #considered: readonly Buffer[] | undefined;
  #seen = "";
  #rejected: string | undefined;

  constructor(tls: HttpTls) {
    const files = new Map<Part, FollowedFile>();
    const fixed: { -readonly [P in Part]?: Buffer } = {};
    for (const part of parts) {
      const source: PemSource | undefined = tls[part];
      if (source === undefined) continue;
      if ("file" in source) files.set(part, new FollowedFile(source.file));
      else fixed[part] = Buffer.from(source.pem);
    }
    this.#files = files;
    this.#fixed = fixed;
  }

  /** The newest usable content. Throws, in words without secrets, while there never was any. */
  async look(): Promise<IdentityLook> {
    const missing: string[] = [];
    const read = await Promise.all(
      [...this.#files].map(async ([part, file]): Promise<[Part, Buffer] | undefined> => {
        try {
          const { content, failure } = await file.read(false);
          if (failure !== undefined) missing.push(fileReason(file.path, failure));
          return [part, content];
        } catch (error) {
          missing.push(fileReason(file.path, error));
          return undefined;
        }
      }),
    );
    const found = read.filter((part) => part !== undefined);
    if (found.length === this.#files.size) this.#consider(found);
    const rejected = missing.length > 0 ? missing.sort().join("; ") : this.#rejected;
    if (this.#current === undefined) throw new Error(rejected ?? "the certificates cannot be used");
    return { ...this.#current, ...(rejected !== undefined && { rejected }) };
  }

  #consider(found: readonly (readonly [Part, Buffer])[]): void {
    // The same buffers are the same content: nothing to hash.
    if (this.#considered !== undefined && found.every(([, content], index) => content === this.#considered?.[index]))
      return;
    this.#considered = found.map(([, content]) => content);
    const identity: Identity = { ...this.#fixed, ...Object.fromEntries(found) };
    const version = versionOf(identity);
    if (version === this.#seen) return;
    this.#seen = version;
    this.#rejected = undefined;
    if (version === this.#current?.version) return;
    try {
      verify(identity);
      this.#current = { identity, version };
    } catch (error) {
      const paths = [...this.#files.values()].map(({ path }) => path).join(", ");
      // Messages of OpenSSL name the fault and no content.
      this.#rejected = `${paths || "tls"}: ${error instanceof Error ? error.message : "not usable"}`;
    }
  }
}

function verify(identity: Identity): void {
  if (identity.ca !== undefined) {
    const authorities = identity.ca.toString("latin1").match(pemCertificate) ?? [];
    // Without this check a file that is half written would make every certificate a stranger's.
    if (authorities.length === 0) throw new Error("the authorities' file has no certificate");
    for (const pem of authorities) new X509Certificate(pem);
  }
  createSecureContext(identity);
}

function versionOf(identity: Identity): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part}:${identity[part]?.length ?? -1}:`).update(identity[part] ?? "");
  return hash.digest("hex");
}
