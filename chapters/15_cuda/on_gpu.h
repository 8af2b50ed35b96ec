// The same words on a GPU: launch, memory, graphs, time, what the device can do. All work goes to one stream.
#pragma once
#include <cuda_runtime.h>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string>

#define UNROLL _Pragma("unroll")

inline const cudaStream_t stream = cudaStreamPerThread;  // the default stream cannot be recorded into a graph

// cuda(cudaMalloc(...)): a failure ends the program with one line that names the place.
inline void cuda(cudaError_t status, std::source_location where = std::source_location::current()) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "%s:%u: %s (%s)\n", where.file_name(), unsigned(where.line()), cudaGetErrorString(status),
               cudaGetErrorName(status));
  std::exit(1);
}

// The block's dynamic shared memory, as many bytes as `launch` was told.
template <class T> __device__ T* shared_memory() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
}

// kernel<<<grid, block, shared_bytes>>>(args...) as a function, so that a plain C++ compiler can read it too: on_cpu.h
// has another launch. A DeviceArray among the arguments becomes its pointer. Returns before the kernel has run.
template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes, const A&... args) {
  if (shared_bytes > 32 << 10)  // with a kernel's static arrays, at most 16 KB, more than 48 have to be asked for
    cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared_bytes)));
  kernel<<<grid, block, shared_bytes, stream>>>(static_cast<P>(args)...);
  cuda(cudaGetLastError());
}

inline void* device_malloc(std::size_t bytes) {
  void* p = nullptr;
  cuda(cudaMalloc(&p, bytes));
  return p;
}
inline void device_free(void* p) { cuda(cudaFree(p)); }
inline void device_fill(void* p, int byte, std::size_t bytes) { cuda(cudaMemsetAsync(p, byte, bytes, stream)); }
inline void copy_on_device(void* to, const void* from, std::size_t bytes) {
  cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream));
}
inline void upload(void* to, const void* from, std::size_t bytes) {
  cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream));
  cuda(cudaStreamSynchronize(stream));
}
inline void download(void* to, const void* from, std::size_t bytes) {
  cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream));
  cuda(cudaStreamSynchronize(stream));
}

// Many launches as one: record() is called once and its launches are written down instead of run; run() starts them
// all with a single call. No upload, download or allocation inside.
struct Graph {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t ready = nullptr;
  template <class F> explicit Graph(F record) {
    cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    record();
    cuda(cudaStreamEndCapture(stream, &graph));
    cuda(cudaGraphInstantiate(&ready, graph, 0));
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() { cudaGraphExecDestroy(ready), cudaGraphDestroy(graph); }
  void run() { cuda(cudaGraphLaunch(ready, stream)); }
};

struct DeviceTimer {  // of the device's own time
  cudaEvent_t begin, end;
  DeviceTimer() { cuda(cudaEventCreate(&begin)), cuda(cudaEventCreate(&end)); }
  DeviceTimer(const DeviceTimer&) = delete;
  DeviceTimer& operator=(const DeviceTimer&) = delete;
  ~DeviceTimer() { cudaEventDestroy(begin), cudaEventDestroy(end); }
  void start() { cuda(cudaEventRecord(begin, stream)); }
  float stop_ms() {
    float ms = 0;
    cuda(cudaEventRecord(end, stream));
    cuda(cudaEventSynchronize(end));
    cuda(cudaEventElapsedTime(&ms, begin, end));
    return ms;
  }
};

// ---- The device and its limits ----

struct Device {
  std::string name;
  int major = 0, minor = 0, processors = 0;
  double float_rate = 0;  // float32 operations/s: processors x cores x clock x 2, as a multiply-add is two
  double bandwidth = 0;   // bytes/s to and from its memory
};

inline int attribute(cudaDeviceAttr which) {
  int value = 0;
  cuda(cudaDeviceGetAttribute(&value, which, 0));
  return value;
}

// Says so and returns false where there is none: `if (!find_device(device)) return 0;`.
inline bool find_device(Device& device) {
  setenv("CUDA_MODULE_LOADING", "EAGER", 0);  // so that no kernel is loaded while a graph is recorded
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaErrorNoDevice && status != cudaErrorInsufficientDriver) cuda(status);  // the latter: no driver
  if (count == 0) {
    std::printf("No CUDA device: nothing was run (%s)\n", cudaGetErrorString(status));
    return false;
  }
  cudaDeviceProp properties;
  cuda(cudaGetDeviceProperties(&properties, 0));
  device = {properties.name, properties.major, properties.minor, properties.multiProcessorCount, 0, 0};
  const bool half = device.major < 8 || (device.major == 8 && device.minor == 0);  // 64 float32 cores each, later 128
  device.float_rate = 2e3 * attribute(cudaDevAttrClockRate) * device.processors * (half ? 64 : 128);
  device.bandwidth = 2e3 * attribute(cudaDevAttrMemoryClockRate) * attribute(cudaDevAttrGlobalMemoryBusWidth) / 8;
  std::printf("%s, compute capability %d.%d, %d processors: %.1f TFLOP/s in float32, %.0f GB/s\n", device.name.c_str(),
              device.major, device.minor, device.processors, device.float_rate / 1e12, device.bandwidth / 1e9);
  return true;
}
