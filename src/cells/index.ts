// Label images to cells, cells to outlines, and back.
export { cellContours, cellContoursAsync } from './cell_contours.js';
export type { Cells } from './cells.js';
export { findCells, findCellsAsync } from './find_cells.js';
export { type Polygons, polygonsFrom, ringArea } from './polygons.js';
export { type Rasterized, type RasterizeOptions, rasterizePolygons, rasterizePolygonsAsync } from './rasterize.js';
