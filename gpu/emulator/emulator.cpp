// Runs the CUDA programs on a processor. See device.h and fibers.h.
//
//   c++ -std=c++17 -O2 -shared -fPIC -ffp-contract=off -I shaders/src/cuda -I gpu/emulator gpu/emulator/emulator.cpp
//
// The interface:
//   int emulate(name, grid, threads, args, shared_bytes): 0, or another number after which emulate_error() says why.
//   void emulate_seed(seed): sets the order in which warps and blocks run.
//   void* emulate_allocate(bytes), void emulate_free(pointer, bytes): memory that ends at a forbidden page.
#include "device.h"

#include "scan_few.cu"
#include "scan_many.cu"
#include "squares.cu"
#include "select.cu"
#include "rescore.cu"
#include "codes.cu"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <string>

// Changing stacks takes a system call each time where there is no code for it here.
#if defined(__x86_64__) && defined(__linux__) && !defined(EMULATOR_PORTABLE)
#define OWN_SWITCH 1
#else
#include <ucontext.h>
#endif

namespace emulator {

constexpr size_t STACK_BYTES = 128 << 10;
constexpr unsigned THREADS_MAX = 1024;
constexpr unsigned SHARED_MAX = 227 << 10;

thread_local Fiber* current = nullptr;
thread_local Launch running = {};

static const Registered* entries = nullptr;
static thread_local std::string error;
static thread_local bool failed = false;
static thread_local uint64_t chance = 1;

Registered::Registered(const char* name, Program program, size_t args_bytes, unsigned threads)
    : name(name), program(program), args_bytes(args_bytes), threads(threads), next(entries) {
  entries = this;
}

static unsigned draw(unsigned below) {
  chance ^= chance << 13;
  chance ^= chance >> 7;
  chance ^= chance << 17;
  return (unsigned)((chance >> 16) % below);
}

struct Block {
  Program program;
  const void* args;
  unsigned threads;
  std::vector<Fiber> fibers;
  void* home = nullptr;  // the scheduler's stack

  ~Block() {
    for (Fiber& fiber : fibers) munmap(fiber.stack, STACK_BYTES);
  }
};
static thread_local Block block;

#ifdef OWN_SWITCH
// Saves what a function must keep, changes stacks, and goes on there.
extern "C" void emulator_switch(void** save, void* to);
asm(R"(
.text
.type emulator_switch, @function
emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulator_switch, .-emulator_switch
)");

static void begin_fiber(Fiber& fiber, void (*start)()) {
  void** top = reinterpret_cast<void**>(fiber.stack + STACK_BYTES) - 2;
  *--top = nullptr;  // where `start` would return to; it does not
  *--top = reinterpret_cast<void*>(start);
  for (int saved = 0; saved < 6; saved++) *--top = nullptr;
  fiber.stack_pointer = top;
}
#else
static void emulator_switch(void** save, void* to) {
  ucontext_t* own = static_cast<ucontext_t*>(*save);
  if (own == nullptr) *save = own = new ucontext_t;
  swapcontext(own, static_cast<ucontext_t*>(to));
}

static void begin_fiber(Fiber& fiber, void (*start)()) {
  if (fiber.stack_pointer == nullptr) fiber.stack_pointer = new ucontext_t;
  ucontext_t* context = static_cast<ucontext_t*>(fiber.stack_pointer);
  getcontext(context);
  context->uc_stack.ss_sp = fiber.stack;
  context->uc_stack.ss_size = STACK_BYTES;
  context->uc_link = nullptr;
  makecontext(context, start, 0);
}
#endif

static void leave(Fiber::State state) {
  current->state = state;
  emulator_switch(&current->stack_pointer, block.home);
}

void fail(const char* text) {
  if (!failed) {
    failed = true;
    error = std::string(text) + " (block " + std::to_string(running.block[0]) + ", " +
            std::to_string(running.block[1]) + ", thread " + std::to_string(current->thread) + ")";
  }
  leave(Fiber::ENDED);
}

void Fiber::finish_copies(unsigned groups_left) {
  size_t kept = 0;
  for (const Copy& copy : copies) {
    if (copy.group + groups_left < group) {
      if (copy.from == nullptr) {
        std::memset(copy.to, 0, 16);
      } else {
        std::memcpy(copy.to, copy.from, 16);
      }
    } else {
      copies[kept++] = copy;
    }
  }
  copies.resize(kept);
}

void block_barrier() { leave(Fiber::AT_BARRIER); }

void warp_meet(const char* name, void* slot, void (*combine)(void**, void*), void* with) {
  Fiber& own = *current;
  Fiber* warp = &block.fibers[own.thread & ~31u];
  own.meeting = name;
  own.slot = slot;
  void* slots[32];
  bool last = true;
  for (unsigned l = 0; l < 32; l++) {
    if (&warp[l] != &own && (warp[l].state != Fiber::AT_WARP || warp[l].meeting != name)) last = false;
    slots[l] = warp[l].slot;
  }
  if (!last) {
    leave(Fiber::AT_WARP);
    return;
  }
  combine(slots, with);
  for (unsigned l = 0; l < 32; l++) warp[l].state = Fiber::READY;
}

static void start() {
  block.program(block.args);
  leave(Fiber::ENDED);
}

// Runs a warp until each lane waits for the block or has ended.
static bool run_warp(Fiber* warp, bool backward) {
  for (bool moved = true; moved && !failed;) {
    moved = false;
    for (unsigned i = 0; i < 32 && !failed; i++) {
      Fiber& fiber = warp[backward ? 31 - i : i];
      if (fiber.state != Fiber::READY) continue;
      moved = true;
      current = &fiber;
      emulator_switch(&block.home, fiber.stack_pointer);
    }
  }
  for (unsigned i = 0; i < 32 && !failed; i++) {
    if (warp[i].state == Fiber::AT_WARP) {
      failed = true;
      error = std::string("thread ") + std::to_string(warp[i].thread) + " waits in `" + warp[i].meeting +
              "` for lanes that do not come";
    }
  }
  return !failed;
}

static bool run_block() {
  std::memset(running.shared, 0xff, running.shared_bytes);
  for (unsigned t = 0; t < block.threads; t++) {
    Fiber& fiber = block.fibers[t];
    fiber.state = Fiber::READY;
    fiber.group = 0;
    fiber.copies.clear();
    begin_fiber(fiber, start);
  }
  unsigned warps = block.threads / 32;
  for (;;) {
    unsigned first = draw(warps), backward = draw(2), lanes_backward = draw(2);
    for (unsigned i = 0; i < warps; i++) {
      unsigned warp = (backward ? first + warps - i : first + i) % warps;
      if (!run_warp(&block.fibers[warp * 32], lanes_backward != 0)) return false;
    }
    unsigned waiting = 0;
    for (unsigned t = 0; t < block.threads; t++) waiting += block.fibers[t].state == Fiber::AT_BARRIER;
    if (waiting == 0) return true;
    // As the machine has it, threads that have ended are not waited for.
    for (unsigned t = 0; t < block.threads; t++) {
      if (block.fibers[t].state == Fiber::AT_BARRIER) block.fibers[t].state = Fiber::READY;
    }
  }
}

static void prepare(unsigned threads) {
  block.threads = threads;
  // Fibers stay for the next launch, though it may have fewer.
  while (block.fibers.size() < threads) {
    block.fibers.emplace_back();
    void* stack = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    block.fibers.back().stack = static_cast<unsigned char*>(stack);
    block.fibers.back().thread = (unsigned)block.fibers.size() - 1;
  }
}

#define EXPORTED extern "C" __attribute__((visibility("default")))

}  // namespace emulator

EXPORTED void* emulate_allocate(size_t bytes);
EXPORTED void emulate_free(void* pointer, size_t bytes);

namespace emulator {

static int refuse(const std::string& why) {
  error = why;
  return 1;
}

static int run(const Registered& entry, const unsigned grid[2], const void* args, unsigned shared_bytes) {
  unsigned char* shared = static_cast<unsigned char*>(emulate_allocate(shared_bytes));
  running = {{grid[0], grid[1]}, {0, 0}, shared, shared_bytes};
  // The args are the launch's own, as on the machine.
  std::vector<unsigned char> own(static_cast<const unsigned char*>(args), static_cast<const unsigned char*>(args) + entry.args_bytes);
  block.program = entry.program;
  block.args = own.data();
  prepare(entry.threads);
  failed = false;
  bool backward = draw(2) != 0;
  int code = 0;
  for (uint64_t i = 0, count = uint64_t(grid[0]) * grid[1]; i < count && code == 0; i++) {
    uint64_t at = backward ? count - 1 - i : i;
    running.block[0] = (unsigned)(at % grid[0]);
    running.block[1] = (unsigned)(at / grid[0]);
    if (!run_block()) code = 2;
  }
  emulate_free(shared, shared_bytes);
  return code;
}

}  // namespace emulator

EXPORTED int emulate(const char* name, const unsigned grid[2], unsigned threads, const void* args, unsigned shared_bytes) {
  using namespace emulator;
  for (const Registered* entry = entries; entry != nullptr; entry = entry->next) {
    if (std::strcmp(entry->name, name) != 0) continue;
    if (entry->threads != threads) return refuse("the program is for blocks of " + std::to_string(entry->threads) + " threads");
    if (shared_bytes > SHARED_MAX) return refuse("more shared memory than a block can have");
    if (grid[0] == 0 || grid[1] == 0 || grid[0] > 0x7fffffffu || grid[1] > 65535) return refuse("no machine takes this grid");
    return run(*entry, grid, args, shared_bytes);
  }
  return refuse(std::string("no program is called ") + name);
}

EXPORTED const char* emulate_error() { return emulator::error.c_str(); }

EXPORTED void emulate_seed(uint64_t seed) { emulator::chance = seed * 2 + 1; }

static size_t mapped_bytes(size_t bytes, size_t page) { return (bytes + page - 1) / page * page; }

EXPORTED void* emulate_allocate(size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = mapped_bytes((bytes + 15) / 16 * 16, page);
  void* mapped = mmap(nullptr, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  unsigned char* start = static_cast<unsigned char*>(mapped);
  mprotect(start + whole, page, PROT_NONE);
  std::memset(start, 0xff, whole);
  // The end is at the forbidden page; the start is a multiple of 16, as vectors need it.
  return start + whole - (bytes + 15) / 16 * 16;
}

EXPORTED void emulate_free(void* pointer, size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = mapped_bytes((bytes + 15) / 16 * 16, page);
  unsigned char* start = static_cast<unsigned char*>(pointer) + (bytes + 15) / 16 * 16 - whole;
  munmap(start, whole + page);
}
