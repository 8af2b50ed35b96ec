// CUDA's words for a plain C++ compiler, so that a kernel's arithmetic is tested where there is no GPU. Blocks run one
// after another; a block's threads take turns on one core, each running up to the next barrier or shuffle. Every second
// block runs its threads in the opposite order, so a missing barrier gives wrong numbers instead of lucky ones. What it
// does not show: speed, the limits of registers and shared memory, races between blocks.
#pragma once
#include <ucontext.h>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static  // one block at a time: a static array belongs to the block that runs
#define UNROLL

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;  // of the thread whose turn it is

struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }

namespace on_cpu {

enum class State { ready, at_warp, at_block, done };

struct Thread {
  static constexpr std::size_t stack_size = 128 << 10;
  std::unique_ptr<char[]> stack{new char[stack_size]};
  ucontext_t place;
  State state = State::done;
  dim3 index;
  unsigned shuffles = 0;
};

// The threads of a block and whose turn it is.
struct Processor {
  std::vector<std::unique_ptr<Thread>> threads;  // kept for the next block
  std::vector<char> shared;                      // dynamic shared memory
  std::uint64_t lanes[2][1024];                  // what shuffles exchange; two, as a thread may be one shuffle ahead
  std::function<void()> kernel;
  ucontext_t scheduler;
  int size = 0, current = 0, blocks = 0;
#ifdef __SANITIZE_ADDRESS__
  const void* scheduler_stack = nullptr;
  std::size_t scheduler_stack_size = 0;
#endif

  Thread& self() { return *threads[current]; }

  // To the thread whose turn it is, and from it back to the scheduler. AddressSanitizer wants to know of a new stack.
  void resume() {
#ifdef __SANITIZE_ADDRESS__
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, self().stack.get(), Thread::stack_size);
    swapcontext(&scheduler, &self().place);
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#else
    swapcontext(&scheduler, &self().place);
#endif
  }
  void wait(State at) {
    self().state = at;
#ifdef __SANITIZE_ADDRESS__
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, scheduler_stack, scheduler_stack_size);
    swapcontext(&self().place, &scheduler);
    __sanitizer_finish_switch_fiber(fake, &scheduler_stack, &scheduler_stack_size);
#else
    swapcontext(&self().place, &scheduler);
#endif
  }

  static void thread_main();  // runs the kernel of each block in turn

  void prepare(int n) {
    size = n;
    while (int(threads.size()) < n) {
      Thread& t = *threads.emplace_back(std::make_unique<Thread>());
      getcontext(&t.place);
      t.place.uc_stack.ss_sp = t.stack.get(), t.place.uc_stack.ss_size = Thread::stack_size, t.place.uc_link = nullptr;
      makecontext(&t.place, thread_main, 0);
    }
  }

  // From first up to last all that still run wait at `at`: they go on.
  bool release(int first, int last, State at) {
    int waiting = 0;
    for (int i = first; i < last; ++i) {
      if (threads[i]->state != at && threads[i]->state != State::done) return false;
      waiting += threads[i]->state == at;
    }
    for (int i = first; i < last; ++i)
      if (threads[i]->state == at) threads[i]->state = State::ready;
    return waiting > 0;
  }

  void run_block() {
    const bool backwards = blocks++ % 2 == 1;
    for (int i = 0; i < size; ++i) {
      threads[i]->state = State::ready, threads[i]->shuffles = 0;
      threads[i]->index = dim3(i % blockDim.x, i / blockDim.x % blockDim.y, i / (blockDim.x * blockDim.y));
    }
    for (bool running = true; running;) {
      for (int i = 0; i < size; ++i) {
        current = backwards ? size - 1 - i : i;
        threadIdx = self().index;
        if (self().state == State::ready) resume();
      }
      running = false;
      for (int i = 0; i < size; i += 32) running |= release(i, std::min(i + 32, size), State::at_warp);
      running |= release(0, size, State::at_block);
    }
    for (int i = 0; i < size; ++i)
      if (threads[i]->state != State::done) {
        std::fprintf(stderr, "block (%u, %u, %u): some threads wait at a barrier that others never reach\n", blockIdx.x,
                     blockIdx.y, blockIdx.z);
        std::abort();
      }
  }
};
inline Processor processor;

inline void Processor::thread_main() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(nullptr, &processor.scheduler_stack, &processor.scheduler_stack_size);
#endif
  for (;;) {
    processor.kernel();
    processor.wait(State::done);
  }
}

// What lane `from` of the same warp hands over.
template <class T> T exchange(T value, int from) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  const int warp = processor.current / 32 * 32;
  std::uint64_t* lanes = processor.lanes[processor.self().shuffles++ % 2];
  std::memcpy(&lanes[processor.current], &value, sizeof(T));
  processor.wait(State::at_warp);
  std::memcpy(&value, &lanes[warp + from], sizeof(T));
  return value;
}
inline int lane() { return processor.current % 32; }

}  // namespace on_cpu

// ---- Inside kernels ----

inline void __syncthreads() { on_cpu::processor.wait(on_cpu::State::at_block); }
inline void __syncwarp(unsigned = ~0u) { on_cpu::processor.wait(on_cpu::State::at_warp); }
template <class T> T __shfl_sync(unsigned, T value, int from) { return on_cpu::exchange(value, from % 32); }
template <class T> T __shfl_xor_sync(unsigned, T value, int mask) {
  return on_cpu::exchange(value, on_cpu::lane() ^ mask);
}
template <class T> T __shfl_down_sync(unsigned, T value, int by) {
  const int lane = on_cpu::lane();
  return on_cpu::exchange(value, lane + by < 32 ? lane + by : lane);
}
template <class T> T atomicAdd(T* to, T value) {
  const T old = *to;
  *to += value;
  return old;
}
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
template <class T> T __ldg(const T* x) { return *x; }
// The block's dynamic shared memory, as many bytes as `launch` was told; NaN at first.
template <class T> T* shared_memory() { return reinterpret_cast<T*>(on_cpu::processor.shared.data()); }

// ---- Outside: launch, memory, time ----

template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes, const A&... args) {
  on_cpu::Processor& processor = on_cpu::processor;
  gridDim = grid, blockDim = block;
  processor.prepare(int(block.x * block.y * block.z));
  processor.kernel = [&] { kernel(static_cast<P>(args)...); };
  for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) {
        processor.shared.assign(shared_bytes, char(0xFF));
        processor.run_block();
      }
}

inline void* device_malloc(std::size_t bytes) { return ::operator new(bytes, std::align_val_t(256)); }
inline void device_free(void* p) { ::operator delete(p, std::align_val_t(256)); }
inline void device_fill(void* p, int byte, std::size_t bytes) { std::memset(p, byte, bytes); }
inline void upload(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
inline void download(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
inline void copy_on_device(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }

struct Graph {
  std::function<void()> body;
  template <class F> explicit Graph(F record) : body(record) {}
  void run() { body(); }
};

struct DeviceTimer {
  std::chrono::steady_clock::time_point begin;
  void start() { begin = std::chrono::steady_clock::now(); }
  float stop_ms() { return std::chrono::duration<float, std::milli>(std::chrono::steady_clock::now() - begin).count(); }
};
