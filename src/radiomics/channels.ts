// Channels of an image: the planes that texture is computed on.
import { mismatch, UamError } from '../errors.js';
import { channelPlane, greyPlane } from '../image/grey.js';
import type { Plane, RasterImage } from '../image/image.js';
import { type StainChoice, stainPlanesAsync } from '../image/stains.js';
import type { AsyncOptions } from '../native/call.js';
import type { Settings } from './settings.js';

/** What can be computed on: grey levels, a colour, or the density of a stain. */
export const CHANNELS = Object.freeze(['grey', 'r', 'g', 'b', 'haematoxylin', 'eosin'] as const);
export type Channel = (typeof CHANNELS)[number];

/** A channel's part of a column's name: nothing for grey, so that the names of one grey image are PyRadiomics'. */
export const channelPrefix = (channel: Channel): string => (channel === 'grey' ? '' : `${channel}_`);

/** The chosen channels of an image, each `height * width`. */
export async function channelPlanes(
  image: RasterImage,
  channels: readonly Channel[],
  stains: StainChoice,
  call: AsyncOptions,
): Promise<Map<Channel, Plane>> {
  const stained = channels.filter((channel) => channel === 'haematoxylin' || channel === 'eosin');
  if (stained.length > 0 && image.channels !== 3) {
    throw mismatch('UAM_DATA', `${image.name ?? 'the image'}`, `an RGB image for channel ${stained[0]}`, 'a grey one', 'use channel grey');
  }
  const densities = stained.length > 0 ? await stainPlanesAsync(image, { stains, planes: stained }, call) : undefined;
  return new Map(
    channels.map((channel) => {
      if (channel === 'grey') return [channel, greyPlane(image)];
      if (channel === 'haematoxylin' || channel === 'eosin') return [channel, densities?.[channel] as Plane];
      return [channel, channelPlane(image, channel)];
    }),
  );
}

/** Checks a list of channels. */
export function checkChannels(channels: readonly string[]): readonly Channel[] {
  for (const channel of channels) {
    if (!(CHANNELS as readonly string[]).includes(channel)) {
      throw mismatch('UAM_ARGUMENT', 'a channel', `one of ${CHANNELS.join(', ')}`, `'${channel}'`);
    }
  }
  if (new Set(channels).size !== channels.length) throw new UamError('UAM_ARGUMENT', `channels name one twice: ${channels.join(', ')}`);
  return channels as readonly Channel[];
}

/**
 * PyRadiomics' `normalize`: minus the mean of the plane, over its standard deviation (of a sample: n - 1, as ITK computes it), clipped
 * at `removeOutliers` deviations, times `normalizeScale`.
 */
export function normalised(plane: Plane, settings: Settings): Plane {
  if (!settings.normalize || plane.length === 0) return plane;
  let sum = 0;
  for (const value of plane) sum += value;
  const mean = sum / plane.length;
  let squares = 0;
  for (const value of plane) squares += (value - mean) ** 2;
  const deviation = Math.sqrt(squares / Math.max(plane.length - 1, 1)) || 1; // a flat image has no deviation to divide by
  const limit = settings.removeOutliers ?? Infinity;
  return Float64Array.from(plane, (value) => settings.normalizeScale * Math.min(Math.max((value - mean) / deviation, -limit), limit));
}
