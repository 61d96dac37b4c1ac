export { createHttpClient } from "./client.ts";
export { sourceIn, tlsIn } from "./configured.ts";
export { HttpError, HttpOptionsError } from "./http-error.ts";
export type { ConfiguredTls } from "./configured.ts";
export type {
  HttpAnswer,
  HttpAuth,
  HttpClient,
  HttpClientOptions,
  HttpRequest,
  HttpTls,
  PemSource,
  SecretSource,
} from "./http-client.ts";
export type { HttpFailure, HttpProblem } from "./http-error.ts";
