// Threads of a block as fibers on one thread of the processor: one runs until it waits for its warp or its block.
//
// Warps run as far as they get between two barriers, in an order that is drawn anew each time, so that a missing barrier
// shows. A warp's lanes meet at each collective; if some come to another one, wait at the block's barrier or have ended,
// the launch fails and says so.
#ifndef ELANUS_FIBERS
#define ELANUS_FIBERS
#include <cstddef>
#include <cstdint>
#include <vector>

namespace emulator {

struct Copy {
  unsigned char* to;
  const void* from;  // null: zeros
  unsigned group;
};

// One thread of the block.
struct Fiber {
  unsigned thread = 0;
  unsigned group = 0;
  std::vector<Copy> copies;
  void* stack_pointer = nullptr;
  unsigned char* stack = nullptr;
  enum State { READY, AT_WARP, AT_BARRIER, ENDED } state = READY;
  const char* meeting = nullptr;
  void* slot = nullptr;

  void finish_copies(unsigned groups_left);
};

struct Launch {
  unsigned grid[2];
  unsigned block[2];
  unsigned char* shared;
  unsigned shared_bytes;
};

typedef void (*Program)(const void* args);

// An entry point; they register themselves.
struct Registered {
  const char* name;
  Program program;
  size_t args_bytes;
  unsigned threads;
  const Registered* next;
  Registered(const char* name, Program program, size_t args_bytes, unsigned threads);
};

extern thread_local Fiber* current;
extern thread_local Launch running;

inline Fiber& here() { return *current; }
inline const Launch& launch() { return running; }

// Ends the launch with an error where `fact` is false.
void fail(const char* text);
inline void expect(bool fact, const char* text) {
  if (!fact) fail(text);
}

void block_barrier();

// Waits for the other lanes of the warp; the last one has `combine` called with the slots of all.
void warp_meet(const char* name, void* slot, void (*combine)(void** slots, void* with), void* with);

}  // namespace emulator
#endif
