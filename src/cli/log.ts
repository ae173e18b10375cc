// What a command says on standard error while it works.
import { UamError } from '../errors.js';

export type LogFormat = 'text' | 'json';

export interface LogOptions {
  format: LogFormat;
  /** Errors only. */
  quiet: boolean;
  write: (text: string) => void;
  /** Called before each message: a progress bar makes room. */
  before?: () => void;
}

/** Messages as lines of text, or as a JSON object per line. */
export class Log {
  constructor(private readonly options: LogOptions) {}

  info(message: string, fields: object = {}): void {
    if (!this.options.quiet) this.#write('info', message, fields);
  }

  warn(message: string, fields: object = {}): void {
    if (!this.options.quiet) this.#write('warning', message, fields);
  }

  /** An error with its code, without its stack: that is for those who set UAM_DEBUG=1. */
  error(error: unknown): void {
    const stack = process.env['UAM_DEBUG'] === '1' && error instanceof Error ? { stack: error.stack } : {};
    const message = error instanceof Error ? error.message : String(error);
    // Anything but a UamError was not foreseen.
    const code = error instanceof UamError ? error.code : 'internal error (please report it)';
    if (this.options.format === 'json') return this.#write('error', message, { code, ...stack });
    this.#line(`uam: ${code}: ${message}\n${stack.stack ? `${stack.stack}\n` : ''}`);
  }

  #write(level: string, message: string, fields: object): void {
    if (this.options.format === 'json') this.#line(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`);
    else this.#line(`uam: ${level === 'info' ? '' : `${level}: `}${message}\n`);
  }

  #line(text: string): void {
    this.options.before?.();
    this.options.write(text);
  }
}
