// The rows of every group (or sequence) in pieces of `most` at most, group by group: the table that blocks find their work in. Made on the
// host, or on the card where the offsets were made there; then empty pieces fill the table up.
#pragma once
#include "call.cuh"

namespace uam::cuda {

struct RowPiece {
  int32_t group, count;
  int64_t row;
};

struct RowPieces {
  const RowPiece* at = nullptr;
  const int32_t* first = nullptr;  // of each group, and the number of those that are not empty
  int64_t count = 0;               // with the empty ones
};

// Offsets that a kernel made were checked by nobody.
static __global__ void row_pieces_kernel(int64_t groups, int64_t rows, int64_t most, int64_t room, const int32_t* offsets, int32_t* first,
                                         RowPiece* pieces) {
  for (int64_t i = first_element(); i < room + groups + 1; i += element_step()) {
    // One thread for a piece, or for the first of a group: there are few groups to walk over.
    const int64_t wanted_piece = i < room ? i : room, groups_before = i < room ? groups : i - room;
    RowPiece piece{0, 0, 0};
    int64_t before = 0, begin = 0;
    for (int64_t g = 0; g < groups_before; ++g) {
      const int64_t end = min(max(int64_t(offsets[g + 1]), begin), rows), here = (end - begin + most - 1) / most;
      if (wanted_piece < before + here) {
        const int64_t row = begin + (wanted_piece - before) * most;
        piece = {int32_t(g), int32_t(min(most, end - row)), row};
        break;
      }
      before += here;
      begin = end;
    }
    if (i < room) pieces[i] = piece;
    else first[groups_before] = int32_t(before);
  }
}

inline RowPieces uploaded(Call& call, const std::vector<RowPiece>& pieces, const std::vector<int32_t>& first) {
  return {pieces.empty() ? nullptr : call.upload(pieces), call.upload(first), int64_t(pieces.size())};
}

inline void cut_rows(std::vector<RowPiece>& pieces, int64_t group, int64_t begin, int64_t end, int64_t most) {
  for (int64_t row = begin; row < end; row += most) pieces.push_back({int32_t(group), int32_t(std::min(most, end - row)), row});
}

inline RowPieces row_pieces(Call& call, const Offsets& offsets, int64_t rows, int64_t most) {
  const int64_t groups = offsets.sequences();
  if (offsets.on_device) {
    const int64_t room = rows == 0 ? 0 : rows / most + groups;
    int32_t* first = call.scratch<int32_t>(groups + 1);
    RowPiece* pieces = call.scratch<RowPiece>(room);
    call.launch_elements(room + groups + 1, row_pieces_kernel, groups, rows, most, room, offsets.on_device, first, pieces);
    return {pieces, first, room};
  }
  std::vector<RowPiece> pieces;
  std::vector<int32_t> first{0};
  for (int64_t g = 0; g < groups; ++g) {
    cut_rows(pieces, g, offsets.at(g), offsets.at(g + 1), most);
    first.push_back(int32_t(pieces.size()));
  }
  return uploaded(call, pieces, first);
}

// One group, of any length.
inline RowPieces row_pieces(Call& call, int64_t rows, int64_t most) {
  std::vector<RowPiece> pieces;
  cut_rows(pieces, 0, 0, rows, most);
  return uploaded(call, pieces, {0, int32_t(pieces.size())});
}

}  // namespace uam::cuda
