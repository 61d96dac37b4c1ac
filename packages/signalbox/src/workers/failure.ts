/** An error as it goes from process to process, with what the system said about it. */
export interface Failure {
  readonly message: string;
  readonly code?: string;
  /** The system call that failed, for example `bind`, and the port that it was about. */
  readonly syscall?: string;
  readonly port?: number;
  readonly cause?: Failure;
}

type Told = Error & Pick<Failure, "code" | "port" | "syscall">;

/** What another process has to know of an error. */
export function failureOf(error: Error): Failure {
  const { cause, code, message, port, syscall } = error as Told;
  return {
    message,
    ...(code !== undefined && { code }),
    ...(syscall !== undefined && { syscall }),
    ...(port !== undefined && { port }),
    ...(cause instanceof Error && { cause: failureOf(cause) }),
  };
}

/** The error that another process told of. */
export function errorOf({ cause, message, ...fields }: Failure): Error {
  return Object.assign(new Error(message, cause && { cause: errorOf(cause) }), fields);
}
