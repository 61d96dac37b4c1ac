import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "./run-command.ts";

/** A certificate and its key, as files in PEM form. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Whom a certificate names. */
export interface CertificateSubject {
  readonly commonName: string;
  readonly organisation?: string;
  /** DNS names and IP addresses, written `DNS:localhost` and `IP:127.0.0.1`. */
  readonly alternativeNames?: readonly string[];
}

/** A certificate authority of its own, for one server. All it signs is valid for 30 days. */
export interface CertificateAuthority {
  readonly caFile: string;
  /** Writes `<name>.crt` and `<name>.key` beside the authority's files. For servers and for clients. */
  issue(name: string, subject: CertificateSubject): Promise<CertificateFiles>;
}

const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
const days = ["-days", "30"];

/** Makes an authority in a folder. Needs `openssl`. */
export async function createAuthority(dir: string): Promise<CertificateAuthority> {
  const caFile = join(dir, "ca.crt");
  const caKey = join(dir, "ca.key");
  const subject = ["-subj", "/CN=signalbox-test-ca"];
  await runCommand("openssl", ["req", "-x509", ...key, ...days, ...subject, "-keyout", caKey, "-out", caFile]);
  let serial = 1;
  return {
    caFile,
    async issue(name, { commonName, organisation, alternativeNames = [] }) {
      const [certFile, keyFile] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)];
      const requestFile = join(dir, `${name}.csr`);
      const extensionFile = join(dir, `${name}.ext`);
      const names = alternativeNames.length === 0 ? "" : `subjectAltName=${alternativeNames.join(",")}\n`;
      await writeFile(extensionFile, `${names}extendedKeyUsage=serverAuth,clientAuth\n`);
      const whom = `${organisation === undefined ? "" : `/O=${organisation}`}/CN=${commonName}`;
      await runCommand("openssl", ["req", ...key, "-subj", whom, "-keyout", keyFile, "-out", requestFile]);
      const signer = ["-CA", caFile, "-CAkey", caKey, "-set_serial", String(++serial)];
      const files = ["-in", requestFile, "-extfile", extensionFile, "-out", certFile];
      await runCommand("openssl", ["x509", "-req", ...days, ...signer, ...files]);
      return { certFile, keyFile };
    },
  };
}
