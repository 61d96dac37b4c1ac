import type { FaultList, ObjectPath } from "../fault.ts";
import type { ClientTls } from "../schema/destination-rule.ts";

const configMap = "configmap://";

/** Checks the TLS that a client begins. A certificate authority in a ConfigMap must be of the object's own namespace. */
export function checkClientTls(
  tls: ClientTls | undefined,
  path: ObjectPath,
  namespace: string,
  faults: FaultList,
): void {
  if (tls === undefined) return;
  const fault = configMapFault(tls.credentialName, namespace);
  if (fault !== undefined) faults.error([...path, "credentialName"], fault);
  if (tls.insecureSkipVerify === true) checkUnverified(tls, path, faults);
  if (tls.mode !== "SIMPLE" && tls.mode !== "MUTUAL") return;
  if (tls.credentialName !== "") {
    for (const field of ["clientCertificate", "privateKey", "caCertificates", "caCrl"] as const) {
      if (tls[field] !== "") faults.error([...path, field], "cannot stand beside credentialName");
    }
  } else if (tls.mode === "MUTUAL") {
    for (const field of ["clientCertificate", "privateKey"] as const) {
      if (tls[field] === "") faults.error([...path, field], "is required for mode MUTUAL");
    }
  }
}

/** Checks that nothing is given to verify the server by where it is not verified. */
function checkUnverified(tls: ClientTls, path: ObjectPath, faults: FaultList): void {
  if (tls.mode !== "SIMPLE" && tls.mode !== "MUTUAL") return;
  const message = "cannot stand beside insecureSkipVerify: true";
  if (tls.caCertificates !== "") faults.error([...path, "caCertificates"], message);
  if (tls.subjectAltNames.length > 0) faults.error([...path, "subjectAltNames"], message);
  // With mode MUTUAL the credential may hold the client's certificate only.
  if (tls.mode === "SIMPLE" && tls.credentialName !== "") faults.error([...path, "credentialName"], message);
}

function configMapFault(credential: string, namespace: string): string | undefined {
  if (!credential.startsWith(configMap)) return undefined;
  const [written = "", name = ""] = credential.slice(configMap.length).split("/");
  if (written === "" || name === "") return `must be ${configMap}NAMESPACE/NAME`;
  return written === namespace ? undefined : `must be a ConfigMap of the object's own namespace, ${namespace}`;
}
