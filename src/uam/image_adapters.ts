import type { Initializer } from '../nn/initializer.js';
import { Linear } from '../nn/linear.js';
import { Module } from '../nn/module.js';
import { bring } from '../tensor/bring.js';
import { checkFeatures, checkLevels, type ImageFeatures, type LevelShape } from './image_features.js';

/**
 * Brings the maps of an encoder that is not trained here to the channels of the model: a 1x1 convolution per level, which is trained.
 * Parameters: `<level>.weight` (channels of the encoder, channels of the model), `<level>.bias`.
 *
 * @example
 * const adapters = new ImageAdapters([{ name: 'res2', stride: 4, channels: 192 }], [32], new Initializer(1));
 * adapters.levels;   // [{ name: 'res2', stride: 4, channels: 32 }]
 */
export class ImageAdapters extends Module {
  readonly levels: readonly LevelShape[];
  readonly #layers: readonly Linear[];

  /**
   * @param given levels as the encoder makes them
   * @param channels of the model, one number per level
   */
  constructor(
    readonly given: readonly LevelShape[],
    channels: readonly number[],
    start: Initializer,
  ) {
    super();
    this.levels = given.map((level, i) => ({ ...level, channels: channels[i] ?? 0 }));
    checkLevels(given, 'adapters');
    checkLevels(this.levels, 'adapters');
    this.#layers = given.map((level, i) => this.child(level.name, new Linear(level.channels, channels[i] as number, start)));
  }

  /** @throws UamError `UAM_SHAPE` for features of another encoder */
  forward(features: ImageFeatures): ImageFeatures {
    checkFeatures(features, this.given);
    const { device } = this;
    const levels = features.levels.map((level, i) => {
      const tensor = (this.#layers[i] as Linear).forward(bring(level.tensor, device));
      return { ...level, channels: tensor.shape[3] as number, tensor };
    });
    return { ...features, levels };
  }
}
