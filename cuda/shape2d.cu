#include "kernels/shape2d.h"

#include "texture_arrays.cuh"
#include "outline_measures.h"
#include "texture_arena.cuh"

namespace uam::cuda {

// The pixels of region r as a mask in its box, with a ring of zeros; spans in the columns of the region's own box. As gather_region.
__device__ inline Region gather_mask(const RoiMask& mask, int64_t r, Arena& arena) {
  const int32_t* box = mask.boxes.data + 4 * r;
  const uint32_t id = mask.ids.data[r], width = uint32_t(box[2] - box[0]), height = uint32_t(box[3] - box[1]);
  const int64_t stride = int64_t(width) + 2;
  uint8_t* grid = arena.take<uint8_t>(stride * (int64_t(height) + 2));
  int32_t *first = arena.take<int32_t>(height), *last = arena.take<int32_t>(height);
  int32_t left = INT32_MAX, right = -1, top = INT32_MAX, bottom = -1, count = 0;
  each_of(stride * (int64_t(height) + 2), [&](int64_t k) {
    const auto y = int32_t(uint32_t(k) / uint32_t(stride)), x = int32_t(k - y * stride) - 1;
    const bool within = y >= 1 && y <= int32_t(height) && x >= 0 && x < int32_t(width);
    const bool inside = within && mask.labels.data[(int64_t(box[1]) + y - 1) * mask.width + box[0] + x] == id;
    grid[k] = inside;
    if (!inside) return;
    ++count;
    left = Lesser()(left, x), right = Larger()(right, x);
    top = Lesser()(top, y - 1), bottom = Larger()(bottom, y - 1);
  });
  Region region;
  region.n = block_reduce(count, 0, Plus());
  left = block_reduce(left, INT32_MAX, Lesser()), right = block_reduce(right, -1, Larger());
  top = block_reduce(top, INT32_MAX, Lesser()), bottom = block_reduce(bottom, -1, Larger());
  if (region.n == 0) return region;
  __syncthreads();  // the grid is whole
  each_of(height, [&](int64_t y) {
    const uint8_t* row = grid + (y + 1) * stride + 1;
    int32_t a = 0, b = int32_t(width) - 1;
    while (a <= b && !row[a]) ++a;
    while (b >= a && !row[b]) --b;
    first[y] = a <= b ? a - left : INT32_MAX;
    last[y] = a <= b ? b - left : -1;
  });
  __syncthreads();
  region.width = right - left + 1;
  region.height = bottom - top + 1;
  region.stride = stride;
  region.inside = grid + (top + 1) * stride + left + 1;
  region.spans[0] = first + top;
  region.spans[1] = last + top;
  return region;
}

// Whole numbers throughout, so the order in which threads add changes nothing.
__device__ inline Mesh mesh_by_block(const Region& region, const Spacing& spacing, int64_t* squares) {
  UAM_SHARED(int32_t, counts, [16]);
  if (threadIdx.x < 16) counts[threadIdx.x] = 0;
  __syncthreads();
  const auto corners = uint32_t(region.width + 1);
  int32_t whole = 0;
  each_of((region.height + 1) * int64_t(corners), [&](int64_t k) {
    const uint32_t y = uint32_t(k) / corners, x = uint32_t(k) - y * corners;
    const uint8_t *above = region.inside + (int64_t(y) - 1) * region.stride + x, *below = above + region.stride;
    const unsigned code = unsigned(above[-1]) | unsigned(above[0]) << 1 | unsigned(below[-1]) << 2 | unsigned(below[0]) << 3;
    if (code == 15) ++whole;
    else if (code != 0) atomicAdd(&counts[code], 1);
  });
  whole = block_reduce(whole, 0, Plus());
  __syncthreads();
  if (threadIdx.x < 16) squares[threadIdx.x] = threadIdx.x == 15 ? whole : counts[threadIdx.x];
  __syncthreads();
  return mesh_of(squares, spacing);
}

__device__ inline Spread spread_by_block(const Region& region, const Spacing& spacing) {
  CoordinateSums sums{0, 0, 0, 0, 0};
  const auto width = uint32_t(region.width);
  each_of(region.height * int64_t(width), [&](int64_t k) {
    const uint32_t row = uint32_t(k) / width, column = uint32_t(k) - row * width;
    if (!region.inside[row * region.stride + column]) return;
    const double x = double(column), y = double(row);
    sums.x += x;
    sums.y += y;
    sums.xx += x * x;
    sums.xy += x * y;
    sums.yy += y * y;
  });
  for (double* sum : {&sums.x, &sums.y, &sums.xx, &sums.xy, &sums.yy}) *sum = block_sum(*sum);
  return spread_of(double(region.n), sums, spacing);
}

__device__ inline double diameter_by_block(const Hull& hull, const Spacing& spacing) {
  double longest = 0;
  each_of(hull.size, [&](int64_t i) {
    for (int64_t j = i + 1; j < hull.size; ++j) {
      const double dx = double(hull.corners[i].x - hull.corners[j].x) * (spacing.x / 2);
      const double dy = double(hull.corners[i].y - hull.corners[j].y) * (spacing.y / 2);
      longest = Larger()(longest, dx * dx + dy * dy);
    }
  });
  return sqrt(block_reduce(longest, 0.0, Larger()));
}

struct ShapePlan {
  const int32_t* order;  // [count] the regions
  int64_t count, bytes;
  char* memory;  // `bytes` for each block
  int64_t shared;
};

__global__ void __launch_bounds__(256) shape2d_kernel(const __grid_constant__ Shape2d p, const __grid_constant__ ShapePlan plan) {
  for (int64_t k = blockIdx.x; k < plan.count; k += gridDim.x) {
    const int64_t r = plan.order[k];
    char *shared = dynamic_shared<char>(), *memory = plan.memory + blockIdx.x * plan.bytes;
    Arena arena{shared, shared + plan.shared, memory, memory + plan.bytes};
    double* out = p.out.data + r * Shape2d::kColumns;
    __syncthreads();  // the region before is done with its memory
    int64_t* squares = arena.take<int64_t>(16);
    Hull* hull = arena.take<Hull>(1);
    const Region region = gather_mask(p, r, arena);
    if (region.n == 0) {
      each_of(Shape2d::kColumns, [&](int64_t column) { out[column] = NAN; });
      continue;
    }
    if (threadIdx.x == 0) *hull = hull_round(region, 1, arena);
    const Mesh mesh = mesh_by_block(region, p.spacing, squares);
    const Spread spread = spread_by_block(region, p.spacing);
    const double diameter = diameter_by_block(*hull, p.spacing);  // mesh_by_block has barriers: the hull is there
    if (threadIdx.x == 0) Shape2d::write(mesh, spread, diameter, region.n, p.spacing, out);
  }
}

void shape2d(const Shape2d& p) {
  constexpr int kSizes = 3;
  constexpr int64_t kArea[kSizes] = {4096, 65536, INT64_MAX}, kMemory = int64_t(1) << 29, kShared = 6 * 1024;
  constexpr unsigned kThreads[kSizes] = {32, 128, 256};
  check_host(p);
  check_mask(p);
  check_spacing(p.spacing);
  std::vector<int32_t> lists[kSizes];
  int64_t bytes[kSizes] = {};
  for (int64_t r = 0; r < p.rois; ++r) {
    check_region_size(p, r);
    const int32_t* box = p.boxes.data + 4 * r;
    const int64_t width = box[2] - box[0], height = box[3] - box[1];
    int size = 0;
    while (width * height > kArea[size]) ++size;
    lists[size].push_back(int32_t(r));
    bytes[size] = std::max(bytes[size], (width + 2) * (height + 2) + 104 * height + 2048);
  }
  Call call;
  Shape2d brought = p;
  bring_mask(call, brought);
  brought.out.data = call.out(p.out);
  for (int size = kSizes - 1; size >= 0; --size) {  // the largest first: they take longest
    const auto count = int64_t(lists[size].size());
    if (count == 0) continue;
    const int64_t own = (bytes[size] + 255) / 256 * 256;
    const int64_t blocks = std::min({count, int64_t(call.multiprocessors()) * (size == 0 ? 24 : 8), std::max<int64_t>(kMemory / own, 1)});
    const ShapePlan plan{call.upload(lists[size]), count, own, call.scratch<char>(blocks * own), kShared};
    call.launch({unsigned(blocks), kThreads[size], size_t(kShared)}, shape2d_kernel, brought, plan);
  }
  call.finish();
}

}  // namespace uam::cuda
