// Counts the calls of malloc and its kin in the whole process: Eigen does not call operator new.
#pragma once
#include <cstdlib>  // defines __GLIBC__

// Not counted under AddressSanitizer, which needs malloc for itself, nor without glibc.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_MALLOC 1
#else
#define COUNTS_MALLOC 0
#endif
#if defined(__has_feature)  // Clang's way to say so
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef COUNTS_MALLOC
#define COUNTS_MALLOC 0
#endif
#endif

// Allocations since the program started, of all threads.
long malloc_calls();
