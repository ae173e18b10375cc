// Which compiled copy of the loops runs: chosen once from the processor, or forced with UAM_ISA.
#pragma once
#include <string>

namespace uam {

enum class Isa : int { baseline = 0, avx2 = 1, avx512 = 2 };

Isa best_isa();                         // the widest this processor runs
Isa current_isa();                      // UAM_ISA if set, else best_isa()
void set_isa(const std::string& name);  // throws KernelError for an unknown or unsupported name
const char* isa_name(Isa isa);

}  // namespace uam
