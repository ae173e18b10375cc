import { mismatch, UamError } from '../errors.js';
import { Initializer } from '../nn/initializer.js';
import { Module } from '../nn/module.js';
import { mul } from '../ops/binary.js';
import { tanh } from '../ops/unary.js';
import { Tensor } from '../tensor/tensor.js';
import type { CellBatch } from '../tokens/cell_batch.js';
import { checkImagesOfTiles } from '../uam/cells_on_images.js';
import { CrossFusion, type FusionMeeting, MeanFusion } from '../uam/fusion.js';
import { ImageAdapters } from '../uam/image_adapters.js';
import { ImageEncoder } from '../uam/image_encoder.js';
import type { ImageBatch, ImageFeatures } from '../uam/image_features.js';
import type { TrainingStep } from '../uam/noise.js';
import { CellClassifier, type ClassifierOutput } from './cell_classifier.js';
import { type JointConfig, jointLevels } from './joint_config.js';
import { SegmentationHead } from './segmentation.js';

/** Tiles as a joint model takes them in: cells, images, or both. Their tensors are of the host, wherever the model lives. */
export interface JointBatch {
  /** Cells of all tiles with their arrangement; its tiles are those of the batch. */
  cells?: CellBatch | undefined;
  /**
   * `[cells, 4]`: x0, y0, x1, y1 of each cell's box in micrometres, outer edges of its pixels where positions are pixel centres.
   * Default: 10 um around each position.
   */
  boxes?: Float64Array | undefined;
  /** Images of one size: pixels for the built-in encoder, features for one from outside. */
  image?: ImageBatch | ImageFeatures | undefined;
  /** The image of each tile, -1 for a tile that has none. Default: tile i has image i. */
  imageOfTile?: Int32Array | undefined;
}

export interface JointRun {
  /** In training mode: the step, from which random numbers follow. */
  at?: TrainingStep | undefined;
  /** Keeps only what goes into each block and computes the rest again in the backward pass: less memory, more time. Default false. */
  recompute?: boolean;
}

export interface JointOutput {
  /** Undefined without cells. */
  cells?: ClassifierOutput | undefined;
  /** Logits of the regions, [images, height, width, regions]; undefined without images. */
  regions?: Tensor | undefined;
}

/** Keeps the numbers that the image's part starts from apart from those of the cells' part, which has the seed itself. */
const IMAGE_SEED = 0x1a6e0000;
/** Bound of the learned weights of the tasks. */
const MOST_SCALE = 3;

const noTiles = Int32Array.of(0);

/**
 * Cells classified and regions segmented in one model: a `CellClassifier`, an image encoder (or adapters of one from outside), a fusion of
 * both and a segmentation head. Cells without images and images without cells both work, also tile by tile. Parameters are called
 * `tokens.`, `backbone.` and `head.` as in a `CellClassifier`, and `encoder.` or `adapters.`, `fusion.`, `segmentation.`, `task_scales`.
 *
 * @example
 * const cells = { features: 10, classes: 3, backbone: { size: 'S' as const } };
 * const model = new JointModel(jointConfig({ cells, image: { builtIn: { size: 'S' } } }), 7);
 * const image = { width: 64, height: 64, channels: 3 as const, data: new Uint8Array(64 * 64 * 3), mpp: [0.5, 0.5] as const };
 * const arrangement = arrange(Float64Array.of(4, 4, 9, 12));
 * const batch = { cells: { features: Tensor.zeros([2, 10]), arrangement }, image: imageBatch([image]) };
 * const out = noGrad(() => model.forward(batch));
 * out.regions?.shape;         // [1, 64, 64, 1]
 * out.cells?.logits.shape;    // [2, 3]
 */
export class JointModel extends Module {
  /** Undefined in a model of regions alone. */
  readonly classifier: CellClassifier | undefined;
  readonly encoder: ImageEncoder | undefined;
  readonly adapters: ImageAdapters | undefined;
  readonly fusion: CrossFusion | MeanFusion | undefined;
  readonly segmentation: SegmentationHead;

  /**
   * @param config see `jointConfig`
   * @param seed of the values to start from; the cells' part starts as a `CellClassifier` of this seed
   */
  constructor(
    readonly config: JointConfig,
    seed: number,
  ) {
    super();
    const { cells, image, fusion, regions, uncertainty } = config;
    if (cells) this.classifier = this.child('', new CellClassifier(cells, seed));
    const start = new Initializer((seed ^ IMAGE_SEED) >>> 0);
    const levels = jointLevels(config);
    if ('builtIn' in image) this.encoder = this.child('encoder', new ImageEncoder(image.builtIn, start));
    else this.adapters = this.child('adapters', new ImageAdapters(image.external.levels, image.external.channels, start));
    const Fusion = { cross: CrossFusion, mean: MeanFusion, none: undefined }[fusion];
    if (Fusion && cells) {
      const { width, heads } = cells.backbone;
      this.fusion = this.child('fusion', new Fusion({ width, heads, levels }, start));
    }
    this.segmentation = this.child('segmentation', new SegmentationHead({ levels, regions }, start));
    if (uncertainty) this.parameter('task_scales', start.constant([2], 0));
  }

  /** s of both tasks, cells and regions, in (-3, 3); undefined where their weights are not learned. */
  get taskScales(): Tensor | undefined {
    return this.config.uncertainty ? mul(tanh(mul(this.get('task_scales'), 1 / MOST_SCALE)), MOST_SCALE) : undefined;
  }

  /**
   * @throws UamError `UAM_SHAPE`, `UAM_ARGUMENT` for a batch that does not fit the model or itself; `UAM_DATA` for features of another
   *   encoder than the one the model was made for; `UAM_ARGUMENT` in training mode without `run.at`
   */
  forward(batch: JointBatch, { at, recompute = false }: JointRun = {}): JointOutput {
    const { cells, image, boxes } = batch;
    const features = image && this.#featuresOf(image, recompute);
    const arrangement = cells && this.#arrangementOf(cells);
    const tiles = arrangement?.tiles ?? noTiles;
    const imageOfTile = this.#imagesOfTiles(batch, tiles.length - 1, features);
    const present = arrangement && arrangement.order.length > 0 ? { arrangement, boxes, imageOfTile } : undefined;
    const { fusion } = this;
    const meeting = features && fusion instanceof CrossFusion ? fusion.meet(features, present, recompute) : undefined;
    const classified = cells && this.#classified(cells, present !== undefined, meeting, { at, recompute });
    if (!features) return { cells: classified };
    let told = meeting?.features() ?? features;
    if (fusion instanceof MeanFusion) told = fusion.forward(features, present && classified?.embeddings, tiles, imageOfTile);
    return { cells: classified, regions: this.segmentation.forward(told, { recompute }) };
  }

  #classified(cells: CellBatch, any: boolean, meeting: FusionMeeting | undefined, run: JointRun): ClassifierOutput {
    const { dtype } = cells.features;
    const { classifier, device } = this;
    if (!classifier) throw new UamError('UAM_ARGUMENT', 'joint model: this is a model of regions alone: give it no cells');
    const { backbone, classes } = classifier.config;
    if (!any)
      return {
        logits: Tensor.zeros([0, classes], dtype, device),
        embeddings: Tensor.zeros([0, backbone.width], dtype, device),
        attentionShares: [],
      };
    const after = Math.floor(backbone.depth / 2);
    return classifier.forward(cells, { ...run, meeting: meeting && { after, change: (tokens) => meeting.cells(tokens) } });
  }

  #arrangementOf({ arrangement, features }: CellBatch) {
    if (!arrangement) throw new UamError('UAM_ARGUMENT', 'joint model: give the cells an arrangement (arrange), which tells their places');
    const cells = features.shape[0] as number;
    if (arrangement.order.length !== cells)
      throw mismatch('UAM_SHAPE', 'joint model: arrangement', `of ${cells} cells`, `${arrangement.order.length}`);
    return arrangement;
  }

  #featuresOf(image: ImageBatch | ImageFeatures, recompute: boolean): ImageFeatures {
    if (this.encoder) {
      if (!('pixels' in image))
        throw new UamError('UAM_ARGUMENT', 'joint model: its encoder is built in: give it pixels (imageBatch), not features');
      return this.encoder.forward(image, { recompute });
    }
    if ('pixels' in image) {
      const text = 'joint model: its encoder is not built in: give it features (readImageFeatures, or an OnnxEncoder), not pixels';
      throw new UamError('UAM_ARGUMENT', text);
    }
    const expected = 'external' in this.config.image ? this.config.image.external.modelHash : '';
    if (image.modelHash !== expected) {
      throw new UamError(
        'UAM_DATA',
        `joint model: it was made for features of the encoder ${expected}, received those of ${image.modelHash}`,
      );
    }
    return (this.adapters as ImageAdapters).forward(image);
  }

  #imagesOfTiles({ cells, imageOfTile }: JointBatch, tiles: number, features: ImageFeatures | undefined): Int32Array {
    const images = features ? features.origin.length / 2 : 0;
    if (!cells) return Int32Array.of();
    const list = imageOfTile ?? Int32Array.from({ length: tiles }, (_, tile) => (tile < images ? tile : -1));
    if (!imageOfTile && images > 0 && images !== tiles) {
      throw mismatch(
        'UAM_SHAPE',
        'joint model: images',
        `one per tile (${tiles})`,
        String(images),
        'or say which tile has which: imageOfTile',
      );
    }
    checkImagesOfTiles(list, tiles, images);
    return list;
  }
}
