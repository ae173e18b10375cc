#include "kernels/upsample_bilinear.h"

#include "call.cuh"
#include "row_vectors.cuh"

namespace uam::cuda {

struct ResizeAxis {
  int64_t in, out;
  bool align_corners;
};

// Where an output looks; see ResizeSource.
struct ResizeStep {
  int32_t low, high;
  float part;
};

// The outputs [begin, end) that look at an input: the coordinate rises, so they are neighbours.
struct ResizeRange {
  int32_t begin, end;
};

__device__ inline ResizeSource source_of(const ResizeAxis& axis, int64_t o) {
  return ResizeSource(o, axis.in, axis.out, axis.align_corners);
}

// The first output whose source is past input i: its second index reaches i, or (beyond) its first index exceeds i.
__device__ inline int64_t first_output(const ResizeAxis& axis, int64_t i, bool beyond) {
  int64_t from = 0, to = axis.out;
  while (from < to) {
    const int64_t middle = (from + to) / 2;
    const ResizeSource source = source_of(axis, middle);
    if (beyond ? source.low > i : source.high >= i) to = middle;
    else from = middle + 1;
  }
  return from;
}

// Steps of both axes, rows first, and (null: nobody asks) the ranges of their inputs. Coordinates are doubles: once per row and
// column here, not once per pixel.
__global__ void resize_tables_kernel(ResizeAxis rows, ResizeAxis columns, ResizeStep* steps, ResizeRange* ranges) {
  const int64_t outputs = rows.out + columns.out, inputs = ranges ? rows.in + columns.in : 0;
  for (int64_t at = first_element(); at < outputs + inputs; at += element_step()) {
    if (at < outputs) {
      const ResizeSource source = at < rows.out ? source_of(rows, at) : source_of(columns, at - rows.out);
      steps[at] = {int32_t(source.low), int32_t(source.high), source.part};
    } else {
      const int64_t i = at - outputs;
      const ResizeAxis axis = i < rows.in ? rows : columns;
      const int64_t input = i < rows.in ? i : i - rows.in;
      ranges[i] = {int32_t(first_output(axis, input, false)), int32_t(first_output(axis, input, true))};
    }
  }
}

// What an output gives to input i; one whose two sources are the same input gives it both weights.
__device__ inline float weight_for(const ResizeStep& step, int64_t i) {
  return (step.low == i ? 1.f - step.part : 0.f) + (step.high == i ? step.part : 0.f);
}

// A block takes blockDim.y neighbouring pixels of an output row.
template <int kFloats> __global__ void upsample_bilinear_fwd_kernel(ResizeAxis rows, ResizeAxis columns, int64_t channels, unsigned per_row,
                                                                    const ResizeStep* steps, const float* x, float* y) {
  const unsigned row = blockIdx.x / per_row;
  const int64_t oy = row % unsigned(rows.out), ox = int64_t(blockIdx.x % per_row) * blockDim.y + threadIdx.y;
  if (ox >= columns.out) return;
  const ResizeStep down = steps[oy], across = steps[rows.out + ox];
  const float* image = x + row / unsigned(rows.out) * rows.in * columns.in * channels;
  const float *above = image + down.low * columns.in * channels, *below = image + down.high * columns.in * channels;
  const int64_t left = across.low * channels, right = across.high * channels;
  float* out = y + (row * columns.out + ox) * channels;
  for (int64_t c = threadIdx.x * int64_t(kFloats); c < channels; c += blockDim.x * kFloats) {
    const auto a = load_floats<kFloats>(above + left + c), b = load_floats<kFloats>(above + right + c);
    const auto d = load_floats<kFloats>(below + left + c), e = load_floats<kFloats>(below + right + c);
    Floats<kFloats> blended;
#pragma unroll
    for (int f = 0; f < kFloats; ++f) {
      const float top = fmaf(across.part, b.at[f], (1.f - across.part) * a.at[f]);
      const float bottom = fmaf(across.part, e.at[f], (1.f - across.part) * d.at[f]);
      blended.at[f] = fmaf(down.part, bottom, (1.f - down.part) * top);
    }
    store_floats(out + c, blended);
  }
}

// gathered[n, iy, :] = sum of the output rows that looked at input row iy, as wide as they are.
template <int kFloats> __global__ void __launch_bounds__(kVectorThreads)
    gather_output_rows_kernel(ResizeAxis rows, int64_t out_floats, unsigned per_row, const ResizeStep* steps, const ResizeRange* ranges,
                              const float* dy, float* gathered) {
  const unsigned row = blockIdx.x / per_row;
  const int64_t iy = row % unsigned(rows.in), at = ((blockIdx.x % per_row) * int64_t(kVectorThreads) + threadIdx.x) * kFloats;
  if (at >= out_floats) return;
  const float* image = dy + row / unsigned(rows.in) * rows.out * out_floats + at;
  const ResizeRange range = ranges[iy];
  Floats<kFloats> total = {};
#pragma unroll 4
  for (int64_t oy = range.begin; oy < range.end; ++oy) {
    const float weight = weight_for(steps[oy], iy);
    const auto slope = load_floats<kFloats>(image + oy * out_floats);
#pragma unroll
    for (int f = 0; f < kFloats; ++f) total.at[f] = fmaf(weight, slope.at[f], total.at[f]);
  }
  store_floats(gathered + row * out_floats + at, total);
}

// And then along the rows. A block takes blockDim.y neighbouring pixels of an input row.
template <int kFloats> __global__ void gather_output_columns_kernel(ResizeAxis columns, int64_t channels, unsigned per_row,
                                                                    const ResizeStep* steps, const ResizeRange* ranges,
                                                                    const float* gathered, float* dx) {
  const int64_t row = blockIdx.x / per_row, ix = int64_t(blockIdx.x % per_row) * blockDim.y + threadIdx.y;
  if (ix >= columns.in) return;
  const ResizeRange range = ranges[ix];
  for (int64_t c = threadIdx.x * int64_t(kFloats); c < channels; c += blockDim.x * kFloats) {
    Floats<kFloats> total = {};
#pragma unroll 4
    for (int64_t ox = range.begin; ox < range.end; ++ox) {
      const float weight = weight_for(steps[ox], ix);
      const auto slope = load_floats<kFloats>(gathered + (row * columns.out + ox) * channels + c);
#pragma unroll
      for (int f = 0; f < kFloats; ++f) total.at[f] = fmaf(weight, slope.at[f], total.at[f]);
    }
    store_floats(dx + (row * columns.in + ix) * channels + c, total);
  }
}

template <class P> static void check_source(const P& p) {
  if ((p.height == 0 || p.width == 0) && p.out_height > 0 && p.out_width > 0)
    throw KernelError("UAM_SHAPE", "upsample_bilinear: an image without pixels cannot be resized");
}

void upsample_bilinear_fwd(const UpsampleBilinearFwd& p) {
  check_source(p);
  if (p.y.size == 0) return;
  Call call;
  const ResizeAxis rows{p.height, p.out_height, p.align_corners}, columns{p.width, p.out_width, p.align_corners};
  const float* x = call.in(p.x);
  float* y = call.out(p.y);
  auto* steps = call.scratch<ResizeStep>(rows.out + columns.out);
  ResizeRange* ranges = nullptr;
  call.launch_elements(rows.out + columns.out, resize_tables_kernel, rows, columns, steps, ranges);
  with_vector_size(p.channels, {x, y}, [&](auto size) {
    constexpr int kFloats = size.kFloats;
    const dim3 threads = row_threads(p.channels / kFloats);
    const auto per_row = unsigned(ceil_div<int64_t>(columns.out, threads.y));
    call.launch({unsigned(p.batch * rows.out * per_row), threads}, upsample_bilinear_fwd_kernel<kFloats>, rows, columns, p.channels,
                per_row, steps, x, y);
  });
  call.finish();
}

void upsample_bilinear_bwd(const UpsampleBilinearBwd& p) {
  check_source(p);
  if (p.dx.size == 0) return;
  Call call;
  const ResizeAxis rows{p.height, p.out_height, p.align_corners}, columns{p.width, p.out_width, p.align_corners};
  const float* dy = call.in(p.dy);
  float* dx = call.out(p.dx);
  auto* steps = call.scratch<ResizeStep>(rows.out + columns.out);
  auto* ranges = call.scratch<ResizeRange>(rows.in + columns.in);
  call.launch_elements(rows.out + columns.out + rows.in + columns.in, resize_tables_kernel, rows, columns, steps, ranges);
  const int64_t out_floats = columns.out * p.channels, input_rows = p.batch * rows.in;
  auto* gathered = call.scratch<float>(input_rows * out_floats);
  with_vector_size(p.channels, {dy, dx}, [&](auto size) {
    constexpr int kFloats = size.kFloats;
    const auto row_blocks = unsigned(ceil_div<int64_t>(out_floats, kVectorThreads * kFloats));
    call.launch({unsigned(input_rows * row_blocks), kVectorThreads}, gather_output_rows_kernel<kFloats>, rows, out_floats, row_blocks,
                steps, ranges, dy, gathered);
    const dim3 threads = row_threads(p.channels / kFloats);
    const auto per_row = unsigned(ceil_div<int64_t>(columns.in, threads.y));
    call.launch({unsigned(input_rows * per_row), threads}, gather_output_columns_kernel<kFloats>, columns, p.channels, per_row,
                steps + rows.out, ranges + rows.in, gathered, dx);
  });
  call.finish();
}

}  // namespace uam::cuda
