# Builds, runs, tests, measures and installs cfic. `make help` lists the targets.

PREFIX ?= /usr/local
DESTDIR ?=
# C compiler for the benchmarks' walks: the Swift toolchain's, not the first clang on PATH.
ifeq ($(origin CC),default)
CC = $(TOOLCHAIN)/bin/clang
endif
CFLAGS ?= -O2
SWIFT ?= swift

# Debian's package names. Libraries that the Swift toolchain itself needs, and those that it links into executables.
TOOLCHAIN_PACKAGES := binutils ca-certificates libcurl4 libncurses6 libsqlite3-0 libstdc++-12-dev libxml2 tzdata zlib1g-dev
# For building: libraries that cfic links, and git, with which SwiftPM fetches dependencies.
BUILD_PACKAGES := $(TOOLCHAIN_PACKAGES) libc6-dev linux-libc-dev libbpf-dev libdw-dev libelf-dev liblzma-dev libbz2-dev \
	libiberty-dev libmicrohttpd-dev libncurses-dev libxxhash-dev libzydis-dev nettle-dev zlib1g-dev git
# For tests: readelf to compare with; aarch64 libraries to compile tables of; xz to make .gnu_debugdata; compilers, gdb,
# procps and eu-stack to build executables, stop them and compare stacks; qemu, cpio and cross compilers to boot
# kernels; python3-venv for packages of PyPI; Chromium to open flame graphs; Go and pprof's sources to read profiles with;
# libdebuginfod for debug files.
TEST_PACKAGES := $(BUILD_PACKAGES) make procps libc6-arm64-cross xz-utils g++ gdb elfutils python3 python3-venv \
	qemu-system-x86 qemu-system-arm cpio debian-archive-keyring libbpf-dev zlib1g-dev gcc-aarch64-linux-gnu \
	libc6-dev-arm64-cross libstdc++6-arm64-cross chromium golang-go golang-github-google-pprof-dev libdebuginfod1
# PyPI's packages that tests read with: messages of OpenTelemetry, Prometheus's text.
PYTHON_PACKAGES := opentelemetry-proto==1.45.2 prometheus-client==0.26.0
PYTHON := .build/python
# For validate-all: all of Debian's aarch64 libraries.
VALIDATE_PACKAGES := $(BUILD_PACKAGES) $(addsuffix -arm64-cross,libasan8 libatomic1 libc6 libgcc-s1 libgfortran5 libgm2-17 \
	libgnat-12 libgo21 libgomp1 libgphobos3 libhwasan0 libitm1 liblsan0 libobjc4 libstdc++6 libtsan2 libubsan1)
# For benchmarks: readelf, from binutils, and perf to compare with.
BENCH_PACKAGES := $(BUILD_PACKAGES) linux-perf
# For bench-shares: compilers. A Rust compiler from elsewhere will do.
SHARES_PACKAGES := $(BUILD_PACKAGES) gcc g++ golang-go python3 $(if $(shell command -v rustc),,rustc)
# For the Debian package: dpkg-shlibdeps, which finds the libraries that it depends on.
DEB_PACKAGES := $(BUILD_PACKAGES) dpkg-dev
# For fuzzing: objcopy, from binutils, for sections compressed in the older format; xz to make .gnu_debugdata.
FUZZ_PACKAGES := $(BUILD_PACKAGES) xz-utils

# Benchmarks measure exactly what is installed, because everything except the tests uses this configuration. The tests
# have their own scratch directory: their modules are built as testable, and in a shared directory each build would
# replace the other's.
SCRATCH := .build
TEST_SCRATCH := .build/tests
# lld, because gold warns about a function in the static Foundation that nothing here calls.
# All libraries but libc's are linked statically: cfic starts faster (loading them took a third of its time), and runs
# where other versions of them are installed. The archives have a directory of their own, which comes first: within a
# directory the linker takes the shared library. `make build STATIC_LIBRARIES=` links the shared ones, after
# `make clean`.
STATIC_LIBRARIES := stdc++ bpf dw elf lzma microhttpd ncursesw nettle tinfo xxhash z bz2
ARCHIVES := $(abspath $(SCRATCH))/archives
# What the archives of libelf and libdw need, and whose shared libraries only shared libelf and libdw need.
ARCHIVE_FLAGS := $(if $(STATIC_LIBRARIES),-Xswiftc -L$(ARCHIVES) -Xlinker -lz -Xlinker -lbz2)
SWIFT_BUILD := $(SWIFT) build -c release --static-swift-stdlib -Xswiftc -use-ld=lld $(ARCHIVE_FLAGS) \
	--scratch-path $(SCRATCH)
SWIFT_TEST := $(SWIFT) test -c release --disable-xctest --scratch-path $(TEST_SCRATCH)
BINARIES := $(SCRATCH)/release
LIBDW_WALK := $(SCRATCH)/libdw-walk
MINIMAL_WALK := $(SCRATCH)/minimal-walk

# Installs the missing ones of the packages $(1). Needs no root and no network if none is missing.
define install_packages
@set -e; \
if [ "$$(. /etc/os-release 2>/dev/null && echo "$$ID $$VERSION_ID")" != "debian 12" ]; then \
	echo "not Debian 12: install these packages, or their equivalents: $(1)"; exit 0; \
fi; \
missing=; \
for package in $(1); do \
	dpkg-query -W -f='$${Status}\n' "$$package" 2>/dev/null | grep -q '^install ok installed$$' \
		|| missing="$$missing $$package"; \
done; \
[ -n "$$missing" ] || exit 0; \
echo "installing$$missing"; \
sudo=; \
if [ "$$(id -u)" != 0 ]; then \
	command -v sudo >/dev/null || { echo "to install them: root or sudo is needed" >&2; exit 1; }; \
	sudo=sudo; \
fi; \
$$sudo apt-get update -qq; \
$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing
endef

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.DEFAULT_GOAL := help

.PHONY: toolchain
toolchain:
	@command -v $(SWIFT) >/dev/null || { \
		echo "$(SWIFT) is not on PATH: a Swift 6.3 toolchain is needed (https://www.swift.org/install)." >&2; \
		echo "Under sudo, which resets PATH: sudo env PATH=\"\$$PATH\" make ..." >&2; \
		exit 1; }
	@rm -rf $(ARCHIVES)
	@mkdir -p $(ARCHIVES)
	@for library in $(STATIC_LIBRARIES); do \
		archive=$$($(TOOLCHAIN)/bin/clang -print-file-name=lib$$library.a); \
		[ ! -f "$$archive" ] || ln -s "$$archive" $(ARCHIVES)/; \
	done

.PHONY: deps deps-test deps-validate deps-bench deps-shares deps-fuzz deps-deb
deps: ## install the packages that building needs (with apt, as root or through sudo)
	$(call install_packages,$(BUILD_PACKAGES))

deps-test: ## install the packages that the tests need
	$(call install_packages,$(TEST_PACKAGES))
	@[ "$$(cat $(PYTHON)/installed 2>/dev/null)" = "$(PYTHON_PACKAGES)" ] || { \
		echo "installing $(PYTHON_PACKAGES)"; \
		{ rm -rf $(PYTHON) && /usr/bin/python3 -m venv $(PYTHON) && \
			$(PYTHON)/bin/pip install -q --disable-pip-version-check $(PYTHON_PACKAGES) && \
			echo "$(PYTHON_PACKAGES)" > $(PYTHON)/installed; } || \
		echo "tests that need them are skipped" >&2; }

deps-validate: ## install the packages that validate-all needs
	$(call install_packages,$(VALIDATE_PACKAGES))

deps-bench: ## install the packages that the benchmarks need
	$(call install_packages,$(BENCH_PACKAGES))

deps-shares: ## install the compilers that bench-shares needs
	$(call install_packages,$(SHARES_PACKAGES))

deps-fuzz: ## install the packages that fuzzing needs
	$(call install_packages,$(FUZZ_PACKAGES))

deps-deb: ## install the packages that `make deb` needs
	$(call install_packages,$(DEB_PACKAGES))

.PHONY: build
build: deps toolchain ## build cfic and check that its BPF programs need nothing newer than Linux 5.10
	$(SWIFT_BUILD) --product cfic
	$(SWIFT_BUILD) --product generate-manual
	@$(BINARIES)/cfic kernel --object $(SCRATCH)/unwinder.bpf.o
	$(BINARIES)/cfic check-bpf --optional $(SCRATCH)/unwinder.bpf.o --kernel 5.10

.PHONY: run
run: build ## compile /bin/bash, its libraries and the dynamic linker into a cache, and print a report
	$(BINARIES)/cfic compile --cache $(SCRATCH)/cache /bin/bash \
		$$(ldd /bin/bash | awk '{ for (i = 1; i <= NF; i++) if ($$i ~ /^\//) print $$i }')

# Passes on the tests' output, and lists the skipped tests before the summary.
COUNT_SKIPPED := 2>&1 | scripts/skipped-tests.sh

.PHONY: test test-quick test-kernel test-hotplug test-matrix
test test-%: SHELL := /bin/bash
test test-%: .SHELLFLAGS := -o pipefail -c
test: deps-test toolchain ## build and run all tests that can run on this machine
	$(SWIFT_TEST) $(COUNT_SKIPPED)

test-quick: toolchain ## run tests that need no root, network or other kernel
	CFIC_TEST_WITHOUT_KERNELS=1 $(SWIFT_TEST) $(COUNT_SKIPPED)

test-kernel: deps-test toolchain ## run tests that load BPF programs into this machine's kernel (root)
	$(SWIFT_TEST) --filter 'KernelUnwinderTests|ProfileTests' $(COUNT_SKIPPED)

test-hotplug: deps-test toolchain ## run tests that take a CPU offline and online again (root)
	CFIC_TEST_HOTPLUG=1 $(SWIFT_TEST) --filter HotplugTests $(COUNT_SKIPPED)

test-matrix: deps-test toolchain ## run tests that boot other kernels in emulated machines
	$(SWIFT_TEST) --filter KernelMatrixTests $(COUNT_SKIPPED)

# The root directory of the Swift toolchain.
TOOLCHAIN = $(abspath $(dir $(shell readlink -f "$$(command -v $(SWIFT))"))/..)

.PHONY: validate-all
validate-all: deps-validate toolchain ## compare the tables of everything in /usr and the toolchain with libdw (VALIDATE_FLAGS=--exhaustive)
	$(SWIFT_BUILD) --product cfic
	$(BINARIES)/cfic validate --no-cache $(VALIDATE_FLAGS) /usr $(TOOLCHAIN)

.PHONY: audit
audit: build ## sample what is installed of a dozen programs, and compare each stack with libdw's (root; docs/validation.md)
	@scripts/audit.sh $(BINARIES)/cfic

.PHONY: completeness
completeness: build ## sample the same programs, and report how many of the stacks reach the outermost frame (root; docs/runtime.md)
	@scripts/completeness.sh $(BINARIES)/cfic

# Seconds, and processes that are alive besides.
DURATION ?= 3600
PROCESSES ?= 20000

.PHONY: endurance
endurance: build ## profile everything for DURATION=3600 seconds beside programs that are hard on it (root; docs/runtime.md)
	@scripts/endurance.sh $(BINARIES)/cfic $(DURATION) $(PROCESSES)

$(LIBDW_WALK): Benchmarks/libdw-walk.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -Wall -Wextra $(CFLAGS) -o $@ $< -ldw -lelf

$(MINIMAL_WALK): Benchmarks/minimal-walk.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -Wall -Wextra $(CFLAGS) -o $@ $<

.PHONY: bench bench-runtime bench-flame-graphs bench-profiles bench-shares bench-hour
bench: deps-bench toolchain ## measure, compare with libdw and readelf, and report which limits are met (BENCH_FLAGS=--quick)
	$(SWIFT_BUILD) --product cfic
	$(SWIFT_BUILD) --product cfic-bench
	@$(MAKE) --no-print-directory $(LIBDW_WALK) $(MINIMAL_WALK)
	@scripts/arm64-files.sh $(SCRATCH)/arm64 || echo "no aarch64 files: their tables are not measured" >&2
	$(BINARIES)/cfic-bench --libdw-walk $(LIBDW_WALK) --minimal-walk $(MINIMAL_WALK) \
		$$([ ! -e $(SCRATCH)/arm64/complete ] || echo --arm64 $(SCRATCH)/arm64/files $(wildcard /usr/aarch64-linux-gnu)) $(BENCH_FLAGS)

bench-runtime: deps-bench toolchain ## measure what sampling costs the programs that are sampled (root; BENCH_FLAGS=--quick)
	$(SWIFT_BUILD) --product cfic
	$(SWIFT_BUILD) --product cfic-bench
	$(BINARIES)/cfic-bench --runtime $(BENCH_FLAGS)

bench-flame-graphs: deps-test toolchain ## measure writing flame graphs, and opening and searching them in Chromium
	$(SWIFT_BUILD) --product flame-graph-bench
	$(BINARIES)/flame-graph-bench

bench-shares: deps-shares build ## compare profiles with the known shares of programs in C, C++, Rust, Swift and Go (root)
	@scripts/shares.sh $(BINARIES)/cfic

bench-profiles: toolchain ## measure writing and reading profiles of a million samples, and naming 100,000 addresses
	$(SWIFT_BUILD) --product profile-bench
	$(BINARIES)/profile-bench $(BENCH_FLAGS)

bench-hour: deps-bench build ## record an hour of the machine beside perf: sizes, cost, completeness (root; DURATION=seconds)
	@scripts/hour.sh $(BINARIES)/cfic $(or $(DURATION),3600)

.PHONY: picture
picture: build ## record a shell, and make the README's picture of it, docs/profile.svg (root)
	$(BINARIES)/cfic profile -o $(SCRATCH)/picture.svg -- bash testdata/programs/words.sh
	@size=$$(stat -c %s $(SCRATCH)/picture.svg); [ $$size -lt 100000 ] || { echo "the picture has $$size bytes" >&2; exit 1; }
	install -m 644 $(SCRATCH)/picture.svg docs/profile.svg

# Fuzz targets, and seconds for each. `make fuzz TARGET=fuzz-cfi SECONDS=3600` runs one for an hour.
TARGET ?= fuzz-elf fuzz-cfi fuzz-table fuzz-expression fuzz-profile
SECONDS ?= 60
FUZZ := $(SCRATCH)/fuzz
FUZZ_BUILD := $(SWIFT) build -c release --package-path Fuzz --scratch-path $(FUZZ)/build \
	-Xswiftc -sanitize=fuzzer,address -Xcc -fsanitize=fuzzer-no-link,address

.PHONY: fuzz
fuzz: deps-fuzz toolchain build ## run all fuzz targets for SECONDS=60 each, or one: TARGET=fuzz-cfi
	@for target in $(TARGET); do $(FUZZ_BUILD) --product $$target || exit 1; done
	@PATH="$(TOOLCHAIN)/bin:$$PATH" Fuzz/seed.sh $(BINARIES)/cfic $(FUZZ)/seeds
	@Fuzz/run.sh $(SECONDS) $(FUZZ) $(FUZZ)/build/release $(TARGET)

# Installs without building, so that root need not build. Variables are exported so that spaces in them are safe.
.PHONY: install uninstall
install uninstall: export PREFIX := $(PREFIX)
install uninstall: export DESTDIR := $(DESTDIR)
install uninstall: export BINARIES := $(BINARIES)
install: ## install the result of `make build`, completions, manual pages, a systemd unit, C headers and documentation under PREFIX (/usr/local)
	@scripts/install.sh install

uninstall: ## remove what `make install` installed
	@scripts/install.sh uninstall

.PHONY: structure
structure: ## list each module's imports; fail if a module imports one below it in docs/architecture.md
	@scripts/structure.sh

# Symbol graphs come from the compiler, pages from DocC, both of the toolchain: no plugin has to be fetched.
.PHONY: docs
docs: toolchain ## make the documentation of the Swift API, a website in .build/docs
	$(SWIFT_BUILD) --product cfic
	@SWIFT='$(SWIFT)' scripts/docs.sh $(BINARIES) $(SCRATCH)/docs

.PHONY: format check-format
FORMATTED := Package.swift Sources Tests Plugins examples Benchmarks Fuzz/Package.swift Fuzz/Sources
format: ## format the Swift code according to .swift-format
	@$(SWIFT) format --in-place --parallel --recursive $(FORMATTED)

check-format: ## fail on Swift code that `make format` would change
	@$(SWIFT) format lint --strict --parallel --recursive $(FORMATTED)

.PHONY: protobuf
protobuf: ## make the Swift code again with which tests read protocol buffers; needs protoc and protoc-gen-swift in the PATH
	protoc --swift_opt=Visibility=Internal -I Tests/ProfileFormatsTests/Protobuf --swift_out=Tests/ProfileFormatsTests/Protobuf \
		Tests/ProfileFormatsTests/Protobuf/*.proto

.PHONY: deb dist
deb: deps-deb build ## make a Debian package, .build/cfic_VERSION_ARCHITECTURE.deb
	@BINARIES='$(BINARIES)' scripts/deb.sh $(SCRATCH)

dist: ## make the source archive of the last commit, .build/cfic-VERSION.tar.gz
	@mkdir -p $(SCRATCH)
	@version=$$(sed -n 's/.*version = (major: \([0-9]*\), minor: \([0-9]*\), patch: \([0-9]*\)).*/\1.\2.\3/p' \
		Sources/UnwindTable/TableSource.swift); \
	git archive --prefix="cfic-$$version/" --output="$(SCRATCH)/cfic-$$version.tar.gz" HEAD && \
	echo "$(SCRATCH)/cfic-$$version.tar.gz"

.PHONY: clean
clean: ## remove everything that was built
	rm -rf .build
