// Label images to cells, cells to outlines, and back.
export { cellContours, cellContoursAsync } from './cell_contours.js';
export type { Cells } from './cells.js';
export { connectedComponents, connectedComponentsAsync } from './connected_components.js';
export { distanceTransform, distanceTransformAsync } from './distance_transform.js';
export { findCells, findCellsAsync } from './find_cells.js';
export { type GeoJsonOptions, readGeoJson } from './geojson.js';
export { readHoverNet } from './hovernet.js';
export type { CellPolygons } from './polygon_file.js';
export { type Polygons, polygonsFrom, ringArea } from './polygons.js';
export { type Rasterized, type RasterizeOptions, rasterizePolygons, rasterizePolygonsAsync } from './rasterize.js';
export { type ReadCellMask, readCellMask } from './read_cell_mask.js';
export { readPolygons } from './read_polygons.js';
export { type RegionOutlineOptions, type RegionPolygons, traceRegions } from './region_outlines.js';
export { type Segmentation, type SegmentOptions, segmentNuclei } from './segment.js';
export { type RegionSource, type SegmentedTile, type SegmentTilesOptions, segmentTiles } from './segment_tiles.js';
export { watershed, watershedAsync } from './watershed.js';
export { type WriteGeoJsonOptions, writeGeoJson } from './write_geojson.js';
export { openRegionGeoJson, type RegionGeoJson, type RegionGeoJsonOptions } from './write_regions.js';
