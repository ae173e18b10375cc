import { readCheckpointHeader } from '../nn/checkpoint.js';
import { JOINT_FORMAT } from './joint_file.js';

/**
 * What kind of model a file holds: `'joint'` of those that `saveJointModel` wrote; `'cells'` of all others, which `loadClassifier` reads or
 * refuses.
 *
 * @throws UamError `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is no safetensors file
 * @example
 * const kind = (path: string) => modelKind(path);
 */
export async function modelKind(path: string): Promise<'cells' | 'joint'> {
  const { metadata } = await readCheckpointHeader(path);
  return metadata.get('uam.format') === JOINT_FORMAT ? 'joint' : 'cells';
}
