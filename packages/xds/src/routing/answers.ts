import { base64Decode } from "@bufbuild/protobuf/wire";
import {
  RedirectAction_RedirectResponseCode as Code,
  type DirectResponseActionSchema,
  type RedirectActionSchema,
} from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import type { HttpRoute } from "@signalbox/istio-objects";
import type { Init } from "../messages.ts";
import type { RouteInit } from "../routes.ts";
import type { RouteContext } from "./context.ts";

type RedirectInit = Init<typeof RedirectActionSchema>;
type Redirect = NonNullable<HttpRoute["redirect"]>;
type DirectResponse = NonNullable<HttpRoute["directResponse"]>;

/** What a route does with a request, before it is encoded. */
export type ActionInit = NonNullable<RouteInit["action"]>;

const codes: ReadonlyMap<number, Code> = new Map([
  [0, Code.MOVED_PERMANENTLY],
  [301, Code.MOVED_PERMANENTLY],
  [302, Code.FOUND],
  [303, Code.SEE_OTHER],
  [307, Code.TEMPORARY_REDIRECT],
  [308, Code.PERMANENT_REDIRECT],
]);

/** Sends the client elsewhere. A status with which Envoy cannot redirect is a fault of the rule: the answer is 500. */
export function redirectAction(redirect: Redirect, context: RouteContext): ActionInit {
  const responseCode = codes.get(redirect.redirectCode);
  if (responseCode === undefined) return statusAction(500);
  const { authority, scheme } = redirect;
  const port = redirectPort(redirect, context);
  return {
    case: "redirect",
    value: {
      responseCode,
      ...pathRewrite(redirect),
      ...(authority === "" ? {} : { hostRedirect: authority }),
      ...(scheme === "" ? {} : { schemeRewriteSpecifier: { case: "schemeRedirect", value: scheme } }),
      ...(port === 0 ? {} : { portRedirect: port }),
    },
  };
}

/** Answers with a status and perhaps a body. */
export function directResponseAction({ status, body }: DirectResponse): ActionInit {
  return { case: "directResponse", value: { status: envoyStatus(status), ...bodyOf(body) } };
}

/** Answers with a status alone. */
export function statusAction(status: number): ActionInit {
  return { case: "directResponse", value: { status } };
}

/** The next status that Envoy can answer with: 200 to 599. Istio lets 600 pass, and Envoy would refuse the whole table. */
export function envoyStatus(status: number): number {
  return Math.min(Math.max(status, 200), 599);
}

function pathRewrite({ prefixRewrite, uri }: Redirect): Pick<RedirectInit, "pathRewriteSpecifier"> {
  if (prefixRewrite !== "") return { pathRewriteSpecifier: { case: "prefixRewrite", value: prefixRewrite } };
  return uri === "" ? {} : { pathRewriteSpecifier: { case: "pathRedirect", value: uri } };
}

/** The port to write into the new location; 0 for none. The scheme's own port is not written. */
function redirectPort({ port, derivePort, scheme }: Redirect, { port: own, gateway }: RouteContext): number {
  const wanted = port ?? (derivePort === "FROM_REQUEST_PORT" ? own : 0);
  const used = scheme === "" ? (gateway?.tls === true ? "https" : "http") : scheme;
  return (used === "http" && wanted === 80) || (used === "https" && wanted === 443) ? 0 : wanted;
}

function bodyOf(body: DirectResponse["body"]): Pick<Init<typeof DirectResponseActionSchema>, "body"> {
  if (body?.string !== undefined) return { body: { specifier: { case: "inlineString", value: body.string } } };
  if (body?.bytes === undefined) return {};
  return { body: { specifier: { case: "inlineBytes", value: base64Decode(body.bytes) } } };
}
