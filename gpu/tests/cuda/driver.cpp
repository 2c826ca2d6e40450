// A library that calls itself libcuda: the functions that the backend uses, strict about their order and their memory,
// with one card whose programs the emulator runs. Nothing of a stream happens before it is waited for.
//
// The environment says what goes wrong: STAND_IN_GENERATION, the card's major number; STAND_IN_COMPILE, whether texts
// are refused; STAND_IN_LOST, after how many launches the card is lost.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

extern "C" int emulate(const char* name, const unsigned grid[2], unsigned threads, const void* args, unsigned shared_bytes);

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, INVALID_PTX = 218,
       INVALID_HANDLE = 400, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, LAUNCH_FAILED = 719 };

struct Module {
  std::string text;
};

struct Function {
  std::string name;
  int shared_most;
};

struct Stream {
  std::vector<std::function<int()>> work;
};

// The fields of CUDA_MEMCPY2D, as the manual has them.
struct Lines {
  size_t from_x, from_y;
  unsigned from_type;
  const void* from_host;
  uint64_t from_device;
  void* from_array;
  size_t from_pitch, to_x, to_y;
  unsigned to_type;
  void* to_host;
  uint64_t to_device;
  void* to_array;
  size_t to_pitch, width, height;
};

constexpr size_t MEMORY = size_t(1) << 30;

std::mutex lock;
bool initialised;
int retained;
int sticky;
int launches;
std::map<uint64_t, size_t> memory, pinned;
std::map<Stream*, bool> streams;
std::map<Module*, bool> modules;
std::map<Function*, bool> found;
thread_local void* current;
char context;

int from_environment(const char* name, int otherwise) {
  const char* text = getenv(name);
  return text == nullptr ? otherwise : atoi(text);
}

// What every call that needs the card checks first.
int ready() {
  if (!initialised) return 3;
  if (retained == 0 || current != &context) return INVALID_CONTEXT;
  return sticky;
}

bool within(const std::map<uint64_t, size_t>& blocks, uint64_t at, size_t bytes) {
  auto after = blocks.upper_bound(at);
  if (after == blocks.begin()) return false;
  --after;
  return at + bytes <= after->first + after->second;
}

size_t used() {
  size_t sum = 0;
  for (auto& block : memory) sum += block.second;
  return sum;
}

int later(void* stream, std::function<int()> work) {
  auto* known = static_cast<Stream*>(stream);
  if (streams.count(known) == 0) return INVALID_HANDLE;
  known->work.push_back(std::move(work));
  return SUCCESS;
}

size_t argument_bytes(const std::string& name) {
  if (name.rfind("scan", 0) == 0) return 128;
  if (name.rfind("squares", 0) == 0) return 32;
  if (name.rfind("codes", 0) == 0) return 120;
  return name == "select" ? 48 : 72;
}

}  // namespace

#define READY                                    \
  std::lock_guard<std::mutex> guard(lock);       \
  if (int refused = ready()) return refused;

EXPORTED int cuInit(unsigned flags) {
  initialised = flags == 0;
  return flags == 0 ? SUCCESS : INVALID_VALUE;
}

EXPORTED int cuGetErrorName(int code, const char** name) {
  if (code == 9999) return INVALID_VALUE;
  *name = code == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : code == ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR";
  return SUCCESS;
}

EXPORTED int cuDriverGetVersion(int* version) {
  *version = 13010;
  return SUCCESS;
}

EXPORTED int cuDeviceGetCount(int* count) {
  *count = 1;
  return initialised ? SUCCESS : 3;
}

EXPORTED int cuDeviceGet(int* card, int ordinal) {
  *card = 7;
  return ordinal == 0 ? SUCCESS : INVALID_DEVICE;
}

EXPORTED int cuDeviceGetName(char* name, int bytes, int card) {
  if (card != 7) return INVALID_DEVICE;
  strncpy(name, "stand-in", bytes);
  return SUCCESS;
}

EXPORTED int cuDeviceTotalMem_v2(size_t* bytes, int card) {
  *bytes = MEMORY;
  return card == 7 ? SUCCESS : INVALID_DEVICE;
}

EXPORTED int cuDeviceGetAttribute(int* value, int which, int card) {
  *value = which == 75 ? from_environment("STAND_IN_GENERATION", 9) : which == 16 ? 3 : 0;
  return card == 7 ? SUCCESS : INVALID_DEVICE;
}

EXPORTED int cuDevicePrimaryCtxRetain(void** made, int card) {
  retained++;
  *made = &context;
  return card == 7 ? SUCCESS : INVALID_DEVICE;
}

EXPORTED int cuDevicePrimaryCtxRelease_v2(int card) {
  if (card != 7 || retained == 0) return INVALID_CONTEXT;
  // Whatever was taken is to be gone before the context, if the card still answers.
  retained--;
  bool left = !modules.empty() || !streams.empty() || !pinned.empty() || !memory.empty();
  if (sticky == SUCCESS && left) abort();
  return SUCCESS;
}

EXPORTED int cuCtxSetCurrent(void* wanted) {
  current = wanted;
  return wanted == &context ? SUCCESS : INVALID_CONTEXT;
}

EXPORTED int cuMemGetInfo_v2(size_t* free, size_t* all) {
  READY
  *all = MEMORY;
  *free = MEMORY - used();
  return SUCCESS;
}

EXPORTED int cuMemAlloc_v2(uint64_t* address, size_t bytes) {
  READY
  if (bytes == 0) return INVALID_VALUE;
  if (used() + bytes > MEMORY) return OUT_OF_MEMORY;
  void* got = aligned_alloc(256, (bytes + 255) / 256 * 256);
  memset(got, 0xa5, bytes);
  *address = reinterpret_cast<uint64_t>(got);
  memory[*address] = bytes;
  return SUCCESS;
}

EXPORTED int cuMemFree_v2(uint64_t address) {
  READY
  if (memory.erase(address) == 0) return INVALID_VALUE;
  free(reinterpret_cast<void*>(address));
  return SUCCESS;
}

EXPORTED int cuMemHostAlloc(void** got, size_t bytes, unsigned flags) {
  READY
  if (bytes == 0 || flags != 0) return INVALID_VALUE;
  *got = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  pinned[reinterpret_cast<uint64_t>(*got)] = bytes;
  return SUCCESS;
}

EXPORTED int cuMemFreeHost(void* given) {
  READY
  if (pinned.erase(reinterpret_cast<uint64_t>(given)) == 0) return INVALID_VALUE;
  free(given);
  return SUCCESS;
}

EXPORTED int cuStreamCreate(void** stream, unsigned flags) {
  READY
  if (flags != 1) return INVALID_VALUE;
  auto* made = new Stream;
  streams[made] = true;
  *stream = made;
  return SUCCESS;
}

EXPORTED int cuStreamDestroy_v2(void* stream) {
  READY
  auto* known = static_cast<Stream*>(stream);
  if (streams.count(known) == 0 || !known->work.empty()) return INVALID_HANDLE;
  streams.erase(known);
  delete known;
  return SUCCESS;
}

EXPORTED int cuStreamSynchronize(void* stream) {
  std::vector<std::function<int()>> work;
  {
    READY
    auto* known = static_cast<Stream*>(stream);
    if (streams.count(known) == 0) return INVALID_HANDLE;
    work.swap(known->work);
  }
  for (auto& one : work) {
    if (int failed = one()) {
      std::lock_guard<std::mutex> guard(lock);
      return sticky = failed;
    }
  }
  return SUCCESS;
}

EXPORTED int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* stream) {
  READY
  if (!within(memory, to, bytes) || !within(pinned, reinterpret_cast<uint64_t>(from), bytes)) return INVALID_VALUE;
  return later(stream, [=] { return memcpy(reinterpret_cast<void*>(to), from, bytes), SUCCESS; });
}

EXPORTED int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void* stream) {
  READY
  if (!within(memory, from, bytes) || !within(pinned, reinterpret_cast<uint64_t>(to), bytes)) return INVALID_VALUE;
  return later(stream, [=] { return memcpy(to, reinterpret_cast<void*>(from), bytes), SUCCESS; });
}

EXPORTED int cuMemcpy2DAsync_v2(const Lines* lines, void* stream) {
  READY
  Lines copy = *lines;
  bool plain = copy.from_x == 0 && copy.from_y == 0 && copy.to_x == 0 && copy.to_y == 0 && copy.from_type == 2 && copy.to_type == 1;
  if (!plain || copy.height == 0 || copy.from_pitch < copy.width || copy.to_pitch < copy.width) return INVALID_VALUE;
  size_t reached = (copy.height - 1) * copy.from_pitch + copy.width, written = (copy.height - 1) * copy.to_pitch + copy.width;
  if (!within(memory, copy.from_device, reached)) return INVALID_VALUE;
  if (!within(pinned, reinterpret_cast<uint64_t>(copy.to_host), written)) return INVALID_VALUE;
  return later(stream, [=] {
    for (size_t line = 0; line < copy.height; line++) {
      auto* to = static_cast<char*>(copy.to_host) + line * copy.to_pitch;
      memcpy(to, reinterpret_cast<char*>(copy.from_device) + line * copy.from_pitch, copy.width);
    }
    return SUCCESS;
  });
}

EXPORTED int cuMemsetD32Async(uint64_t at, unsigned word, size_t words, void* stream) {
  READY
  if (at % 4 != 0 || !within(memory, at, words * 4)) return INVALID_VALUE;
  return later(stream, [=] {
    for (size_t i = 0; i < words; i++) memcpy(reinterpret_cast<char*>(at) + i * 4, &word, 4);
    return SUCCESS;
  });
}

EXPORTED int cuModuleLoadDataEx(void** module, const void* image, unsigned count, int* options, void** values) {
  READY
  const char* text = static_cast<const char*>(image);
  if (count != 2 || options[0] != 5 || options[1] != 6 || reinterpret_cast<size_t>(values[1]) < 64) return INVALID_VALUE;
  if (from_environment("STAND_IN_COMPILE", 1) == 0) {
    strcpy(static_cast<char*>(values[0]), "ptxas: the text is not to the stand-in's taste\n");
    return INVALID_PTX;
  }
  auto* made = new Module{text};
  modules[made] = true;
  *module = made;
  return SUCCESS;
}

EXPORTED int cuModuleUnload(void* module) {
  READY
  auto* known = static_cast<Module*>(module);
  if (modules.erase(known) == 0) return INVALID_HANDLE;
  delete known;
  return SUCCESS;
}

EXPORTED int cuModuleGetFunction(void** function, void* module, const char* name) {
  READY
  auto* known = static_cast<Module*>(module);
  if (modules.count(known) == 0) return INVALID_HANDLE;
  if (known->text.find(".entry " + std::string(name) + "(") == std::string::npos) return NOT_FOUND;
  auto* made = new Function{name, 48 << 10};
  found[made] = true;
  *function = made;
  return SUCCESS;
}

EXPORTED int cuFuncSetAttribute(void* function, int which, int value) {
  READY
  auto* known = static_cast<Function*>(function);
  // The share of shared memory, in percent.
  if (found.count(known) != 0 && which == 9) return value >= -1 && value <= 100 ? SUCCESS : INVALID_VALUE;
  // A card of this generation has 227 KiB.
  if (found.count(known) == 0 || which != 8 || value < 0 || value > 232448) return INVALID_VALUE;
  known->shared_most = value;
  return SUCCESS;
}

EXPORTED int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* function, int threads, size_t shared_bytes) {
  READY
  if (found.count(static_cast<Function*>(function)) == 0 || threads <= 0 || shared_bytes > 232448) return INVALID_VALUE;
  *blocks = 2;
  return SUCCESS;
}

EXPORTED int cuLaunchKernel(void* function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threads_y,
                            unsigned threads_z, unsigned shared_bytes, void* stream, void** parameters, void** extra) {
  READY
  auto* known = static_cast<Function*>(function);
  if (found.count(known) == 0 || x == 0 || y == 0 || y > 65535 || z != 1 || threads_y != 1 || threads_z != 1) return INVALID_VALUE;
  if (int(shared_bytes) > known->shared_most || extra != nullptr) return INVALID_VALUE;
  bool lost = ++launches > from_environment("STAND_IN_LOST", 1 << 30);
  std::string name = known->name;
  std::vector<uint64_t> args(argument_bytes(name) / 8);
  memcpy(args.data(), parameters[0], args.size() * 8);
  return later(stream, [=] {
    unsigned grid[2] = {x, y};
    if (lost) return int(ILLEGAL_ADDRESS);
    return emulate(name.c_str(), grid, threads, args.data(), shared_bytes) == 0 ? int(SUCCESS) : int(LAUNCH_FAILED);
  });
}
