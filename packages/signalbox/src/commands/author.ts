import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";

/** Who does it. A person's word has a name, if only that of the account. */
export function authorOf({ author }: { readonly author?: string }, { environment }: CommandContext): string {
  const { LOGNAME, USER } = environment;
  const name = [author, USER, LOGNAME].find((one) => one !== undefined && one !== "");
  if (name !== undefined) return name;
  throw new CommandFailure("--author must say who does it: USER and LOGNAME are not set", exitCodes.usage);
}
