import { createHash, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { createSecureContext } from "node:tls";
import { XdsServerError } from "../server-error.ts";

/** Files of a TLS server that asks its clients for no certificate, all PEM. */
export interface KeyPairFiles {
  /** The server's certificate, followed by intermediate ones. */
  readonly certFile: string;
  readonly keyFile: string;
}

/** Files of a TLS server that knows its clients by their certificates, all PEM. */
export interface CertificateFiles extends KeyPairFiles {
  /** Certificate authorities of the clients. */
  readonly caFile: string;
}

/** A certificate and its key, which were proved to belong together. */
export interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Certificates that were proved to belong together. */
export interface Certificates extends KeyPair {
  readonly ca: Buffer;
}

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads the files once. Throws `XdsServerError` `SBX_XDS_CERTIFICATE` when they cannot be used. */
export async function loadCertificates(files: CertificateFiles): Promise<Certificates> {
  return load(files.certFile, () => readAll(files));
}

/** As `loadCertificates`, of a server that asks its clients for no certificate. */
export async function loadKeyPair(files: KeyPairFiles): Promise<KeyPair> {
  return load(files.certFile, () => readPair(files));
}

async function load<T extends KeyPair>(certFile: string, read: () => Promise<T>): Promise<T> {
  try {
    return verified(await read());
  } catch (error) {
    throw new XdsServerError("SBX_XDS_CERTIFICATE", `certificates ${certFile}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** How to follow certificate files. */
export interface FollowOptions<T extends KeyPair = Certificates> {
  /** What is in use now. */
  readonly current: T;
  /** Milliseconds between two reads. */
  readonly everyMs: number;
  /** Certificates that differ from the last ones and can be used. */
  readonly onChange: (certificates: T) => void;
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
  await follow(() => readAll(files), options, signal);
}

/** As `followCertificates`, for a server that asks its clients for no certificate. */
export async function followKeyPair(
  files: KeyPairFiles,
  options: FollowOptions<KeyPair>,
  signal: AbortSignal,
): Promise<void> {
  await follow(() => readPair(files), options, signal);
}

async function follow<T extends KeyPair>(
  read: () => Promise<T>,
  options: FollowOptions<T>,
  signal: AbortSignal,
): Promise<void> {
  let current = digest(options.current);
  let suspect = "";
  let reported = "";
  while (await pause(options.everyMs, signal)) {
    const state = await readState(read);
    if (state.digest === current) {
      suspect = reported = "";
    } else if (state.error === undefined) {
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

type FileState<T> =
  | { readonly digest: string; readonly certificates: T; readonly error?: undefined }
  | { readonly digest: string; readonly certificates?: undefined; readonly error: string };

async function readState<T extends KeyPair>(read: () => Promise<T>): Promise<FileState<T>> {
  let certificates: T;
  try {
    certificates = await read();
  } catch (error) {
    return { digest: reasonOf(error), error: reasonOf(error) };
  }
  try {
    return { digest: digest(certificates), certificates: verified(certificates) };
  } catch (error) {
    return { digest: digest(certificates), error: reasonOf(error) };
  }
}

async function readPair(files: KeyPairFiles): Promise<KeyPair> {
  const [cert, key] = await Promise.all([readFile(files.certFile), readFile(files.keyFile)]);
  return { cert, key };
}

async function readAll(files: CertificateFiles): Promise<Certificates> {
  const [pair, ca] = await Promise.all([readPair(files), readFile(files.caFile)]);
  return { ...pair, ca };
}

/** Throws when a TLS server with these certificates could not serve, or would trust others than the user's authorities. */
function verified<T extends KeyPair & { readonly ca?: Buffer }>(certificates: T): T {
  if (certificates.ca !== undefined) verifyAuthorities(certificates.ca);
  const leaf = new X509Certificate(certificates.cert);
  createSecureContext(certificates);
  if (Date.parse(leaf.validTo) < Date.now()) throw new Error(`the certificate expired on ${leaf.validTo}`);
  return certificates;
}

function verifyAuthorities(ca: Buffer): void {
  const authorities = ca.toString("latin1").match(pemCertificate) ?? [];
  // An empty list of authorities would make Node trust all public ones.
  if (authorities.length === 0) throw new Error("the CA file has no certificate");
  for (const pem of authorities) new X509Certificate(pem);
}

function digest({ cert, key, ca = Buffer.alloc(0) }: KeyPair & { readonly ca?: Buffer }): string {
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
