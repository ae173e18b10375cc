import type { Device } from '../native/device.js';
import type { Tensor } from './tensor.js';

/** `tensor` itself, in its graph, where it lives on `device`; else a copy of it there, outside of any graph. */
export const bring = (tensor: Tensor, device: Device): Tensor => (tensor.device === device ? tensor : tensor.to(device));
