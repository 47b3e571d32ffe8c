# Weir.  `make help` lists the targets; everything is built below build/.
#
# One object rule, sources found by folder: a new .c file needs no edit here.
#   BUILD=release|debug|asan|ubsan|asanubsan|tsan|fuzz    CC=gcc|clang    T=part-of-a-test's-name    V=1

BUILD ?= release
ifeq ($(origin CC),default)
CC := gcc
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:

is_clang := $(findstring clang,$(CC))
B   := build/$(BUILD)$(if $(filter-out fuzz,$(BUILD)),$(if $(is_clang),-clang))
GEN := build/gen
PREFIX ?= /usr/local

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@)

# ---- flags -------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wswitch-enum -Wimplicit-fallthrough -Wformat=2 -Wundef -Wvla -Werror
ifneq ($(is_clang),)
# clang counts every enum as unsigned, and the macros of librdkafka as ours; gcc checks the rest
WARN += -Wno-sign-conversion -Wno-gnu-statement-expression
endif
ifneq ($(filter-out release debug,$(BUILD)),)
ifeq ($(is_clang),)
# The sanitizers' checks confuse gcc's reasoning about values; release builds keep these on.
WARN += -Wno-maybe-uninitialized -Wno-format-truncation -Wno-stringop-overflow -Wno-restrict
endif
endif
cc_has = $(shell echo 'int x;' | $(CC) -Werror $(1) -x c -c -o /dev/null - 2>/dev/null && echo $(1))
HARDEN := -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 \
	$(call cc_has,-fstack-clash-protection) $(call cc_has,-fcf-protection=full) \
	$(call cc_has,-mbranch-protection=standard) $(call cc_has,-ftrivial-auto-var-init=zero)
SAN_address := -fsanitize=address
SAN_undefined := -fsanitize=undefined -fno-sanitize-recover=all

FLAGS_release   = -O2 $(HARDEN)
FLAGS_debug     = -Og
FLAGS_asan      = -O1 $(SAN_address)
FLAGS_ubsan     = -O1 $(SAN_undefined)
FLAGS_asanubsan = -O1 $(SAN_address) $(SAN_undefined)
FLAGS_tsan      = -O1 -fsanitize=thread
FLAGS_fuzz      = -O1 $(SAN_address) $(SAN_undefined) -fsanitize=fuzzer-no-link
MODE := $(FLAGS_$(BUILD))
ifeq ($(MODE),)
$(error BUILD=$(BUILD) is unknown: release, debug, asan, ubsan, asanubsan, tsan or fuzz)
endif

PKGS := libevent_core libprotobuf-c zlib liblz4 libzstd
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lsnappy -lpthread -lm
RDKAFKA    := $(shell pkg-config --exists rdkafka 2>/dev/null && echo yes)

CPPFLAGS += -D_GNU_SOURCE -I. -I$(GEN) $(PKG_CFLAGS)
CFLAGS   += -std=gnu11 -g $(MODE) -fPIE -fno-omit-frame-pointer -ffile-prefix-map=$(CURDIR)/=
LDFLAGS  += $(filter -fsanitize=address -fsanitize=undefined -fsanitize=thread,$(MODE)) -pie \
	-Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed

# ---- what there is -----------------------------------------------------------------------------

find_c = $(sort $(shell find $(1) -name '*.c' 2>/dev/null))
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

MSGS   := $(sort $(wildcard proto/kafka/*.msg))
PROTOS := $(sort $(wildcard proto/cluster/*.proto))
KGEN_C := $(sort $(wildcard proto/kgen*.c))
PB_C   := $(patsubst proto/%.proto,$(GEN)/%.pb-c.c,$(PROTOS))
ifneq ($(and $(MSGS),$(KGEN_C)),)
KAFKA_MK := $(GEN)/kafka.mk
endif

COMMON_C     := $(call find_c,common)
BROKER_C     := $(filter-out broker/main.c,$(call find_c,broker))
CONTROLLER_C := $(call find_c,controller/core controller/server)
CLI_C        := $(filter-out controller/cli/main.c,$(call find_c,controller/cli))
HAS_TESTS    := $(wildcard tests/lib/test.c)
TEST_C       := $(filter %_test.c,$(call find_c,tests/unit tests/wire tests/story tests/e2e))
TESTLIB_C    := $(filter-out %_test.c,$(call find_c,tests/lib tests/unit tests/wire tests/story tests/perf/lib))
FUZZ_C       := $(sort $(wildcard tests/fuzz/*.c))
# A program of its own per file; what includes librdkafka has rdkafka in its name.
TOOL_C       := $(filter-out %_test.c,$(wildcard tests/perf/*.c tests/e2e/*.c))
ifneq ($(RDKAFKA),yes)
TOOL_C       := $(foreach f,$(TOOL_C),$(if $(findstring rdkafka,$(f)),,$(f)))
endif
SIM_C        := $(call find_c,tests/sim)

PROGRAMS := $(if $(wildcard broker/main.c),$(B)/weir-broker) \
	$(if $(wildcard controller/main.c),$(B)/weir-controller) \
	$(if $(wildcard controller/cli/main.c),$(B)/weir) \
	$(if $(wildcard tests/sim/main.c),$(B)/weir-sim)
TESTS    := $(patsubst %.c,$(B)/%,$(TEST_C))
TOOLS    := $(patsubst %.c,$(B)/%,$(TOOL_C))
FUZZERS  := $(patsubst %.c,$(B)/%,$(FUZZ_C))
pick      = $(if $(T),$(foreach t,$(1),$(if $(findstring $(T),$(t)),$(t))),$(1))

.PHONY: all gen debug release test unit wire story e2e sim sim-swarm sim-scenes sim-schedules sim-nightly sim-twice sim-chance mutants fuzz perf perf-versus asan ubsan tsan \
	lint format run demo install clean help ci check tests tools fuzzers
.DEFAULT_GOAL := all

all: $(PROGRAMS) ## build the programs into build/$(BUILD)/
	@:

# ---- generated sources -------------------------------------------------------------------------
# kgen compiles all schemas at once; only files whose text changed are replaced, so that editing
# one schema does not rebuild the tree.  kafka.mk names them, and make rereads itself when it is new.

QUIET_GOALS := clean help format
ifneq ($(KAFKA_MK),)
ifeq ($(filter $(QUIET_GOALS),$(MAKECMDGOALS)),)
-include $(KAFKA_MK)
endif
endif
GEN_C := $(GEN_KAFKA_C) $(PB_C)
GEN_H := $(GEN_C:.c=.h)

$(GEN)/kgen: $(KGEN_C) $(wildcard proto/*.h)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g -I. $(WARN) -o $@ $(KGEN_C)

$(GEN)/kafka.mk: $(GEN)/kgen $(MSGS) proto/kafka
	@rm -rf $(GEN)/kafka.new && mkdir -p $(GEN)/kafka $(GEN)/kafka.new
	$(call say,GEN)
	$(Q)$(GEN)/kgen $(GEN)/kafka.new $(MSGS)
	@cd $(GEN) && for f in $$(cd kafka && ls); do [ -e kafka.new/$$f ] || rm -f kafka/$$f; done; \
	for f in $$(cd kafka.new && ls); do \
		cmp -s kafka.new/$$f kafka/$$f || mv kafka.new/$$f kafka/$$f; done; rm -rf kafka.new
	@echo "GEN_KAFKA_C := $$(cd $(GEN) && ls kafka/*.c | sed 's,^,$(GEN)/,' | tr '\n' ' ')" > $@

$(GEN)/cluster/%.pb-c.c $(GEN)/cluster/%.pb-c.h: proto/cluster/%.proto
	@mkdir -p $(@D)
	$(call say,GEN)
	$(Q)protoc --proto_path=proto/cluster --c_out=$(@D) $<

gen: $(GEN_C) $(GEN_H) ## generate C from proto/
	@:

# ---- objects, libraries, programs --------------------------------------------------------------

$(B)/obj/$(GEN)/cluster/%.o: $(GEN)/cluster/%.c | $(GEN_H)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -w -MMD -MP -c -o $@ $<

$(B)/obj/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

LIBCOMMON := $(B)/libcommon.a
LIBBROKER := $(B)/libbroker.a
LIBCONTROLLER := $(B)/libcontroller.a
LIBCLI  := $(B)/libcli.a
LIBTEST := $(B)/libtest.a
LIBSIM  := $(B)/libsim.a
LIBS_ALL := $(LIBTEST) $(LIBBROKER) $(LIBCLI) $(LIBCONTROLLER) $(LIBCOMMON)

$(LIBCOMMON): $(call obj,$(COMMON_C) $(GEN_C))
$(LIBBROKER): $(call obj,$(BROKER_C))
$(LIBCONTROLLER): $(call obj,$(CONTROLLER_C))
$(LIBCLI): $(call obj,$(CLI_C))
$(LIBTEST): $(call obj,$(TESTLIB_C))
$(LIBSIM): $(call obj,$(filter-out tests/sim/main.c,$(SIM_C)))
$(B)/lib%.a:
	@mkdir -p $(@D) && rm -f $@
	@ar rcs $@ $^

define link
@mkdir -p $(@D)
$(call say,LD)
$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
	$(if $(findstring rdkafka,$@),-lrdkafka) $(PKG_LIBS)
endef

$(B)/weir-broker: $(B)/obj/broker/main.o $(LIBBROKER) $(LIBCOMMON)
	$(link)
$(B)/weir-controller: $(B)/obj/controller/main.o $(LIBCONTROLLER) $(LIBCOMMON)
	$(link)
$(B)/weir: $(B)/obj/controller/cli/main.o $(LIBCLI) $(LIBCOMMON)
	$(link)
$(B)/weir-sim: $(call obj,$(SIM_C)) $(filter-out $(LIBTEST),$(LIBS_ALL))
	$(link)
$(B)/tests/fuzz/%: $(B)/obj/tests/fuzz/%.o $(LIBS_ALL)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< -Wl,--start-group $(filter %.a,$^) \
		-Wl,--end-group $(PKG_LIBS)
$(B)/tests/story/follower_test: $(LIBSIM)
$(B)/tests/%: $(B)/obj/tests/%.o $(LIBS_ALL)
	$(link)

tests: $(TESTS) ## build every C test program
	@:
tools: $(TOOLS) ## build the programs of tests/perf and tests/e2e
	@:
fuzzers: $(FUZZERS)
	@:

# ---- running -----------------------------------------------------------------------------------

unit_T  := $(call pick,$(filter $(B)/tests/unit/%,$(TESTS)))
wire_T  := $(call pick,$(filter $(B)/tests/wire/%,$(TESTS)))
story_T := $(call pick,$(filter $(B)/tests/story/%,$(TESTS)))

# Of several goals one may have no test that T and N name.
alone = ALONE=$(filter 1,$(words $(MAKECMDGOALS)))

unit: $(unit_T) ## run the unit tests; T=replica runs those whose path says so
	@$(alone) tests/lib/run_c.sh unit $^
wire: $(wire_T) ## round trips, cuts and bit flips over every (api, version)
	@$(alone) tests/lib/run_c.sh wire $^
story: $(story_T) ## golden narratives
	@$(alone) tests/lib/run_c.sh story $^
e2e: all tools $(filter $(B)/tests/e2e/%,$(TESTS)) ## real processes and real clients; T= picks
	@BUILD=$(abspath $(B)) tests/lib/run_e2e.sh $(T)
JOBS ?= $(shell nproc)
ifdef SEED
sim: $(B)/weir-sim
	@$< $(SEED)
else
sim: ## simulated clusters: 2,000 seeds, and 500 under sanitizers; SEED= one of them
	@$(MAKE) sim-swarm N=2000
	@$(MAKE) BUILD=asanubsan sim-swarm SEED=5000 N=500
endif
sim-nightly: $(B)/weir-sim ## 10,000 seeds, and every rare branch taken
	@$< $(or $(SEED),1) --seeds $(or $(N),10000) --jobs $(JOBS) --brief --marks
sim-swarm: $(B)/weir-sim ## many of them: N= seeds from SEED= on
	@$< $(or $(SEED),1) --seeds $(or $(N),30) --jobs $(JOBS) --brief
sim-scenes: $(B)/weir-sim ## short stories with a known end
	@$< --scenes
sim-schedules: $(B)/weir-sim ## faults that found a bug once: tests/sim/schedules
	@$< --schedules tests/sim/schedules
sim-twice: $(B)/weir-sim ## the same, each seed two times: both runs must be equal
	@$< $(or $(SEED),1) --seeds $(or $(N),50) --jobs $(JOBS) --brief --twice
sim-chance: $(B)/weir-sim ## sources of chance put into a copy of the tree: lint, hash or valgrind catches each
	@tests/sim/nondeterminism.sh
mutants: ## known bugs put back, one at a time: the simulator must find each; BUG= picks some
	@tests/sim/mutants.sh $(BUG)
fuzz: ## libFuzzer, F=name of a target, S=seconds for each
	@$(MAKE) BUILD=fuzz CC=clang fuzzers
	@tests/lib/run_fuzz.sh build/fuzz/tests/fuzz "$(F)" "$(or $(S),30)"

test: ## install what is needed, build, run everything; ends with `N passed, N failed`
	tests/run.sh
ci: ## what the project demands of every change
	.ci/run
debug release: ## build the programs that way
	@$(MAKE) BUILD=$@ all
asan ubsan tsan: ## unit, wire and story under that sanitizer
	@$(MAKE) BUILD=$@ unit wire story

perf: all tools ## load generator against the machine's own floor
	BUILD=$(abspath $(B)) tests/perf/run.py
perf-versus: all tools ## the same clients against Apache Kafka and Weir
	BUILD=$(abspath $(B)) tests/perf/versus.py

lint: tests gen all ## layers, purity, headers, size of functions and files, unused exports, format
	@B=$(B) CC="$(CC)" CPPFLAGS="$(CPPFLAGS)" tests/lint/run.sh
format: ## clang-format for .c files; long lines of headers are wrapped
	@find common broker controller proto tests -name '*.c' | xargs clang-format -i
	@find common broker controller proto tests -name '*.h' | xargs tests/lint/wrap.py

check: all tests tools ## everything compiles
	@echo "1 passed, 0 failed"

run: all ## a local cluster: one controller and three brokers
	$(B)/weir local up
demo: ## kill the leader in the middle of a million records, lose nothing
	deploy/demo.sh
SHARE = $(DESTDIR)$(PREFIX)/share
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
# Called by these names, weir takes Kafka's flags and prints Kafka's layout.
COMPAT = $(PREFIX)/lib/weir/kafka-compat
KAFKA_TOOLS := kafka-topics kafka-configs kafka-leader-election kafka-reassign-partitions kafka-metadata-quorum
install: all ## programs into $(PREFIX)/bin; weir(1), completions, README into share, units into lib/systemd
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/man/man1 $(SHARE)/bash-completion/completions \
		$(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	$(B)/weir man >$(SHARE)/man/man1/weir.1
	$(B)/weir completion bash >$(SHARE)/bash-completion/completions/weir
	$(B)/weir completion zsh >$(SHARE)/zsh/site-functions/_weir
	$(B)/weir completion fish >$(SHARE)/fish/vendor_completions.d/weir.fish
	install -d $(DESTDIR)$(COMPAT)
	install -d $(SHARE)/doc/weir $(UNITS)
	install -m 644 README.md deploy/configs/*.properties $(SHARE)/doc/weir
	for u in deploy/systemd/*; do sed 's,/usr/,$(PREFIX)/,' $$u >$(UNITS)/$${u##*/}; done
	for t in $(KAFKA_TOOLS); do ln -sf $(PREFIX)/bin/weir $(DESTDIR)$(COMPAT)/$$t.sh; done
clean: ## remove build/
	rm -rf build
help: ## this list
	@sed -n 's/^\([a-z][a-z0-9 -]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | \
		awk -F'\t' '{ printf "  %-18s %s\n", $$1, $$2 }'

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
