// What can go wrong, and the exit status that says so.
//
//   0 all is well   1 a bug, or no memory   2 bad input   3 NaN or infinity   4 output lost   130 Ctrl-C
#pragma once

#include <csignal>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>

#include "autodiff/tape.h"             // NotFinite
#include "chapters/00_toolbox/text.h"  // one_line

// An option or a file that the user gave is wrong; the text names it, its value and what is allowed.
struct BadInput : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// A file can no longer be written: the disk is full, the directory is gone.
struct LostOutput : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// --help was asked for; `text` is the answer.
struct HelpWanted {
  std::string text;
};

// The one global variable: a signal handler can reach nothing else.
inline volatile std::sig_atomic_t ctrl_c = 0;

// True after Ctrl-C. Loops test it, leave, and write their rows, picture and networks as at the end of a run.
inline bool interrupted() { return ctrl_c != 0; }

// The first Ctrl-C only raises the flag; the second ends the program at once.
inline void watch_ctrl_c() {
  struct sigaction action = {};
  action.sa_handler = [](int) { ctrl_c = 1; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

// One line on stderr; returns `status`.
inline int complain(const char* program, int status, const char* what) {
  std::fprintf(stderr, "%s: %s\n", program, one_line(what).c_str());
  return status;
}

// Runs `body` (it returns nothing or an exit status) and returns the exit status of the table above.
template <class Body>
int run_main(int /*argc*/, char** argv, Body body) {
  const std::string path = argv[0] ? argv[0] : "";
  const std::string name = path.substr(path.rfind('/') + 1);
  const char* program = name.c_str();
  watch_ctrl_c();
  try {
    int status = 0;
    if constexpr (std::is_void_v<decltype(body())>) body();
    else status = body();
    return interrupted() ? 130 : status;
  } catch (const HelpWanted& help) {
    std::fputs(help.text.c_str(), stdout);
    return 0;
  } catch (const std::invalid_argument& e) {  // BadInput, and what a lower layer refuses
    return complain(program, 2, e.what());
  } catch (const NotFinite& e) {
    return complain(program, 3, e.what());
  } catch (const LostOutput& e) {
    return complain(program, 4, e.what());
  } catch (const std::system_error& e) {  // the operating system refused a file
    return complain(program, 4, e.what());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: out of memory\n", program);  // no string is built: there is no memory for it
    return 1;
  } catch (const std::exception& e) {
    return complain(program, 1, e.what());
  }
}
