import { createHash, timingSafeEqual } from "node:crypto";
import { ApiRefusal } from "./failure.ts";

/**
 * Lets a write pass that brings the token as `Authorization: Bearer …`, and throws otherwise. Takes equally long for every wrong token.
 * Without a token, or with an empty one, no write passes.
 */
export function authorise(authorization: string | undefined, token: string | undefined): void {
  if (token === undefined || token === "")
    throw new ApiRefusal("SBX_WRITES_OFF", "Writes are off: no token is configured for them.");
  const [, given] = /^Bearer +([!-~]+) *$/i.exec(authorization ?? "") ?? [];
  if (given !== undefined && timingSafeEqual(digest(given), digest(token))) return;
  const error = given === undefined ? "" : ', error="invalid_token"';
  throw new ApiRefusal(
    "SBX_TOKEN",
    given === undefined
      ? "Writes need a token: Authorization: Bearer …"
      : "The token is not the one that is configured.",
    {},
    { "www-authenticate": `Bearer realm="signalbox"${error}` },
  );
}

/** Equally long for texts of any length, as the comparison needs it. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
