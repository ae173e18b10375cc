#include "kernels/sample_bilinear.h"

#include "call.cuh"
#include "reduce.cuh"
#include "row_vectors.cuh"
#include "stable_order.cuh"

namespace uam::cuda {

struct SamplePoints {
  int64_t batch, height, width, channels, points;
  const float *map, *position;
  const int32_t* image;
  Fault* fault;

  // Whether the point lies on a map of the batch; reported where it does not.
  __device__ bool usable(int64_t point, bool speaks) const {
    const int32_t n = image[point];
    if (n >= 0 && n < batch) return true;
    if (speaks) report_fault(fault, point, n);
    return false;
  }
};

// The four pixels around a point.
struct SampleCorners {
  Between x, y;
  const float *a, *b, *d, *e;  // above left and right, below left and right

  __device__ SampleCorners(const SamplePoints& p, int64_t point)
      : x(p.position[2 * point], p.width), y(p.position[2 * point + 1], p.height) {
    const float* map = p.map + p.image[point] * p.height * p.width * p.channels;
    const float *above = map + y.low * p.width * p.channels, *below = map + y.high * p.width * p.channels;
    a = above + x.low * p.channels;
    b = above + x.high * p.channels;
    d = below + x.low * p.channels;
    e = below + x.high * p.channels;
  }
};

template <int kFloats> __global__ void sample_bilinear_fwd_kernel(SamplePoints p, float* out) {
  const int64_t point = row_of_thread();
  if (point >= p.points || !p.usable(point, threadIdx.x == 0)) return;
  const SampleCorners at(p, point);
  const float u = at.x.part, v = at.y.part;
  for (int64_t c = threadIdx.x * int64_t(kFloats); c < p.channels; c += blockDim.x * kFloats) {
    const auto a = load_floats<kFloats>(at.a + c), b = load_floats<kFloats>(at.b + c);
    const auto d = load_floats<kFloats>(at.d + c), e = load_floats<kFloats>(at.e + c);
    Floats<kFloats> blended;
#pragma unroll
    for (int f = 0; f < kFloats; ++f) {
      const float top = fmaf(u, b.at[f], (1.f - u) * a.at[f]), bottom = fmaf(u, e.at[f], (1.f - u) * d.at[f]);
      blended.at[f] = fmaf(v, bottom, (1.f - v) * top);
    }
    store_floats(out + point * p.channels + c, blended);
  }
}

// A warp per point.
template <int kFloats> __global__ void __launch_bounds__(256, 3) position_bwd_kernel(SamplePoints p, const float* dout, float* dposition) {
  const int lane = int(threadIdx.x % 32);
  for (int64_t point = first_element() / 32; point < p.points; point += element_step() / 32) {
    if (!p.usable(point, lane == 0)) continue;
    const SampleCorners at(p, point);
    const float u = at.x.part, v = at.y.part;
    float along_x = 0.f, along_y = 0.f;
    for (int64_t c = lane * kFloats; c < p.channels; c += 32 * kFloats) {
      const auto a = load_floats<kFloats>(at.a + c), b = load_floats<kFloats>(at.b + c);
      const auto d = load_floats<kFloats>(at.d + c), e = load_floats<kFloats>(at.e + c);
      const auto slope = load_floats<kFloats>(dout + point * p.channels + c);
#pragma unroll
      for (int f = 0; f < kFloats; ++f) {
        along_x = fmaf(slope.at[f], fmaf(v, e.at[f] - d.at[f], (1.f - v) * (b.at[f] - a.at[f])), along_x);
        along_y = fmaf(slope.at[f], fmaf(u, e.at[f] - b.at[f], (1.f - u) * (d.at[f] - a.at[f])), along_y);
      }
    }
    along_x = warp_sum(along_x);
    along_y = warp_sum(along_y);
    if (lane != 0) continue;
    dposition[2 * point] = at.x.inside ? along_x : 0.f;
    dposition[2 * point + 1] = at.y.inside ? along_y : 0.f;
  }
}

// The gradient of the map is gathered: points are sorted by the pixel at their upper left, and each pixel adds the points of the
// four cells around it in that order.

// keys[point] = the pixel at its upper left, counted in count[]; points without a map go behind all pixels.
__global__ void point_pixels_kernel(SamplePoints p, int64_t pixels, uint32_t* keys, int32_t* count) {
  for (int64_t point = first_element(); point < p.points; point += element_step()) {
    int64_t pixel = pixels;
    if (p.usable(point, true)) {
      const Between x(p.position[2 * point], p.width), y(p.position[2 * point + 1], p.height);
      pixel = (p.image[point] * p.height + y.low) * p.width + x.low;
    }
    keys[point] = uint32_t(pixel);
    atomicAdd(&count[pixel], 1);
  }
}

inline constexpr int kDigitBits = 8;

struct DigitOf {
  const uint32_t* keys;
  int shift;
  __device__ int32_t operator()(int64_t item) const { return int32_t(keys[item] >> shift & ((1u << kDigitBits) - 1u)); }
};
struct MovePoint {
  const uint32_t* keys;
  const int32_t* points;  // null at first: every point stands at its own place
  uint32_t* keys_to;
  int32_t* points_to;
  __device__ void operator()(int64_t item, int32_t, int32_t position) const {
    keys_to[position] = keys[item];
    points_to[position] = points ? points[item] : int32_t(item);
  }
};

// Points by rising key, equal ones in their own order: a stable sort by each digit, the lowest first.
static const int32_t* sort_points(Call& call, int64_t points, int64_t keys_end, uint32_t* keys) {
  auto* keys_to = call.scratch<uint32_t>(points);
  const int32_t* order = nullptr;
  int32_t* orders[2] = {call.scratch<int32_t>(points), call.scratch<int32_t>(points)};
  for (int shift = 0, pass = 0; shift == 0 || keys_end >> shift != 0; shift += kDigitBits, pass ^= 1) {
    const DigitOf digit{keys, shift};
    const KeyUnits units = count_keys(call, points, 1 << kDigitBits, digit, nullptr);
    place_keys(call, units, digit, MovePoint{keys, order, keys_to, orders[pass]});
    order = orders[pass];
    std::swap(keys, keys_to);
  }
  return order;
}

// The weight of a map's row or column `at` in a point between two of them.
__device__ inline float weight_at(const Between& place, int64_t at) {
  return (place.low == at ? 1.f - place.part : 0.f) + (place.high == at ? place.part : 0.f);
}

template <int kFloats>
__global__ void map_bwd_kernel(SamplePoints p, const int32_t* start, const int32_t* order, const float* dout, float* dmap) {
  const int64_t pixel = row_of_thread(), map_row = pixel / p.width, column = pixel - map_row * p.width;
  if (map_row >= p.batch * p.height) return;
  const int64_t row = map_row % p.height;
  const int64_t left = column > 0 ? 1 : 0;  // whether there is a cell to the left
  for (int64_t c = threadIdx.x * int64_t(kFloats); c < p.channels; c += blockDim.x * kFloats) {
    Floats<kFloats> total = {};
    for (int64_t upper = row > 0 ? 1 : 0; upper >= 0; --upper) {
      const int64_t cell = pixel - upper * p.width;
      for (int32_t at = start[cell - left], end = start[cell + 1]; at < end; ++at) {
        const int64_t point = order[at];
        const Between x(p.position[2 * point], p.width), y(p.position[2 * point + 1], p.height);
        const float weight = weight_at(y, row) * weight_at(x, column);
        const auto slope = load_floats<kFloats>(dout + point * p.channels + c);
#pragma unroll
        for (int f = 0; f < kFloats; ++f) total.at[f] = fmaf(weight, slope.at[f], total.at[f]);
      }
    }
    store_floats(dmap + pixel * p.channels + c, total);
  }
}

template <class P> static SamplePoints points_of(Call& call, const P& p) {
  if (p.points > 0 && (p.height == 0 || p.width == 0))
    throw KernelError("UAM_SHAPE", "sample_bilinear: a map without pixels has no values to sample");
  const int64_t batch = p.batch;
  Fault* fault = call.fault([=](int64_t place, int32_t value) {
    const std::string expected = "image[" + std::to_string(place) + "] must be from 0 to " + std::to_string(batch - 1);
    throw KernelError("UAM_ARGUMENT", "sample_bilinear: " + expected + ", received " + std::to_string(value));
  });
  return {batch, p.height, p.width, p.channels, p.points, call.in(p.map), call.in(p.position), call.in(p.image), fault};
}

void sample_bilinear_fwd(const SampleBilinearFwd& p) {
  Call call;
  const SamplePoints points = points_of(call, p);
  float* out = call.out(p.out);
  with_vector_size(p.channels, {points.map, out}, [&](auto size) {
    constexpr int kFloats = size.kFloats;
    call.launch(row_grid(p.points, p.channels / kFloats), sample_bilinear_fwd_kernel<kFloats>, points, out);
  });
  call.finish();
}

static void map_gradient(Call& call, const SamplePoints& p, const float* dout, float* dmap) {
  const int64_t pixels = p.batch * p.height * p.width;
  if (pixels >= 0xffffffff || p.points > 0x7fffffff)
    throw KernelError("UAM_SHAPE", "sample_bilinear: the gradient of so large a map is not computed on the card");
  auto* keys = call.scratch<uint32_t>(p.points);
  auto* start = call.zeroed<int32_t>(pixels + 1);  // points of pixel i: order[start[i] .. start[i + 1])
  call.launch_elements(p.points, point_pixels_kernel, p, pixels, keys, start);
  exclusive_sums(call, pixels + 1, start);
  const int32_t* order = p.points > 0 ? sort_points(call, p.points, pixels, keys) : nullptr;
  with_vector_size(p.channels, {dout, dmap}, [&](auto size) {
    constexpr int kFloats = size.kFloats;
    call.launch(row_grid(pixels, p.channels / kFloats), map_bwd_kernel<kFloats>, p, start, order, dout, dmap);
  });
}

void sample_bilinear_bwd(const SampleBilinearBwd& p) {
  Call call;
  const SamplePoints points = points_of(call, p);
  const float* dout = call.in(p.dout);
  float *dmap = call.out(p.dmap), *dposition = call.out(p.dposition);
  if (dposition)
    with_vector_size(p.channels, {points.map, dout},
                     [&](auto size) { call.launch_elements(p.points * 32, position_bwd_kernel<size.kFloats>, points, dout, dposition); });
  if (dmap) map_gradient(call, points, dout, dmap);
  call.finish();
}

}  // namespace uam::cuda
