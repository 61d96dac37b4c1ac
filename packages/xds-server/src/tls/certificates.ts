import { createHash, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { createSecureContext } from "node:tls";
import { XdsServerError } from "../server-error.ts";

/** Files of one TLS server, all PEM. */
export interface CertificateFiles {
  /** The server's certificate, followed by intermediate ones. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Certificate authorities of the clients. */
  readonly caFile: string;
}

/** Certificates that were proved to belong together. */
export interface Certificates {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads the files once. Throws `XdsServerError` `SBX_XDS_CERTIFICATE` when they cannot be used. */
export async function loadCertificates(files: CertificateFiles): Promise<Certificates> {
  try {
    return verified(await read(files));
  } catch (error) {
    throw new XdsServerError("SBX_XDS_CERTIFICATE", `certificates ${files.certFile}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** How to follow certificate files. */
export interface FollowOptions {
  /** What is in use now. */
  readonly current: Certificates;
  /** Milliseconds between two reads. */
  readonly everyMs: number;
  /** Certificates that differ from the last ones and can be used. */
  readonly onChange: (certificates: Certificates) => void;
  /** The files changed and cannot be used. Called once for each state of the files. */
  readonly onRejected: (error: string) => void;
}

/**
 * Reads the files again and again until the signal aborts, then resolves. Files are compared by content, so that every
 * way of replacing them is seen: in place, by rename, or by a swapped symbolic link. A rotation is not atomic over three
 * files: what cannot be used is reported only when it is still the same one read later.
 */
export async function followCertificates(
  files: CertificateFiles,
  options: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  let current = digest(options.current);
  let suspect = "";
  let reported = "";
  while (await pause(options.everyMs, signal)) {
    const state = await readState(files);
    if (state.digest === current) {
      suspect = reported = "";
    } else if (state.certificates !== undefined) {
      current = state.digest;
      suspect = reported = "";
      options.onChange(state.certificates);
    } else if (state.digest !== suspect) {
      suspect = state.digest;
    } else if (state.digest !== reported) {
      reported = state.digest;
      options.onRejected(state.error);
    }
  }
}

type FileState =
  | { readonly digest: string; readonly certificates: Certificates }
  | { readonly digest: string; readonly certificates?: undefined; readonly error: string };

async function readState(files: CertificateFiles): Promise<FileState> {
  let certificates: Certificates;
  try {
    certificates = await read(files);
  } catch (error) {
    return { digest: reasonOf(error), error: reasonOf(error) };
  }
  try {
    return { digest: digest(certificates), certificates: verified(certificates) };
  } catch (error) {
    return { digest: digest(certificates), error: reasonOf(error) };
  }
}

async function read(files: CertificateFiles): Promise<Certificates> {
  const [cert, key, ca] = await Promise.all([
    readFile(files.certFile),
    readFile(files.keyFile),
    readFile(files.caFile),
  ]);
  return { cert, key, ca };
}

/** Throws when a TLS server with these certificates could not serve, or would trust others than the user's authorities. */
function verified(certificates: Certificates): Certificates {
  const authorities = certificates.ca.toString("latin1").match(pemCertificate) ?? [];
  // An empty list of authorities would make Node trust all public ones.
  if (authorities.length === 0) throw new Error("the CA file has no certificate");
  for (const pem of authorities) new X509Certificate(pem);
  const leaf = new X509Certificate(certificates.cert);
  createSecureContext(certificates);
  if (Date.parse(leaf.validTo) < Date.now()) throw new Error(`the certificate expired on ${leaf.validTo}`);
  return certificates;
}

function digest({ cert, key, ca }: Certificates): string {
  const hash = createHash("sha256");
  for (const part of [cert, key, ca]) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex");
}

async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal, ref: false });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
