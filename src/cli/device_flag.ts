// `--device`: one flag for every command that computes on a card where there is one.
import type { Command } from 'commander';
import { runtimeInfo } from '../native/device.js';
import { deviceByDefault, deviceOf, deviceText } from '../train/devices.js';
import type { Session } from './session.js';

export interface DeviceFlags {
  device?: string;
}

/** @param what computes there, for the help: `the model` */
export const addDeviceFlag = (command: Command, what = 'the model'): Command =>
  command.option(
    '--device <name>',
    `where ${what} computes: cpu, cuda (an NVIDIA card, with a build for it: npm run build:cuda), cuda:1 (that card), or auto (a card where ` +
      'there is one, else the CPU); answers differ in their last digits (default: what UAM_DEVICE says, else cpu)',
  );

/**
 * The device that a command was told, checked before anything is read; the first message says which it is.
 *
 * @returns what calls take as `device`; undefined where nobody named one
 * @throws UamError `UAM_DEVICE` in the driver's words for a card that is not there, `UAM_ARGUMENT` for another name
 */
export function deviceFlag({ device: asked }: DeviceFlags, { log }: Pick<Session, 'log'>): string | undefined {
  if (asked === undefined && !process.env['UAM_DEVICE']) return undefined;
  const chosen = deviceOf(asked);
  const { device, name } = chosen;
  const why = device === 'cpu' && (asked ?? deviceByDefault()) === 'auto' ? `; no card: ${runtimeInfo().cuda}` : '';
  log.info(`computing on ${deviceText(chosen)}${why}`, { device: name });
  return name;
}
