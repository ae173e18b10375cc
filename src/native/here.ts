/** Where this module lies, to find the package from. The CommonJS build has its own version (scripts/build_ts.mjs). */
export const here: string = import.meta.url;
