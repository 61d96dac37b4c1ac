/** Every refusal of the API, with its status. docs/reference/errors.md explains each. */
export const refusals = {
  SBX_ADDRESS_AMBIGUOUS: 409,
  SBX_ADDRESS_UNKNOWN: 404,
  SBX_BODY: 400,
  SBX_BODY_TOO_LARGE: 413,
  SBX_CONTENT_TYPE: 415,
  SBX_ID_UNKNOWN: 404,
  SBX_METHOD: 405,
  SBX_NOT_CONFIGURED: 404,
  SBX_NO_MIGRATION: 404,
  SBX_NO_ROUTE: 404,
  SBX_QUERY: 400,
  SBX_SERVICE_AMBIGUOUS: 409,
  SBX_SERVICE_UNKNOWN: 404,
  SBX_TOKEN: 401,
  SBX_WRITES_OFF: 403,
  SBX_WRITE_REFUSED: 409,
} as const;

/** The code of a refusal. */
export type RefusalCode = keyof typeof refusals;

/** Thrown when a request cannot be answered as asked; the API makes an answer of it. Never leaves `Api.handle`. */
export class ApiRefusal extends Error {
  readonly code: RefusalCode;
  readonly status: number;
  /** More members of the answer. */
  readonly more: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: RefusalCode,
    message: string,
    more: Readonly<Record<string, unknown>> = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = "ApiRefusal";
    this.code = code;
    this.status = refusals[code];
    this.more = more;
    this.headers = headers;
  }
}
