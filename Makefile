# SPDX-License-Identifier: Apache-2.0
#
# One Makefile for everything; `make help` lists what it can do. Objects go to build/CONFIG,
# where CONFIG names the kind of build (release, debug, asan, tsan, ...), so that kinds live side
# by side. A change of flags, compiler or file list rebuilds what it touches: see "stamps" below.
#
#   make                        the release build: build/wax, libwax.a, libwax.so
#   make DEBUG=1                without optimisation, bodies stay functions
#   make SAN=address,undefined  with sanitizers; also SAN=thread
#   make CC=clang MARCH=native  another compiler, code for this very CPU
#   make V=1                    shows the commands

VERSION := 0.1.0

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

ifeq ($(origin CC),default)
CC := gcc
endif
AR      ?= ar
PYTHON  ?= python3
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc 2>/dev/null || echo 1)
WERROR  ?= 1
SAN     ?=
DEBUG   ?=
COVER   ?=
MARCH   ?=
V       ?=
FUZZ_SECONDS ?= 30
MAKEFLAGS += --no-print-directory
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

# ---- kinds of build -----------------------------------------------------------------------------

kind := $(if $(findstring thread,$(SAN)),tsan,$(if $(findstring fuzzer,$(SAN)),fuzz,$(strip \
        $(if $(SAN),asan,$(if $(COVER),coverage,$(if $(DEBUG),debug,release))))))
CONFIG ?= $(kind)$(if $(findstring clang,$(CC)),$(if $(filter fuzz,$(kind)),,-clang))
B      := build/$(CONFIG)

is_clang := $(findstring clang,$(shell $(CC) --version 2>/dev/null))
cc_id    := $(shell $(CC) --version 2>/dev/null | head -n1)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wvla -Wundef -Wformat=2 -Wimplicit-fallthrough $(if $(WERROR),-Werror)
# Messages are cut at the end of their buffers on purpose.
WARN += $(if $(is_clang),,-Wno-format-truncation)

BASE_FLAGS := -std=gnu17 -D_GNU_SOURCE -DWAX_VERSION='"$(VERSION)"' -Iruntime -Iruntime/include \
              -g -fno-omit-frame-pointer -fvisibility=hidden -fno-common -fPIC \
              -fno-semantic-interposition -pthread
OPT_release  := -O2 -fno-plt -fstack-protector-strong -D_FORTIFY_SOURCE=2
OPT_debug    := -O0 -DWAX_DEBUG
OPT_coverage := -O0 --coverage -fprofile-update=atomic
OPT_asan     := -O1 -fsanitize=$(SAN) -fno-sanitize-recover=all
# It does not model fences, which only decide who wakes whom here and order no data.
OPT_tsan     := $(OPT_asan) $(if $(is_clang),,-Wno-tsan)
OPT_fuzz     := $(OPT_asan)
LINK_release := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LINK_coverage := --coverage
LINK_asan    := -fsanitize=$(SAN)
LINK_tsan    := -fsanitize=$(SAN)
LINK_fuzz    := -fsanitize=address,undefined

ALL_CFLAGS  := $(BASE_FLAGS) $(OPT_$(kind)) $(if $(MARCH),-march=$(MARCH)) $(WARN) $(CFLAGS)
ALL_LDFLAGS := -pthread $(LINK_$(kind)) $(LDFLAGS)
LIBS        := -ldl -lpthread -lm
WHOLE_LIB    = -Wl,--whole-archive $(B)/libwax.a -Wl,--no-whole-archive

# ---- files --------------------------------------------------------------------------------------

LIB_SRC     := $(filter-out runtime/cli/main.c,$(sort $(wildcard runtime/*/*.c)))
UNIT_SRC    := $(sort $(wildcard tests/unit/*.c))
SIM_SRC     := $(sort $(wildcard tests/sim/*.c))
STRESS_SRC  := $(sort $(wildcard tests/stress/*.c))
FUZZ_SRC    := $(sort $(wildcard tests/fuzz/fuzz_*.c))
EXAMPLE_SRC := $(sort $(wildcard examples/*.c))
PUBLIC_H    := $(sort $(wildcard runtime/include/wax/*.h))

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
LIB_OBJ  := $(call obj,$(LIB_SRC))
STRESS   := $(patsubst tests/stress/%.c,$(B)/stress/%,$(STRESS_SRC))
FUZZ     := $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/%,$(FUZZ_SRC))
EXAMPLES := $(patsubst examples/%.c,$(B)/examples/%.so,$(EXAMPLE_SRC))

say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)';)

# ---- what to build ------------------------------------------------------------------------------

.PHONY: all wax lib examples
all: wax lib ## Build wax and the libraries (the default)
wax: $(B)/wax $(if $(filter release,$(CONFIG)),build/wax)
lib: $(B)/libwax.a $(B)/libwax.so
examples: $(EXAMPLES) ## Build the examples as modules, with strict warnings

$(B)/libwax.a: $(LIB_OBJ) $(B)/files
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

$(B)/libwax.so: $(LIB_OBJ) $(B)/files
	$(call say,LD,$@)$(CC) -shared -Wl,-soname,libwax.so.0 $(if $(SAN),,-Wl,-z,defs) -o $@ \
		$(LIB_OBJ) $(filter-out -pie,$(ALL_LDFLAGS)) $(LIBS)

# Modules find the public functions in the executable: all of the library is in it, and exported.
$(B)/wax: $(B)/obj/runtime/cli/main.o $(B)/libwax.a
	$(call say,LD,$@)$(CC) -rdynamic -o $@ $< $(WHOLE_LIB) $(ALL_LDFLAGS) $(LIBS)

build/wax: $(B)/wax
	@ln -sfn $(CONFIG)/wax $@

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC,$<)mkdir -p $(@D) && \
		$(CC) $(ALL_CFLAGS) $(OBJ_FLAGS) -MMD -MP -c -o $@ $<

$(B)/examples/%.so: examples/%.c $(PUBLIC_H) $(B)/flags
	$(call say,CC,$<)mkdir -p $(@D) && \
		$(CC) -std=gnu17 -O2 -fPIC -shared -Iruntime/include $(WARN) -o $@ $<

# ---- tests: programs ----------------------------------------------------------------------------

$(B)/obj/tests/%.o: OBJ_FLAGS = -Itests -Wno-missing-prototypes $(CRITERION_FLAGS)
CRITERION_FLAGS = $(shell pkg-config --cflags criterion 2>/dev/null)
CRITERION = $(shell pkg-config --libs criterion)

$(B)/unit: $(call obj,$(UNIT_SRC)) $(B)/libwax.a
	$(call say,LD,$@)$(CC) -o $@ $^ $(ALL_LDFLAGS) $(CRITERION) $(LIBS)

$(B)/unit-%: $(B)/obj/tests/unit/test_%.o $(B)/libwax.a
	$(call say,LD,$@)$(CC) -o $@ $^ $(ALL_LDFLAGS) $(CRITERION) $(LIBS)

$(B)/sim: $(call obj,$(SIM_SRC)) $(B)/libwax.a
	$(call say,LD,$@)$(CC) -o $@ $^ $(ALL_LDFLAGS) $(LIBS)

$(B)/stress/%: $(B)/obj/tests/stress/%.o $(B)/libwax.a
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) -o $@ $^ $(ALL_LDFLAGS) $(LIBS)

$(B)/fuzz/%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/libwax.a
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) -fsanitize=fuzzer -o $@ $^ $(ALL_LDFLAGS) $(LIBS)

# ---- tests: running -----------------------------------------------------------------------------

PARTS := unit cli integration sim stress examples api install tools gates docs
export B PYTHON SAN

.PHONY: run test check $(addprefix check-,$(PARTS) threads)
run: ## Install what is missing, build, count the words of a real text
	@tools/setup build
	@$(MAKE) wax
	@tools/demo $(if $(filter release,$(CONFIG)),build,$(B))/wax

test: ## Install what is missing, build, run all tests
	@tools/setup build test
	@$(MAKE) check

check: all test-programs ## Run all tests (`make test` without looking for packages)
	@tests/run $(PARTS)

.PHONY: test-programs
test-programs: examples $(B)/unit $(if $(SIM_SRC),$(B)/sim) $(STRESS)

check-unit: $(B)/unit ## Run one part: check-unit, check-cli, check-integration, check-sim, ...
check-cli check-integration check-docs: wax
check-sim: $(if $(SIM_SRC),$(B)/sim)
check-stress: $(STRESS)
check-install: all
check-examples: wax examples
check-threads: wax
$(addprefix check-,$(PARTS) threads): check-%:
	@tests/run $*

unit-%: $(B)/unit-% ## Run one file of unit tests: `make unit-base` runs tests/unit/test_base.c
	@$(B)/unit-$*

# ---- sanitizers, fuzzing, coverage, speed -------------------------------------------------------

.PHONY: sanitize fuzz fuzz-run coverage bench bench-short bench-build
sanitize: ## Run the tests under ASan + UBSan and under TSan
	@tools/setup build test
	@$(MAKE) SAN=address,undefined wax test-programs
	@B=build/asan SAN=address,undefined tests/run unit cli integration sim stress
	@$(MAKE) SAN=thread wax $(if $(STRESS_SRC),stress-programs)
	@B=build/tsan SAN=thread tests/run stress threads

.PHONY: stress-programs
stress-programs: $(STRESS)

fuzz: ## Run each fuzz target for FUZZ_SECONDS (30) over its corpus
	@tools/setup build clang
	@$(MAKE) CC=clang SAN=fuzzer-no-link,address,undefined fuzz-run

fuzz-run: $(FUZZ)
	@tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ)

coverage: ## Measure what the tests reach; the report is build/coverage/html
	@tools/setup build test coverage
	@$(MAKE) COVER=1 wax test-programs
	@B=build/coverage tests/run unit cli integration sim
	@tools/coverage build/coverage

bench_cpu := $(if $(filter x86_64,$(shell uname -m)),x86-64-v3)
bench-build:
	@$(MAKE) CONFIG=bench MARCH=$(bench_cpu) wax

bench: bench-build ## Compare with other engines on this machine; prints a table, writes JSON
	@tests/bench/run

bench-short: bench-build ## The same, small and quick
	@tests/bench/run --short

# ---- the house ----------------------------------------------------------------------------------

.PHONY: lint format format-check setup
lint: ## Check format, layers, headers, functions and scripts, and run clang-tidy
	@tools/setup lint
	@tests/lint/run

format: ## Format all C sources
	@tests/lint/format -i

format-check: ## Check that all C sources are formatted
	@tests/lint/format

setup: ## Install every package that any target here needs
	@tools/setup build test lint clang coverage

# ---- installing ---------------------------------------------------------------------------------

bindir  = $(DESTDIR)$(PREFIX)/bin
libdir  = $(DESTDIR)$(PREFIX)/lib
incdir  = $(DESTDIR)$(PREFIX)/include/wax
share   = $(DESTDIR)$(PREFIX)/share
BASH_COMPLETION = $(share)/bash-completion/completions/wax
ZSH_COMPLETION  = $(share)/zsh/site-functions/_wax
FISH_COMPLETION = $(share)/fish/vendor_completions.d/wax.fish
MAN_PAGES := run build graph new

.PHONY: install uninstall clean help
install: all ## Install below PREFIX (/usr/local); DESTDIR is put before it
	@install -d $(bindir) $(libdir)/pkgconfig $(incdir) $(share)/wax/examples/data \
		$(share)/man/man1 $(dir $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION))
	@install -m755 $(B)/wax $(bindir)/wax
	@install -m644 $(B)/libwax.a $(libdir)/libwax.a
	@install -m644 $(B)/libwax.so $(libdir)/libwax.so.0
	@ln -sf libwax.so.0 $(libdir)/libwax.so
	@install -m644 $(PUBLIC_H) $(incdir)
	@install -m644 $(EXAMPLE_SRC) $(share)/wax/examples
	@install -m644 $(wildcard examples/data/*) $(share)/wax/examples/data
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' tools/wax.pc.in \
		>$(libdir)/pkgconfig/wax.pc
	@$(B)/wax man >$(share)/man/man1/wax.1
	@for page in $(MAN_PAGES); do \
		$(B)/wax man $$page >$(share)/man/man1/wax-$$page.1 || exit 1; \
	done
	@$(B)/wax completion bash >$(BASH_COMPLETION)
	@$(B)/wax completion zsh >$(ZSH_COMPLETION)
	@$(B)/wax completion fish >$(FISH_COMPLETION)
	@echo "installed below $(DESTDIR)$(PREFIX)"

uninstall: ## Remove what install put there
	@rm -f $(bindir)/wax $(libdir)/libwax.a $(libdir)/libwax.so $(libdir)/libwax.so.0 \
		$(libdir)/pkgconfig/wax.pc $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION) \
		$(share)/man/man1/wax.1 $(MAN_PAGES:%=$(share)/man/man1/wax-%.1)
	@rm -rf $(incdir) $(share)/wax

clean: ## Remove everything that was built
	@rm -rf build

help: ## Print this
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' \
		$(firstword $(MAKEFILE_LIST))

# ---- stamps -------------------------------------------------------------------------------------

# A stamp changes only when its text does; what depends on it is then built again.
define stamp
@mkdir -p $(@D)
$(file >$@.new,$(1))
@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
endef

.PHONY: FORCE print-warnings
FORCE:
print-warnings:
	@echo $(WARN)
$(B)/flags: FORCE | $(B)/
	$(call stamp,$(cc_id) $(ALL_CFLAGS) $(ALL_LDFLAGS))
$(B)/files: FORCE | $(B)/
	$(call stamp,$(LIB_SRC))
$(B)/:
	@mkdir -p $@

.PRECIOUS: $(B)/obj/%.o $(B)/
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
