// Puts the CommonJS modules that dist/cjs/index.js reaches into one file, dist/cjs/all.js, each in a function as Node would wrap it. Opening 170
// files takes longer than running them: this halves the time of `import 'uam-native'`. The modules stay beside it for the command line.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';

const { dirname, join: resolve } = posix;

/** The modules that `file` reaches by relative paths, itself last. */
function reach(folder, file, modules = new Map()) {
  if (modules.has(file)) return modules;
  const text = readFileSync(join(folder, file), 'utf8');
  modules.set(file, text);
  for (const [, path] of text.matchAll(/\brequire\("(\.[^"]+)"\)/g)) reach(folder, resolve(dirname(file), path), modules);
  if (/\bimport\(['"]\./.test(text)) throw new Error(`${file} imports a module of ours dynamically: that path would be wrong in one file`);
  return modules;
}

const runtime = `
const loaded = new Map();
function load(file) {
  const found = loaded.get(file);
  if (found) return found.exports;
  const module = { exports: {} };
  loaded.set(file, module);
  const path = join(__dirname, file);
  const local = (name) => (name.startsWith('.') ? load(posix.join(posix.dirname(file), name)) : require(name));
  modules[file].call(module.exports, module.exports, local, module, path, dirname(path));
  return module.exports;
}
module.exports = load('index.js');
`;

export function oneFile(folder) {
  const modules = [...reach(folder, 'index.js')].map(
    ([file, text]) => `${JSON.stringify(file)}: function (exports, require, module, __filename, __dirname) {\n${text}\n},\n`,
  );
  writeFileSync(
    join(folder, 'all.js'),
    `'use strict';\nconst { dirname, join, posix } = require('node:path');\nconst modules = {\n${modules.join('')}};\n${runtime}`,
  );
  // Not `module.exports = require(...)`: for `import`, Node would then parse all of it in search of names.
  writeFileSync(join(folder, 'index.js'), "'use strict';\nconst all = require('./all.js');\nmodule.exports = all;\n");
}
