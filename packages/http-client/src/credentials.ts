import { fileReason, FollowedFile } from "./followed-file.ts";
import type { HttpAuth, SecretSource } from "./http-client.ts";

/** The header that says who the client is, and what is wrong with the file behind it. */
export interface CredentialsLook {
  readonly header: readonly [name: string, value: string];
  readonly rejected?: string;
}

/** Makes the header of each request from a secret that may change. */
export class Credentials {
  readonly #auth: HttpAuth;
  readonly #source: SecretSource;
  #file: FollowedFile | undefined;
  #refused = false;
  #last: string | undefined;

  constructor(auth: HttpAuth) {
    this.#auth = auth;
    this.#source = sourceOf(auth);
  }

  /** The last answer was a 401 or 403: the next look does not trust what is remembered. */
  refused(): void {
    this.#refused = true;
  }

  /** Throws, in words without the secret, when there is none. */
  async look(): Promise<CredentialsLook> {
    const refused = this.#refused;
    this.#refused = false;
    const { secret, rejected } = await this.#secret(refused);
    return { header: this.#headerOf(secret), ...(rejected !== undefined && { rejected }) };
  }

  async #secret(refused: boolean): Promise<{ readonly secret: string; readonly rejected?: string }> {
    if ("value" in this.#source) return { secret: this.#source.value };
    if ("get" in this.#source) return { secret: await this.#ask(this.#source, refused) };
    const file = (this.#file ??= new FollowedFile(this.#source.file));
    const { path } = file;
    let rejected: string | undefined;
    try {
      const { content, failure } = await file.read(refused);
      const secret = content.toString("utf8").trim();
      const fault = this.#faultOf(secret);
      if (fault === undefined) this.#last = secret;
      if (failure !== undefined) rejected = fileReason(path, failure);
      else if (fault !== undefined) rejected = `${path} ${fault}`;
    } catch (error) {
      throw new Error(fileReason(path, error), { cause: error });
    }
    if (this.#last === undefined) throw new Error(rejected ?? `${path} holds no secret`);
    return { secret: this.#last, ...(rejected !== undefined && { rejected }) };
  }

  async #ask(source: Asked, refused: boolean): Promise<string> {
    let secret: string;
    try {
      secret = await source.get(refused);
    } catch (error) {
      // Foreign words may hold anything.
      throw new Error("the secret could not be obtained", { cause: error });
    }
    const fault = this.#faultOf(secret);
    if (fault !== undefined) throw new Error(`the secret ${fault}`);
    return secret;
  }

  /** What makes a secret unfit. A password goes encoded and may hold any character. */
  #faultOf(secret: string): string | undefined {
    if (secret === "") return "is empty";
    return this.#auth.type !== "basic" && !isHeaderValue(secret) ? "has characters that no header may hold" : undefined;
  }

  #headerOf(secret: string): readonly [name: string, value: string] {
    switch (this.#auth.type) {
      case "basic": {
        const pair = Buffer.from(`${this.#auth.username}:${secret}`, "utf8").toString("base64");
        return ["authorization", `Basic ${pair}`];
      }
      case "bearer":
        return ["authorization", `Bearer ${secret}`];
      case "header":
        return [this.#auth.name, secret];
    }
  }
}

/** Whether a text may stand in a header as it is. */
export function isHeaderValue(text: string): boolean {
  return /^[\t\u0020-\u007e]*$/u.test(text);
}

type Asked = Extract<SecretSource, { get(refused: boolean): Promise<string> }>;

function sourceOf(auth: HttpAuth): SecretSource {
  if (auth.type === "basic") return auth.password;
  return auth.type === "bearer" ? auth.token : auth.value;
}
