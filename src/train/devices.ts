// Which device a model works on: as users name it, and as threads are told.
import { chooseDevice, cudaCard, type Device } from '../native/device.js';
import type { CudaCard } from '../native/load.js';

/** What is taken of options that name a device. */
export interface OnDevice {
  /**
   * Where the model computes: 'cpu', 'cuda', 'cuda:1' (that card), or 'auto' (a card where there is one, else the CPU). Default: what
   * UAM_DEVICE says, else 'cpu'.
   */
  device?: string | undefined;
}

/** A device that is there. */
export interface ChosenDevice {
  device: Device;
  /** What a thread is told, and chooses again for itself: 'cpu', or 'cuda:' and the number of the card. */
  name: string;
  card: CudaCard | undefined;
}

/**
 * The device of a name, checked.
 *
 * @param name of several, the first that is not undefined counts
 * @throws UamError as `chooseDevice`
 */
export function deviceOf(...names: readonly (string | undefined)[]): ChosenDevice {
  const device = chooseDevice(names.find((name) => name !== undefined) ?? deviceByDefault());
  const card = device === 'cuda' ? cudaCard() : undefined;
  return { device, name: card ? `cuda:${card.index}` : 'cpu', card };
}

/** What UAM_DEVICE says, else 'cpu'. */
export const deviceByDefault = (): string => process.env['UAM_DEVICE'] || 'cpu';

/** The device in words: `cuda:0: NVIDIA H100 PCIe`, or `cpu`. */
export const deviceText = ({ name, card }: ChosenDevice): string => (card ? `${name}: ${card.name}` : name);
