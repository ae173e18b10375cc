#include "kernels/gather_rows.h"

#include "gather_rows_sort.cuh"
#include "index_error.h"
#include "strided.cuh"

namespace uam::cuda {

namespace {

// Quads of rows: thread -> row, column.
struct RowQuads {
  int64_t quads, width;
  Divisor quads_of_row;
  RowQuads(int64_t rows, int64_t width)
      : quads(rows * quads_of(width)), width(width), quads_of_row(std::max<int64_t>(quads_of(width), 1), quads) {}
  // visit(row, column)
  template <class Visit> __device__ __forceinline__ void each(Visit&& visit) const {
    for (int64_t q = first_element(); q < quads; q += element_step()) {
      const int64_t row = quads_of_row.quotient(q);
      visit(row, (q - row * quads_of_row.divisor()) * 4);
    }
  }
};

Fault* index_fault(Call& call, int64_t rows) {
  return call.fault([rows](int64_t place, int32_t value) { reject_index("index", place, value, rows); });
}

}  // namespace

template <bool kAligned> __global__ void gather_rows_fwd_kernel(RowQuads targets, int64_t rows, int64_t n, Divisor by_n, const float* x,
                                                                const int32_t* index, float* y, Fault* fault) {
  targets.each([&](int64_t target, int64_t column) {
    const int64_t o = by_n.quotient(target), j = target - o * n, count = targets.width - column;
    const int32_t row = index[j];
    Quad quad;
    if (row < 0 || row >= rows) report_fault(fault, j, row);
    else quad = load_quad<kAligned>(x + (o * rows + row) * targets.width + column, count);
    store_quad<kAligned>(y + target * targets.width + column, quad, count);
  });
}

void gather_rows_fwd(const GatherRowsFwd& p) {
  Call call;
  const float* x = call.in(p.x);
  const int32_t* index = call.in(p.index);
  float* y = call.out(p.y);
  const RowQuads targets(p.outer * p.n, p.width);
  const bool aligned = p.width % 4 == 0 && on_16_bytes(x, y);
  call.launch_elements(targets.quads, aligned ? gather_rows_fwd_kernel<true> : gather_rows_fwd_kernel<false>, targets, p.rows, p.n,
                       Divisor(std::max<int64_t>(p.n, 1), p.outer * p.n), x, index, y, index_fault(call, p.rows));
  call.finish();
}

// ---- the gradient ----

// Few indices: each row looks through all of them.
template <bool kAligned> __global__ void scatter_few_kernel(RowQuads targets, int64_t rows, int64_t n, Divisor by_rows, const float* dy,
                                                            const int32_t* index, float* dx, Fault* fault) {
  if (first_element() < n && (index[first_element()] < 0 || index[first_element()] >= rows))
    report_fault(fault, first_element(), index[first_element()]);
  targets.each([&](int64_t target, int64_t column) {
    const int64_t o = by_rows.quotient(target), row = target - o * rows, count = targets.width - column;
    Quad total;
    for (int64_t j = 0; j < n; ++j) {
      if (index[j] != row) continue;
      const Quad from = load_quad<kAligned>(dy + (o * n + j) * targets.width + column, count);
#pragma unroll
      for (int k = 0; k < 4; ++k) total.v[k] += from.v[k];
    }
    store_quad<kAligned>(dx + target * targets.width + column, total, count);
  });
}

// Many: the places are sorted by row (stably, so they rise within a row). Long lists are cut where the sorted list is, every kChunk
// places: what a chunk begins with may belong to a row of the chunk before (`head`), what it ends with may go on (`tail`). These are
// summed first, chunk by chunk, so that no thread has much more than kChunk numbers to add.
constexpr int64_t kChunk = 128;

struct SortedPlaces {
  int64_t n;
  const uint32_t *rows, *places;  // [n]
  const int32_t* start;           // [rows + 1]
};

template <bool kAligned> __device__ __forceinline__ Quad sum_places(const SortedPlaces& sorted, int64_t first, int64_t end, const float* dy,
                                                                    int64_t width, int64_t count) {
  Quad total;
  for (int64_t i = first; i < end; ++i) {
    const Quad from = load_quad<kAligned>(dy + int64_t(sorted.places[i]) * width, count);
#pragma unroll
    for (int k = 0; k < 4; ++k) total.v[k] += from.v[k];
  }
  return total;
}

// parts: [outer * chunks, head and tail, width rounded up to quads]
template <bool kAligned> __global__ void scatter_chunks_kernel(RowQuads chunks_of_all, int64_t chunks, int64_t rows, Divisor by_chunks,
                                                               SortedPlaces sorted, const float* dy, float4* parts) {
  chunks_of_all.each([&](int64_t chunk_of_all, int64_t column) {
    const int64_t o = by_chunks.quotient(chunk_of_all), chunk = chunk_of_all - o * chunks, width = chunks_of_all.width;
    const int64_t first = chunk * kChunk, end = min(first + kChunk, sorted.n), quads = quads_of(width);
    const float* from = dy + o * sorted.n * width + column;
    float4* part = parts + chunk_of_all * 2 * quads + column / 4;
    const uint32_t head = sorted.rows[first], tail = sorted.rows[end - 1];
    if (head < rows && sorted.start[head] < first) {
      const Quad sum = sum_places<kAligned>(sorted, first, min(end, int64_t(sorted.start[head + 1])), from, width, width - column);
      part[0] = make_float4(sum.v[0], sum.v[1], sum.v[2], sum.v[3]);
    }
    if (tail < rows && sorted.start[tail] >= first && sorted.start[tail + 1] > end) {
      const Quad sum = sum_places<kAligned>(sorted, sorted.start[tail], end, from, width, width - column);
      part[quads] = make_float4(sum.v[0], sum.v[1], sum.v[2], sum.v[3]);
    }
  });
}

template <bool kAligned> __global__ void scatter_many_kernel(RowQuads targets, int64_t chunks, int64_t rows, Divisor by_rows,
                                                             SortedPlaces sorted, const float* dy, const float4* parts, float* dx) {
  targets.each([&](int64_t target, int64_t column) {
    const int64_t o = by_rows.quotient(target), row = target - o * rows, width = targets.width, quads = quads_of(width);
    const int64_t first = sorted.start[row], end = sorted.start[row + 1], chunk = first / kChunk;
    Quad total;
    if (first == end || chunk == (end - 1) / kChunk) {
      total = sum_places<kAligned>(sorted, first, end, dy + o * sorted.n * width + column, width, width - column);
    } else {
      const float4* part = parts + (o * chunks + chunk) * 2 * quads + column / 4;
      for (int64_t c = chunk; c * kChunk < end; ++c) {
        const float4 sum = part[(c - chunk) * 2 * quads + (c == chunk ? quads : 0)];
        total.v[0] += sum.x, total.v[1] += sum.y, total.v[2] += sum.z, total.v[3] += sum.w;
      }
    }
    store_quad<kAligned>(dx + target * width + column, total, width - column);
  });
}

void gather_rows_bwd(const GatherRowsBwd& p) {
  Call call;
  const float* dy = call.in(p.dy);
  const int32_t* index = call.in(p.index);
  float* dx = call.out(p.dx);
  Fault* fault = index_fault(call, p.rows);
  const RowQuads targets(p.outer * p.rows, p.width);
  const Divisor by_rows(std::max<int64_t>(p.rows, 1), p.outer * p.rows);
  const bool aligned = p.width % 4 == 0 && on_16_bytes(dy, dx);
  if (p.n <= kChunk) {
    // at least one block, so that an index into no rows at all is found
    call.launch_elements(std::max(targets.quads, p.n), aligned ? scatter_few_kernel<true> : scatter_few_kernel<false>, targets, p.rows, p.n,
                         by_rows, dy, index, dx, fault);
  } else {
    const SortedRows lists = sort_by_row(call, index, p.n, p.rows, fault);
    const SortedPlaces sorted{p.n, lists.rows, lists.places, lists.start};
    const int64_t chunks = ceil_div<int64_t>(p.n, kChunk);
    const RowQuads chunks_of_all(p.outer * chunks, p.width);
    float4* parts = call.scratch<float4>(chunks_of_all.quads * 2);
    call.launch_elements(chunks_of_all.quads, aligned ? scatter_chunks_kernel<true> : scatter_chunks_kernel<false>, chunks_of_all, chunks,
                         p.rows, Divisor(chunks, p.outer * chunks), sorted, dy, parts);
    call.launch_elements(targets.quads, aligned ? scatter_many_kernel<true> : scatter_many_kernel<false>, targets, chunks, p.rows, by_rows,
                         sorted, dy, parts, dx);
  }
  call.finish();
}

}  // namespace uam::cuda
