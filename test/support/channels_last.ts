import { permute, type Tensor } from '../../src/index.js';

/** [batch, channels, height, width], or PyTorch's convolution weight, with its second axis last. */
export const channelsLast = (tensor: Tensor): Tensor => permute(tensor, [0, 2, 3, 1]);

/** The way back. */
export const channelsFirst = (tensor: Tensor): Tensor => permute(tensor, [0, 3, 1, 2]);
