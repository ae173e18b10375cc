// What the process's exit code says: for people, and for schedulers that decide whether to run a job again.
import { UamError, type UamErrorCode } from '../errors.js';

export const EXIT = Object.freeze({
  ok: 0,
  /** The command line cannot be understood. */
  usage: 2,
  /** A file's content cannot be used. */
  data: 65,
  /** A file is missing or cannot be read. */
  input: 66,
  /** No device, or no native addon. */
  device: 69,
  /** A bug of ours. */
  bug: 70,
  /** A result cannot be written. */
  io: 74,
  /** It may work another time, or with more memory. */
  retry: 75,
});

const BY_CODE: Readonly<Partial<Record<UamErrorCode, number>>> = Object.freeze({
  UAM_ARGUMENT: EXIT.usage,
  UAM_FORMAT: EXIT.data,
  UAM_DATA: EXIT.data,
  UAM_SHAPE: EXIT.data,
  UAM_INPUT: EXIT.input,
  UAM_DEVICE: EXIT.device,
  UAM_ADDON: EXIT.device,
  UAM_IO: EXIT.io,
  UAM_MEMORY: EXIT.retry,
});

/** The exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  if (isBrokenPipe(error)) return signalExit('SIGPIPE');
  return error instanceof UamError ? (BY_CODE[error.code] ?? EXIT.bug) : EXIT.bug;
}

/** As a shell reports a process that a signal ended: 128 and its number. */
export const signalExit = (signal: 'SIGINT' | 'SIGPIPE' | 'SIGTERM'): number => 128 + { SIGINT: 2, SIGPIPE: 13, SIGTERM: 15 }[signal];

/** Whether whoever read our standard output has gone away, as `head` does: not worth a message. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EPIPE';
}

/** Whether an error lies in one image of many, so that the others can still be done. */
export const isAboutOneImage = (error: unknown): error is UamError => {
  const code = exitCodeOf(error);
  return error instanceof UamError && (code === EXIT.data || code === EXIT.input);
};
