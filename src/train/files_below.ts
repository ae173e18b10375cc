import { join } from 'node:path';
import { listFolder } from './folder_files.js';

/** How deep published data sets lie below the folder that they are unpacked to. */
const DEEP = 5;

/**
 * The files below a folder whose names fit, folder by folder, in the order of their names; hidden ones are left out.
 *
 * @throws UamError `UAM_INPUT`
 */
export async function filesBelow(folder: string, fits: (name: string) => boolean, deep = DEEP): Promise<string[]> {
  const { files, folders } = await listFolder(folder);
  const found = files.filter(fits).map((file) => join(folder, file));
  if (deep > 0) for (const name of folders) found.push(...(await filesBelow(join(folder, name), fits, deep - 1)));
  return found;
}
