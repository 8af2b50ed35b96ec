# make help prints the targets. Programs are found by wildcard: chapters/06_mbpo/main.cpp becomes build/06_mbpo,
# chapters/06_mbpo/bound.cpp becomes build/06_mbpo_bound; each is also a target of that name.

ifeq ($(origin CXX),default)
CXX := g++
endif
ARCH ?= native
CORES := $(shell nproc 2>/dev/null || echo 2)
OUT ?= plots
export OUT
FUZZ_SECONDS ?= 300
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

help:
	@echo "make              build every program into build/"
	@echo "make 02_dyna_q    build one program: $(PROGRAMS)"
	@echo "make run          build and run the lecture; pictures and CSV files go to plots/ (FRESH=1: what is done again too)"
	@echo "make test         build and run the tests (SAN=1: under AddressSanitizer and UndefinedBehaviorSanitizer)"
	@echo "make plots        draw the pictures again from the CSV files in plots/"
	@echo "make bench        speed, as a table"
	@echo "make claims       measure what the slides claim and print one table (make claims-long: the long ones)"
	@echo "make fuzz         damaged files, by clang's fuzzers, five minutes in all (FUZZ_SECONDS=300)"
	@echo "make deps         install what is missing (run and test do so themselves; make deps-mujoco: MuJoCo)"
	@echo "make cuda-archs   compile and link chapter 15 for every GPU architecture of 75, 80, 86, 90, 100 that nvcc has"
	@echo "make banner       what was found on this machine"
	@echo "make clean        remove build/"
	@echo "Options: ARCH=x86-64-v3 (default native), NO_OPENMP=1, NO_CUDA=1, NO_MUJOCO=1, NO_LIBTORCH=1"

# ---- What there is ----

program  = $(patsubst %_main,%,$(subst /,_,$(patsubst chapters/%.cpp,%,$(1))))
ROLLOUT := $(wildcard envs/rollout.cpp)
MAINS   := $(sort $(filter-out chapters/00_toolbox/%,$(wildcard chapters/*/*.cpp)))
COURSE  := $(sort $(foreach main,$(MAINS),$(call program,$(main))))
LECTURE := $(filter-out 09_autombpo_train,$(COURSE))  # that one takes half an hour; 09_autombpo applies what it learned
PROGRAMS := $(COURSE) $(if $(ROLLOUT),rollout)
CUDA_MAINS    := $(sort $(wildcard chapters/*/*.cu))  # chapters/15_cuda/affine.cu becomes build/15_cuda_affine
CUDA_PROGRAMS := $(foreach main,$(CUDA_MAINS),$(call program,$(main:.cu=.cpp)))
# What several programs share is compiled once: chapters/04_pets/ensemble.cc is the body of ensemble.h.
LIBRARY := $(wildcard autodiff/*.cpp plots/*.cpp chapters/00_toolbox/*.cpp) \
  $(filter-out $(ROLLOUT),$(wildcard envs/*.cpp)) $(wildcard chapters/*/*.cc)
TESTS   := $(wildcard tests/*.cpp)
BENCHES := $(wildcard tests/bench/*.cpp)
FUZZERS := $(patsubst tests/fuzz/%.cpp,build/fuzz_%,$(wildcard tests/fuzz/*.cpp))

# ---- What the machine offers ----
# Each thing is probed by compiling and linking a small program; build/config.mk keeps the answers.

INCLUDE_PLACES := /usr/include/eigen3 /usr/local/include/eigen3 /opt/homebrew/include /opt/homebrew/include/eigen3
LIBRARY_PLACES := $(addprefix -L,$(wildcard /opt/homebrew/lib))
TORCH := $(wildcard /usr/include/torch/csrc/api/include)
TORCH_CXX := $(addprefix -isystem ,$(TORCH))
INCLUDES := -I. $(addprefix -isystem ,$(wildcard $(INCLUDE_PLACES)))
GNUPLOT_LD := -lboost_iostreams -lboost_filesystem
TORCH_LD := -ltorch -ltorch_cpu -lc10
ifneq ($(findstring ',$(CXX)$(ARCH))$(findstring \#,$(CXX)$(ARCH)),)
$(error CXX and ARCH must not contain a quote or a hash)
endif
SWITCHES := $(CXX) $(ARCH) $(NO_OPENMP).$(NO_MUJOCO).$(NO_CUDA).$(NO_LIBTORCH)
COMMA := ,

define PROBE
mkdir -p build/probe
try() {  # name, header, expression that is 0 in a working program, flags
  printf '#include <%s>\nint main() { return %s; }\n' "$$2" "$$3" > build/probe/$$1.cpp
  $(CXX) -std=c++20 $(addprefix -isystem ,$(INCLUDE_PLACES)) build/probe/$$1.cpp -o build/probe/$$1 \
    $(LIBRARY_PLACES) $$4 > build/probe/$$1.log 2>&1
}
option() {  # name, its switch, then as for try
  if [ -n "$$2" ]; then echo "$$1 := off"; elif try "$$1" "$$3" "$$4" "$$5"; then echo "$$1 := yes"; else echo "$$1 := no"; fi
}
endef
export PROBE

define CONFIG
option OPENMP "$(NO_OPENMP)" omp.h 'omp_get_max_threads() < 1' -fopenmp
option MUJOCO "$(NO_MUJOCO)" mujoco/mujoco.h 'sizeof(char[mjVERSION_HEADER < 300 ? 1 : -1]) > 1 || mj_version() < 1' -lmujoco
option LIBTORCH "$(NO_LIBTORCH)" ATen/Parallel.h 'at::get_num_threads() < 1' '$(TORCH_CXX) $(TORCH_LD)'
echo '__global__ void k() {} int main() { k<<<1, 1>>>(); }' > build/probe/CUDA.cu
if [ -n "$(NO_CUDA)" ]; then echo 'CUDA := off'
elif nvcc build/probe/CUDA.cu -o build/probe/CUDA > build/probe/CUDA.log 2>&1; then
  echo 'CUDA := yes'
  if nvidia-smi -L > /dev/null 2>&1; then echo 'CUDA_ARCH ?= native'; fi
  echo '#include <cublas_v2.h>' > build/probe/CUBLAS.cu
  echo 'int main() { cublasHandle_t h; return cublasCreate(&h) == 0; }' >> build/probe/CUBLAS.cu
  if nvcc build/probe/CUBLAS.cu -o build/probe/CUBLAS -lcublas > build/probe/CUBLAS.log 2>&1; then
    build/probe/CUBLAS; [ $$? -ge 126 ] || echo 'CUBLAS := yes'  # 127: the library is not where programs look for it
  fi
else echo 'CUDA := no'; fi
if try Catch2_3 catch2/catch_test_macros.hpp 0 -lCatch2; then echo 'CATCH_LD := -lCatch2'; fi
case "$$($(CXX) --version)" in
  *clang*) ;;
  *) echo 'GCC := --param ggc-min-heapsize=4000000'  # kB; collecting garbage costs an eighth of the time
     echo 'FAST := -O2 -ftree-vectorize -fvect-cost-model=dynamic'
     [ "$$($(CXX) -dumpversion | cut -d. -f1)" -gt 12 ] || echo 'GCC12 := -Wno-uninitialized -Wno-maybe-uninitialized' ;;
esac
echo 'PROBED := $(SWITCHES)'
endef
export CONFIG

build/config.mk: Makefile
	@eval "$$PROBE"; eval "$$CONFIG" > $@

ifneq ($(filter-out clean help deps deps-mujoco run test,$(or $(MAKECMDGOALS),all)),)
-include build/config.mk
ifneq ($(PROBED),$(SWITCHES))
$(shell rm -f build/config.mk)  # another compiler or another switch: probe again
endif
endif

CUDA_BUILT := $(if $(filter yes,$(CUDA)),$(CUDA_PROGRAMS))

# line(name, found?, what is gained, what is lost)
line = $(if $(filter yes,$($(1))),@echo "✓ $(2): $(3)",$(if $(filter off,$($(1))),@echo "→ $(2) switched off by NO_$(1)=1",@echo "✗ $(2) not found: $(4)"))

banner:
	$(call line,OPENMP,OpenMP,work is split over the cores (--threads N or OMP_NUM_THREADS limit them),everything runs on one core)
ifneq ($(wildcard envs/mujoco),)
	$(call line,MUJOCO,MuJoCo,ant$(COMMA) humanoid and pusher are built,ant$(COMMA) humanoid and pusher are left out (make deps-mujoco installs it))
endif
ifneq ($(wildcard chapters/*/*.cu),)
	$(call line,CUDA,CUDA,chapter 15 is built,chapter 15 is left out)
endif
	@command -v gnuplot > /dev/null && echo "✓ gnuplot: pictures are drawn" || \
	  echo "✗ gnuplot not found: runs write CSV files only; later \`make plots\` draws them"

# ---- What has to be there: installed by the machine's package manager ----

define MISSING
missing=
need() { try "$$@" || missing="$$missing $$1"; }
need compiler cstdio 0
need Eigen Eigen/Core 'int(Eigen::Array2f(1, 2).sum()) - 3'
need CLI11 CLI/CLI.hpp 'int(CLI::App().get_options().size()) - 1'
need json nlohmann/json.hpp 'int(nlohmann::json::array().size())'
try Catch2_3 catch2/catch_test_macros.hpp 0 -lCatch2 || need Catch2 catch2/catch.hpp 0
need gnuplot-iostream gnuplot-iostream.h 'sizeof(gnuplotio::Gnuplot) == 0' '$(GNUPLOT_LD)'
command -v gnuplot > /dev/null || missing="$$missing gnuplot"
endef
export MISSING

# what = packages of apt-get | dnf | pacman | brew
define PACKAGES
compiler         = g++ | gcc-c++ | gcc | gcc
Eigen            = libeigen3-dev | eigen3-devel | eigen | eigen
CLI11            = libcli11-dev | cli11-devel | cli11 | cli11
json             = nlohmann-json3-dev | json-devel | nlohmann-json | nlohmann-json
Catch2           = catch2 | catch-devel | catch2 | catch2
gnuplot-iostream = libgnuplot-iostream-dev libboost-iostreams-dev libboost-filesystem-dev | boost-devel | boost | boost
gnuplot          = gnuplot-nox | gnuplot | gnuplot | gnuplot
MuJoCo           = libmujoco-dev | | | mujoco
endef
export PACKAGES

define INSTALL
sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo "
if command -v apt-get; then
  column=2; update="$${sudo}apt-get update"
  install="$${sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
elif command -v dnf; then column=3; update=:; install="$${sudo}dnf install -y"
elif command -v pacman; then column=4; update=:; install="$${sudo}pacman -S --noconfirm --needed"
elif command -v brew; then column=5; update=:; install="brew install"
else echo "No package manager found (apt-get, dnf, pacman, brew). Please install:$$missing" >&2; exit 1; fi > /dev/null
packages=
for name in $$missing; do
  packages="$$packages $$(printf '%s\n' "$$PACKAGES" | awk -F ' *[=|] *' -v n="$$name" -v c=$$column '$$1 == n { print $$c }')"
done
case "$$packages" in *[!\ ]*) ;; *) echo "There is no package of:$$missing for this package manager" >&2; exit 1;; esac
echo "Missing:$$missing. Installing with \"$$install\":$$packages"
$$update || echo "The package lists could not be renewed" >&2
$$install $$packages
endef
export INSTALL

# Missing things are found, installed and probed again; build/deps.ok remembers that all is there.
deps: build/deps.ok
build/deps.ok: Makefile
	@eval "$$PROBE"; eval "$$MISSING"; \
	if [ -n "$$missing" ]; then \
	  eval "$$INSTALL" || exit 1; \
	  rm -f build/config.mk; eval "$$MISSING"; \
	  case "$$missing" in *gnuplot-iostream*) \
	    echo "gnuplot-iostream.h is one header: copy it from github.com/dstahlke/gnuplot-iostream to /usr/local/include" >&2;; esac; \
	  if [ -n "$$missing" ]; then echo "Still missing:$$missing (build/probe/*.log say why)" >&2; exit 1; fi; \
	fi; touch $@
deps-mujoco:
	@missing=MuJoCo; eval "$$INSTALL" && rm -f build/config.mk

# ---- Compiling: build/obj for the programs, build/float and build/double for the tests, build/san for SAN=1 ----

GCC_AND_CLANG = -std=c++20 -Wall -Wextra $(GCC) $(GCC12) $(INCLUDES) -MMD -MP -march=$(ARCH) -fno-math-errno -fno-trapping-math
EIGEN_USE = -DEIGEN_DONT_PARALLELIZE -DEIGEN_STACK_ALLOCATION_LIMIT=1048576  # threads are ours; packing off the heap
OPTIONAL_CXX = $(if $(filter yes,$(OPENMP)),-fopenmp) $(if $(filter yes,$(MUJOCO)),-DHAVE_MUJOCO)
LIBS = $(if $(filter yes,$(OPENMP)),-fopenmp) $(LIBRARY_PLACES) $(GNUPLOT_LD) $(if $(filter yes,$(MUJOCO)),-lmujoco) $(LDFLAGS)
COMPILE = $(CXX) $(GCC_AND_CLANG) $(EIGEN_USE) $(OPTIONAL_CXX) $(CXXFLAGS)

FLAGS_obj    = -O3 -DNDEBUG
FLAGS_float  = -O1
FLAGS_double = -O1 -DREAL=double
# As fast as -O3 where it matters, and compiled in four fifths of the time.
FAST ?= -O3
$(MAINS:%.cpp=build/obj/%.o): FLAGS_obj = $(FAST) -DNDEBUG
# Eigen is read once for all of them.
$(MAINS:%.cpp=build/obj/%.o): COMMON = -include build/obj/eigen.h
$(MAINS:%.cpp=build/obj/%.o): build/obj/eigen.h.gch
build/obj/eigen.h.gch: build/config.mk
	@mkdir -p $(@D)
	@echo '#include <Eigen/Core>' > $(@:.gch=)
	$(COMPILE) $(FAST) -DNDEBUG -x c++-header $(@:.gch=) -o $@
build/obj/tests/main.o: FLAGS_obj = -O1  # Catch2's own code is the same in all tests
# Left out: checks that AddressSanitizer and Eigen's assertions make too, and that triple the time to compile Eigen; and
# line numbers in reports, which CXXFLAGS=-g1 adds.
FLAGS_san    = -Og -fsanitize=address,undefined -fno-sanitize=null,alignment,object-size,vptr -fno-sanitize-recover=all

# Left out of the other two: what more digits do not test better, and what has no memory of its own.
SKIPPED_double = $(addprefix tests/,00_checkpoint.cpp 00_toolbox.cpp 01_q_planning.cpp 02_dyna_q.cpp 03_shooting.cpp \
  04_pets.cpp 04_pets_ensemble.cpp 04_pets_propagation.cpp 04_pets_transitions.cpp 05_ppo.cpp 06_bound.cpp 06_mbpo.cpp \
  07_bmpo.cpp 07_bmpo_loop.cpp 08_adaptation.cpp 09_autombpo.cpp 09_autombpo_bound.cpp autodiff_rng.cpp envs.cpp \
  envs_rollout.cpp house.cpp plots.cpp programs.cpp) $(wildcard tests/15_*.cpp)  # kernels compute in float
SKIPPED_san    = $(addprefix tests/,03_shooting.cpp 04_pets_propagation.cpp 05_ppo.cpp 06_bound.cpp 07_bmpo.cpp \
  09_autombpo_bound.cpp 12_svg.cpp house.cpp programs.cpp)

objects = $(addprefix build/$(1)/,$(addsuffix .o,$(basename $(filter-out autodiff/matmul.cpp,$(2))))) build/obj/autodiff/matmul.o

define variant
build/$(1)/%.o: %.cpp build/config.mk
	@mkdir -p $$(@D)
	$$(COMPILE) $$(FLAGS_$(1)) $$(COMMON) -c $$< -o $$@
build/$(1)/%.o: %.cc build/config.mk
	@mkdir -p $$(@D)
	$$(COMPILE) $$(FLAGS_$(1)) -c $$< -o $$@
build/$(1)/library.a: $(filter-out build/obj/autodiff/matmul.o,$(call objects,$(1),$(LIBRARY))) build/obj/autodiff/matmul.o
	@rm -f $$@
	ar rcs $$@ $$^
# Eigen and Catch2 are read once for all tests.
build/$(1)/common.h: build/config.mk
	@mkdir -p $$(@D)
	@echo '#include <Eigen/Core>' > $$@; echo '#include "tests/catch.h"' >> $$@
build/$(1)/common.h.gch: build/$(1)/common.h tests/catch.h
	$$(COMPILE) $$(FLAGS_$(1)) -x c++-header $$< -o $$@
$(patsubst %.cpp,build/$(1)/%.o,$(filter-out tests/main.cpp,$(TESTS))): COMMON = -include build/$(1)/common.h
$(patsubst %.cpp,build/$(1)/%.o,$(filter-out tests/main.cpp,$(TESTS))): build/$(1)/common.h.gch
build/tests$(2): $(patsubst %.cpp,build/$(1)/%.o,$(filter-out tests/main.cpp $(SKIPPED_$(1)),$(TESTS))) \
  build/obj/tests/main.o build/$(or $(3),$(1))/library.a
	$$(CXX) $$(FLAGS_$(1)) $$^ -o $$@ $$(CATCH_LD) $$(LIBS)
endef
$(eval $(call variant,obj,_fast))
$(eval $(call variant,float,,obj))  # with the library that the programs have
$(eval $(call variant,double,_double))
$(eval $(call variant,san,_san))

define program_rule
build/$(call program,$(1)): build/obj/$(1:.cpp=.o) build/obj/library.a
	$$(CXX) $$^ -o $$@ $$(LIBS)
build/san/$(call program,$(1)): build/san/$(1:.cpp=.o) build/san/library.a
	$$(CXX) $$(FLAGS_san) $$^ -o $$@ $$(LIBS)
$(call program,$(1)): banner build/$(call program,$(1))
.PHONY: $(call program,$(1))
endef
$(foreach main,$(MAINS),$(eval $(call program_rule,$(main))))
ifneq ($(ROLLOUT),)
$(eval $(subst $(call program,$(ROLLOUT)),rollout,$(call program_rule,$(ROLLOUT))))
endif

# nvcc compiles the .cu files; without a GPU to compile for, into PTX, which every GPU's driver translates when a program
# starts. Kind 75 has no copies to shared memory that need no thread to wait: CUDA_ARCH=native where the timing counts.
# Eigen's alignment depends on -march: it must be the library's.
CUDA_ARCH ?= compute_75
NVCC = nvcc -std=c++20 -O2 -DNDEBUG -DEIGEN_NO_CUDA $(EIGEN_USE) $(if $(filter yes,$(CUBLAS)),-DHAVE_CUBLAS) $(INCLUDES) \
  $(addprefix -Xcompiler ,-Wall -Wextra $(GCC12) -march=$(ARCH) -fno-math-errno -fno-trapping-math) \
  $(if $(filter yes,$(OPENMP)),-Xcompiler -fopenmp) $(if $(filter yes,$(MUJOCO)),-DHAVE_MUJOCO)
NVCC_LIBS = $(LIBRARY_PLACES) $(GNUPLOT_LD) $(if $(filter yes,$(MUJOCO)),-lmujoco) \
  $(if $(filter yes,$(CUBLAS)),-Xlinker --as-needed -lcublas)
build/cuda/%.o: %.cu build/config.mk
	@mkdir -p $(@D)
	$(NVCC) -arch=$(CUDA_ARCH) -MMD -MP -c $< -o $@
define cuda_rule
build/$(1): build/cuda/$(2:.cu=.o) build/obj/library.a
	$$(NVCC) -arch=$$(CUDA_ARCH) $$^ -o $$@ $$(NVCC_LIBS)
build/$(1)_archs: $(2) build/obj/library.a
	$$(NVCC) $$(foreach a,$$(ARCHS),-gencode arch=compute_$$(a),code=sm_$$(a)) $$^ -o $$@ $$(NVCC_LIBS)
$(1): banner build/$(1)
.PHONY: $(1)
endef
$(foreach main,$(CUDA_MAINS),$(eval $(call cuda_rule,$(call program,$(main:.cu=.cpp)),$(main))))

# Machine code for each of these architectures that nvcc knows.
ARCHS = $(filter 75 80 86 90 100,$(patsubst compute_%,%,$(shell nvcc --list-gpu-arch)))
cuda-archs: $(CUDA_PROGRAMS:%=build/%_archs)
	@echo "compiled and linked for $(ARCHS): $(CUDA_PROGRAMS)"

build/bench: $(patsubst %.cpp,build/obj/%.o,$(BENCHES)) build/obj/library.a
	$(CXX) $^ -o $@ $(LIBS) $(if $(filter yes,$(LIBTORCH)),$(TORCH_LD))
build/obj/tests/bench/libtorch.o: OPTIONAL_CXX += $(if $(filter yes,$(LIBTORCH)),-DHAVE_LIBTORCH $(TORCH_CXX))

-include $(shell find build -name '*.d' 2>/dev/null)

# ---- What one asks for ----

all: banner $(PROGRAMS:%=build/%) $(CUDA_BUILT:%=build/%)

# These two start make again, so that what `deps` has installed is seen; one after the other, they build the same files.
ifneq ($(filter run test,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
SYNC := $(if $(filter test,$(MAKECMDGOALS)),$(if $(filter output-sync,$(.FEATURES)),--output-sync))
run test: deps
	@$(MAKE) --no-print-directory $(SYNC) $(if $(findstring -j,$(MAKEFLAGS)),,-j$(CORES)) run-$@

# A program's output is kept as <folder>/<program>.txt, its last line is a row of the table: program | seconds | result |
# picture. What has been run since it was built is not run again (FRESH=1: all of it is).
define ONCE
once() {  # program, folder, options
  program=$$1; place=$$2; text="$$2/$$1.txt"; shift 2
  if [ -z "$(FRESH)" ] && [ "$$text" -nt build/$$program ]; then echo "== $$program: done before"; return; fi
  echo "== $$program $$*"
  mkdir -p "$$place" && rm -f "$$text" || exit $$?
  build/$$program --out "$$place" "$$@" > "$$text.part" || { status=$$?; cat "$$text.part"; exit $$status; }
  mv "$$text.part" "$$text"
  cat "$$text"
}
seconds() { for f; do tail -n 1 "$$f"; done | awk -F ' [|] ' '{ s += $$2 } END { print s + 0 }'; }
endef
export ONCE
define RUN
for p in $(LECTURE) $(CUDA_BUILT); do once $$p "$$OUT"; done
format='%-29s %8s  %-24s %s\n'
printf "\n$$format" program seconds claims 'result; picture'
for p in $(LECTURE) $(CUDA_BUILT); do
  claims=$$(cat "$$OUT/$${p}_claims.csv" 2> /dev/null | awk -F , '/^[^#]/ { n[$$NF]++ } END {
    if (n["holds"]) a = n["holds"] " hold"
    if (n["unclear"]) a = a (a ? ", " : "") n["unclear"] " unclear"
    if (n["does not hold"]) a = a (a ? ", " : "") n["does not hold"] " not"
    print a }')
  tail -n 1 "$$OUT/$$p.txt" | awk -F ' [|] ' -v p=$$p -v claims="$$claims" -v f="$$format" '
    NF == 4 { printf f, p, $$2 + 0, claims, $$3 "; " $$4 }
    NF != 4 { printf f, p, "", "", $$0 }'
done
printf "$$format" "in all" "$$(seconds $(foreach p,$(LECTURE) $(CUDA_BUILT),"$$OUT/$(p).txt"))" "" ""
endef
export RUN
run-run: all
	@eval "$$ONCE"; eval "$$RUN"

# Each binary is run as soon as it is there, while the rest is compiled.
ifeq ($(SAN),)
run-test: test-programs test-float test-double
test-programs: banner $(PROGRAMS:%=build/%) build/tests
	build/tests '[program]~[kill]'
test-float: build/tests
	build/tests '~[program]'
test-double: build/tests_double
	build/tests_double '~[program]~[train]'
else
SAN_PROGRAMS := $(filter 02_dyna_q 06_mbpo,$(PROGRAMS))
run-test: banner test-san build/san/rollout $(SAN_PROGRAMS:%=smoke-%)
test-san: build/tests_san
	build/tests_san '~[train]~[program]'
smoke-%: build/san/%
	build/san/$* --smoke --quiet --out build/san/out
endif

plots: all
	@for p in $(COURSE); do [ ! -e "$(OUT)/$$p.csv" ] || build/$$p --redraw --out "$$OUT" || exit $$?; done

# Claims are measured at the programs' default settings; CLAIMS_<program> adds options, TASKS_<program> names more tasks.
# Files go to $(OUT)/claims/ and $(OUT)/claims/<task>/. As with `make run`, what is done is not done again.
CLAIMS_03_shooting := --env pendulum --seeds 30 --samples 50,250,1000,2000
CLAIMS_04_pets := --seeds 5
TASKS_04_pets := pendulum
CLAIMS_04_pets_ablation := --seeds 3
CLAIMS_05_model_free := --seeds 5
CLAIMS_05_model_free_ppo := --seeds 5
CLAIMS_05_model_free_against_pets := --seeds 5 --updates 1,10 --steps 20000,10000
CLAIMS_06_mbpo := --seeds 5
CLAIMS_06_mbpo_compounding := --seeds 5
CLAIMS_06_mbpo_experiments := --seeds 5
CLAIMS_07_bmpo := --seeds 3 --ablation
CLAIMS_07_bmpo_compounding := --seeds 3
CLAIMS_08_ampo := --seeds 5 --compare
CLAIMS_08_ampo_model_loss := --seeds 10
CLAIMS_08_ampo_shift := --seeds 10
CLAIMS_09_autombpo := --seeds 10
CLAIMS_09_autombpo_sensitivity := --seeds 3 --steps 3000
CLAIMS_12_svg := --seeds 5
CLAIMS_12_svg_ddpg := --seeds 5
CLAIMS_12_svg_small_model := --seeds 3
CLAIMS_12_svg_svg0 := --seeds 5
CLAIMS_12_svg_svg1 := --seeds 5
CLAIMS_14_maac := --seeds 5 --horizon 0,1,3,5,10
CLAIMS_14_maac_horizon := --seeds 5
TASKS_05_model_free := inverted_pendulum
TASKS_05_model_free_ppo := inverted_pendulum cartpole
# Markdown from the claims files of a folder; a cell with a comma is quoted in them.
define CLAIMS_TABLE
claims_table() {
for f; do shift; [ ! -e "$$f" ] || set -- "$$@" "$$f"; done
awk '
function cut(line, cell,  i, n, c, quoted) {
  n = 1; cell[1] = ""
  for (i = 1; i <= length(line); ++i) {
    c = substr(line, i, 1)
    if (c == "\"") quoted = !quoted
    else if (c == "," && !quoted) cell[++n] = ""
    else cell[n] = cell[n] (c == "|" ? "\\|" : c)
  }
}
BEGIN { print "| program | claim | slide | expected | measured | 95 % interval | seeds | verdict |"; print "|---|---|---|---|---|---|---|---|" }
/^#/ || /^claim,slide,/ { next }
{ cut($$0, c); p = FILENAME; sub(/.*\//, "", p); sub(/_claims.csv$$/, "", p)
  print "| " p " | " c[1] " | " c[2] " | " c[3] " | " c[4] " | " (c[5] == "" ? "" : "[" c[5] ", " c[6] "]") " | " c[7] " | " c[8] " |"
  ++n[c[8]] }
END { print ""; print n["holds"] + 0 " hold, " n["unclear"] + 0 " unclear, " n["does not hold"] + 0 " do not hold." }' "$$@"
}
endef
export CLAIMS_TABLE
claims: $(LECTURE:%=build/%) build/tests
	@eval "$$ONCE"; eval "$$CLAIMS_TABLE"; \
	$(foreach p,$(LECTURE),once $(p) "$$OUT/claims" --no-plot --quiet $(CLAIMS_$(p)); \
	  $(foreach e,$(TASKS_$(p)),once $(p) "$$OUT/claims/$(e)" --no-plot --quiet --env $(e) $(CLAIMS_$(p));)) \
	set -- $(foreach p,$(LECTURE),"$$OUT/claims/$(p).txt" $(foreach e,$(TASKS_$(p)),"$$OUT/claims/$(e)/$(p).txt")); \
	minutes=$$(seconds "$$@" | awk '{ printf "%.0f", $$1 / 60 }'); \
	for f; do shift; set -- "$$@" "$${f%.txt}_claims.csv"; done; \
	{ echo "\`make claims\`, $$(date +%F), $$(nproc) cores$$(sed -n 's/^model name.*: /, /p' /proc/cpuinfo 2> /dev/null | head -n 1)," \
	    "$$minutes minutes"; echo; claims_table "$$@"; } > "$$OUT/claims/claims.md"; cat "$$OUT/claims/claims.md"
	@build/tests '[kill]'

# Hours. Each into $(OUT)/long/<name>; stopped and called again, MBPO goes on where its last checkpoint was written.
define LONG_CLAIMS
long() {  # name, program, options
  name=$$1; shift; set -- "$$@" --quiet --out "$$OUT/long/$$name"
  "$$@" || exit $$?
}
resumable() {
  state="$$OUT/long/$$1.state"
  if [ -e "$$state" ]; then long "$$@" --checkpoint "$$state" --resume "$$state"; else long "$$@" --checkpoint "$$state"; fi
}
mkdir -p "$$OUT/long"
long half_cheetah build/06_mbpo_experiments --env half_cheetah --seeds 5
resumable inverted_pendulum build/06_mbpo --env inverted_pendulum --preset paper --steps 5000 --seeds 5
resumable hopper_paper build/06_mbpo --env hopper --preset paper --steps 40000
resumable hopper_sac build/06_mbpo --env hopper --preset paper --steps 40000 --real-ratio 1
resumable half_cheetah_paper build/06_mbpo --env half_cheetah --preset paper --steps 20000
resumable half_cheetah_sac build/06_mbpo --env half_cheetah --preset paper --steps 20000 --real-ratio 1
resumable inverted_pendulum_bmpo build/07_bmpo --env inverted_pendulum --seeds 5 --ablation
resumable inverted_pendulum_ampo build/08_ampo --env inverted_pendulum --seeds 5 --compare
long inverted_pendulum_loss build/08_ampo_model_loss --env inverted_pendulum --seeds 10
long swimmer_loss build/08_ampo_model_loss --env swimmer --seeds 10 --steps 2000
long shift_loss build/08_ampo_model_loss --data 300 --seeds 10
resumable swimmer_ampo build/08_ampo --env swimmer --seeds 3 --steps 20000 --compare
long autombpo build/09_autombpo_train --continue
resumable hopper_bmpo build/07_bmpo --env hopper --preset paper --steps 20000
resumable pendulum_maac build/14_maac --horizon 0,1,3,5,10 --steps 4000 --seeds 5
resumable cartpole_swingup_maac build/14_maac --env cartpole_swingup --steps 6000 --seeds 5 --compare
eval "$$CLAIMS_TABLE"; claims_table "$$OUT"/long/*/*_claims.csv
endef
export LONG_CLAIMS
claims-long: $(addprefix build/,06_mbpo 06_mbpo_experiments 07_bmpo 08_ampo 08_ampo_model_loss 09_autombpo_train 14_maac)
	@eval "$$LONG_CLAIMS"

bench: build/bench
	@build/bench

fuzz: $(FUZZERS)
	@for f in $^; do mkdir -p $$f.corpus; \
	  $$f -max_total_time=$$(($(FUZZ_SECONDS) / $(words $^))) -timeout=10 $$f.corpus || exit $$?; done
FUZZ_CXX = clang++ -std=c++20 -O1 -g1 -fsanitize=fuzzer,address,undefined -fno-sanitize=null,alignment,object-size,vptr
FUZZ_COMPILE = @mkdir -p $(@D); $(FUZZ_CXX) $(INCLUDES) $(EIGEN_USE) -MMD -MP -c $< -o $@
build/fuzz/%.o: %.cpp build/config.mk
	$(FUZZ_COMPILE)
build/fuzz/%.o: %.cc build/config.mk
	$(FUZZ_COMPILE)
build/fuzz_%: build/fuzz/tests/fuzz/%.o $(addprefix build/fuzz/,$(addsuffix .o,$(basename $(LIBRARY))))
	$(FUZZ_CXX) $^ -o $@ $(GNUPLOT_LD)

clean:
	rm -rf build

.PHONY: all run test run-run run-test test-float test-double test-programs test-san plots bench claims claims-long fuzz deps deps-mujoco banner cuda-archs clean help
