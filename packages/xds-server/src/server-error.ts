/** Why a server cannot start. */
export type XdsServerErrorCode =
  /** Neither a plaintext nor a TLS address was given. */
  | "SBX_XDS_NO_ADDRESS"
  /** Plaintext beyond loopback without `insecure: true`. */
  | "SBX_XDS_INSECURE"
  /** The address cannot be opened; `cause` is the system's error. */
  | "SBX_XDS_LISTEN"
  /** The certificate files cannot be read or do not belong together; `cause` says why. */
  | "SBX_XDS_CERTIFICATE";

/** Thrown by `XdsServer.listen` and `createXdsServer` when the server cannot start. */
export class XdsServerError extends Error {
  readonly code: XdsServerErrorCode;

  constructor(code: XdsServerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "XdsServerError";
    this.code = code;
  }
}
