import { ApiRefusal } from "./failure.ts";
import type { Written } from "./sources.ts";

/** The value of a write that was done. Throws SBX_ID_UNKNOWN or SBX_WRITE_REFUSED otherwise; `what` names the thing for people. */
export function done<T>(written: Written<T>, what: string): T {
  switch (written.type) {
    case "done":
      return written.value;
    case "absent":
      throw new ApiRefusal("SBX_ID_UNKNOWN", `There is no ${what}.`);
    case "refused":
      throw new ApiRefusal("SBX_WRITE_REFUSED", written.reason);
  }
}
