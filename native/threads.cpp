// How many threads this process may use: never the host's core count alone.
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "parallel.h"
#include "params.h"

namespace uam {

namespace {

constexpr int kNoLimit = 1024;

// A positive integer from the environment; absent or empty means no limit.
int from_environment(const char* name, bool strict) {
  const char* text = std::getenv(name);
  if (!text || !*text) return kNoLimit;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (*end == '\0' && value >= 1 && value <= kNoLimit) return int(value);
  if (strict) throw KernelError("UAM_ARGUMENT", std::string(name) + " must be an integer from 1 to 1024, received '" + text + "'");
  return kNoLimit;
}

int from_affinity() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return int(std::max(1u, std::thread::hardware_concurrency()));
}

int whole_cpus(double quota, double period) { return quota > 0 && period > 0 ? std::max(1, int(std::ceil(quota / period))) : kNoLimit; }

// cgroup v2: cpu.max is "<quota|max> <period>"; every group on the way to the root may limit us.
int from_cgroup_v2(const std::string& group) {
  int limit = kNoLimit;
  for (std::string path = group;;) {
    std::ifstream file("/sys/fs/cgroup" + path + "/cpu.max");
    std::string quota;
    double period = 0;
    if (file >> quota >> period && quota != "max") limit = std::min(limit, whole_cpus(std::atof(quota.c_str()), period));
    if (path.empty() || path == "/") return limit;
    path = path.substr(0, path.rfind('/'));
  }
}

int from_cgroup_v1(const std::string& group) {
  int limit = kNoLimit;
  for (const std::string& path : {group, std::string()}) {
    const std::string folder = "/sys/fs/cgroup/cpu" + path + "/";
    std::ifstream quota_file(folder + "cpu.cfs_quota_us"), period_file(folder + "cpu.cfs_period_us");
    double quota = 0, period = 0;
    if (quota_file >> quota && period_file >> period) limit = std::min(limit, whole_cpus(quota, period));
  }
  return limit;
}

int from_cgroup() {
  int limit = std::min(from_cgroup_v2(""), from_cgroup_v1(""));
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // "id:controllers:path"
    std::istringstream parts(line);
    std::string id, controllers, path;
    std::getline(parts, id, ':');
    std::getline(parts, controllers, ':');
    std::getline(parts, path);
    if (controllers.empty()) limit = std::min(limit, from_cgroup_v2(path));
    else if (("," + controllers + ",").find(",cpu,") != std::string::npos) limit = std::min(limit, from_cgroup_v1(path));
  }
  return limit;
}

}  // namespace

int default_threads() {
  const int wished = from_environment("UAM_THREADS", true);
  if (wished != kNoLimit) return wished;
  return std::min({from_affinity(), from_cgroup(), from_environment("SLURM_CPUS_PER_TASK", false)});
}

}  // namespace uam
