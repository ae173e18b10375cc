import type { ImageWarning } from './image.js';

/** Collects warnings; the same code is kept once. */
export class Warnings {
  readonly list: ImageWarning[] = [];

  add(code: string, message: string): void {
    if (!this.list.some((warning) => warning.code === code)) this.list.push({ code, message });
  }
}
