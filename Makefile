# Jobmill. One Makefile, not recursive; every path is relative, so that the clone may lie anywhere.
#
#   make            programs into build/bin, optimised        make SAN=address,undefined   the same with sanitizers
#   make demo       a real job on a private cluster           make check                   every test
#   make install    PREFIX, DESTDIR                           make help                    the other targets

MAKEFLAGS += --no-builtin-rules
# All cores, unless -j says otherwise.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
SHELL := /bin/bash
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

PREFIX ?= /usr/local
DESTDIR ?=
CC := gcc
VERSION := 0.1.0

SAN ?=
FAILPOINTS ?=
B := build$(if $(SAN),/san)$(if $(FAILPOINTS),/fail)

WARN := -Wall -Wextra -Werror -Wswitch-enum -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
        -Wvla -Wwrite-strings -Wformat=2 -Wundef -Wconversion -Wno-sign-conversion
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) -fPIC -fno-strict-aliasing -fvisibility=hidden -D_GNU_SOURCE -DJOBMILL_VERSION='"$(VERSION)"' \
        $(WARN) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
        $(if $(FAILPOINTS),-DJOBMILL_FAILPOINTS) -I. -Icommon -Icoordinator -Iworker -I$(B)/gen -I/usr/include/mariadb
LDFLAGS_ALL := $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN)) -Wl,--as-needed

LIBS_COMMON := -lczmq -lzmq -ljson-c -lcrypto -lz -lpthread -lm
LIBS_COORDINATOR := -lmariadb $(LIBS_COMMON)
# The commands run once for every job, and loading what libzmq brings along takes longer than the job's way there and
# back: they are linked with the static libraries where the system has these (main_zmq_parts.c stands for the rest).
LIBS_COMMAND := -lczmq -l:libzmq.a -l:libsodium.a -l:libjson-c.a -l:libcrypto.a -l:libstdc++.a -l:libbsd.a -l:libmd.a \
        -static-libgcc -lz -lpthread -lm
# jobctl alone has a screen.
LIBS_SCREEN := -lncursesw -ltinfo
LIBS_SCREEN_STATIC := -l:libncursesw.a -l:libtinfo.a

# V=1 prints the commands themselves.
Q := $(if $(V),,@)
say = @printf '%-6s %s\n' $(1) '$(2)'

src = $(sort $(wildcard $(1)))
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

COMMON_SRC := $(call src,common/base/*.c common/proto/*.c common/crypt/*.c common/net/*.c)
CLI_SRC := $(filter-out common/cli/main_%,$(call src,common/cli/*.c))
COORDINATOR_SRC := $(filter-out coordinator/main.c,$(call src,coordinator/*.c coordinator/core/*.c coordinator/adapters/*.c))
WORKER_SRC := $(filter-out worker/main.c,$(call src,worker/*.c worker/core/*.c worker/adapters/*.c worker/exec/*.c worker/tasks/*.c))
UDF_SRC := $(call src,sql/udf/*.c) $(call src,common/crypt/*.c) $(addprefix common/base/,err.c xalloc.c buf.c conf.c secret_file.c)
UNIT_SRC := $(call src,tests/unit/test_*.c)
SIM_SRC := $(call src,tests/sim/*.c)
CONTRACT_SRC := $(call src,tests/contract/test_*.c)
FUZZ_SRC := $(call src,tests/fuzz/fuzz_*.c)
BENCH_SRC := $(call src,tests/bench/bench_*.c tests/bench/drive_*.c)
SYSTEM_TOOLS := $(patsubst tests/%.c,$(B)/tests/%,$(call src,tests/system/*.c)) # helpers of the system tests
SQL_FILES := $(call src,sql/migrations/*.sql sql/queries/*.sql sql/views/*.sql)

BINS := jobsubmit jobctl jobworker jobcoordinator
BIN_FILES := $(addprefix $(B)/bin/,$(BINS))
UDF := $(B)/lib/jobmill_udf.so
UNIT_BINS := $(patsubst tests/%.c,$(B)/tests/%,$(UNIT_SRC))
CONTRACT_BINS := $(patsubst tests/%.c,$(B)/tests/%,$(CONTRACT_SRC))
BENCH_BINS := $(patsubst tests/%.c,$(B)/tests/%,$(BENCH_SRC))
SIM_BIN := $(if $(SIM_SRC),$(B)/tests/sim/sim)

.PHONY: all demo check lint bench profile fuzz soak install uninstall install-udf clean help setup unit sim contract system stats tests-build check-build
all: $(BIN_FILES) $(UDF)

help:
	@sed -n 's/^#   //p' Makefile
	@echo 'lint        format, static analysis, layers    unit sim contract system   one kind of test'
	@echo 'bench       every figure the README quotes     profile    where the processor time of a task goes'
	@echo 'install-udf the SQL functions, into a server   stats      sizes of functions and files'
	@echo 'soak        simulation and fault tests for SOAK_MINUTES   fuzz       each fuzz target for FUZZ_SECONDS'

# --- set-up: the packages this needs; root installs them, others are told the one line ------------------------
SETUP := build/.setup
$(SETUP): deploy/packaging/setup.sh deploy/packaging/packages
	@mkdir -p build && bash deploy/packaging/setup.sh deploy/packaging/packages && touch $@
setup: $(SETUP)

# --- compiling ------------------------------------------------------------------------------------------------
$(B)/obj/%.o: %.c | $(SETUP)
	@mkdir -p $(@D)
	$(call say,cc,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@
$(B)/obj/gen/%.o: $(B)/gen/%.c | $(SETUP)
	@mkdir -p $(@D)
	$(call say,cc,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@
# SQL text travels inside the coordinator.
$(B)/gen/sql_files.c: sql/embed.sh $(SQL_FILES) | $(SETUP)
	@mkdir -p $(@D)
	$(call say,embed,$@)
	$(Q)bash sql/embed.sh $(SQL_FILES) > $@

# What `jobctl sql --schema` prints, and the tables that are not in it.
$(B)/gen/schema_text.c: sql/views/schema.txt $(SQL_FILES) | $(SETUP)
	@mkdir -p $(@D)
	$(call say,embed,$@)
	$(Q){ echo 'extern const char schema_text[];'; echo 'const char schema_text[] ='; sed 's/[\\"]/\\&/g; s/.*/        "&\\n"/' $<; echo '        ;'; \
	  echo 'extern const char *const schema_tables[];'; echo 'const char *const schema_tables[] = {'; \
	  sed -n 's/^CREATE TABLE \([A-Za-z]*\) .*/        "\1",/p' $(filter sql/migrations/%,$^); echo '        0 };'; } > $@

$(B)/lib/libcommon.a: $(call obj,$(COMMON_SRC))
$(B)/lib/libcli.a: $(call obj,$(CLI_SRC)) $(B)/obj/gen/schema_text.o
$(B)/lib/libcoordinator.a: $(call obj,$(COORDINATOR_SRC)) $(B)/obj/gen/sql_files.o
$(B)/lib/libworker.a: $(call obj,$(WORKER_SRC))
$(B)/lib/%.a:
	@mkdir -p $(@D)
	$(call say,ar,$@)
	@rm -f $@
	$(Q)ar rcs $@ $^

define link
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1)
endef
ifeq ($(SAN),)
define link_command
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(2) $(LIBS_COMMAND) 2>$@.static || \
	  $(CC) $(LDFLAGS_ALL) -o $@ $(filter-out %/main_zmq_parts.o,$(filter %.o,$^)) $(filter %.a,$^) $(1) $(LIBS_COMMON)
	@rm -f $@.static
endef
else
link_command = $(call link,$(1) $(LIBS_COMMON))
endif
COMMAND_PARTS := $(if $(SAN),,$(B)/obj/common/cli/main_zmq_parts.o) $(B)/lib/libcli.a $(B)/lib/libcommon.a
$(B)/bin/jobctl: $(B)/obj/common/cli/main_jobctl.o $(COMMAND_PARTS)
	$(call link_command,$(LIBS_SCREEN),$(LIBS_SCREEN_STATIC))
$(B)/bin/jobsubmit: $(B)/obj/common/cli/main_jobsubmit.o $(COMMAND_PARTS)
	$(call link_command)
$(B)/bin/jobworker: $(B)/obj/worker/main.o $(B)/lib/libworker.a $(B)/lib/libcommon.a
	$(call link,$(LIBS_COMMON))
$(B)/bin/jobcoordinator: $(B)/obj/coordinator/main.o $(B)/lib/libcoordinator.a $(B)/lib/libcommon.a
	$(call link,$(LIBS_COORDINATOR))
# The stock server cannot carry a sanitizer: these objects are always plain.
UDF_OBJ := $(patsubst %.c,build/obj-udf/%.o,$(UDF_SRC))
build/obj-udf/%.o: %.c | $(SETUP)
	@mkdir -p $(@D)
	$(call say,cc,$@)
	$(Q)$(CC) $(filter-out -fsanitize=% -fno-sanitize-recover=all,$(ALL_CFLAGS)) -MMD -MP -c $< -o $@
$(UDF): $(UDF_OBJ)
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(CC) -shared -o $@ $^ -lcrypto -Wl,--as-needed

# --- tests ----------------------------------------------------------------------------------------------------
$(B)/tests/unit/%: $(B)/obj/tests/unit/%.o $(B)/lib/libcoordinator.a $(B)/lib/libworker.a $(B)/lib/libcli.a $(B)/lib/libcommon.a
	$(call link,$(LIBS_COORDINATOR) -lcunit)
$(B)/tests/contract/%: $(B)/obj/tests/contract/%.o $(B)/lib/libcoordinator.a $(B)/lib/libcommon.a
	$(call link,$(LIBS_COORDINATOR) -lcunit)
$(B)/tests/bench/%: $(B)/obj/tests/bench/%.o $(B)/lib/libcoordinator.a $(B)/lib/libworker.a $(B)/lib/libcommon.a
	$(call link,$(LIBS_COORDINATOR))
$(B)/tests/system/%: $(B)/obj/tests/system/%.o $(B)/lib/libcommon.a
	$(call link,$(LIBS_COMMON))
$(B)/tests/sim/sim: $(call obj,$(SIM_SRC)) $(B)/lib/libcoordinator.a $(B)/lib/libcommon.a
	$(call link,$(LIBS_COORDINATOR) -lcunit)

tests-build: all $(SYSTEM_TOOLS) $(UNIT_BINS) $(SIM_BIN) $(CONTRACT_BINS) $(BENCH_BINS)

# Tests run on binaries with sanitizers, unless CHECK_SAN is empty; everything goes through one script that counts.
CHECK_SAN ?= address,undefined
CHECK_BUILD := build$(if $(CHECK_SAN),/san)
check-build: all
	+@$(MAKE) --no-print-directory SAN=$(CHECK_SAN) tests-build
check: check-build
	@bash tests/run.sh $(CHECK_BUILD) lint unit sim contract system
unit sim contract system: check-build
	@bash tests/run.sh $(CHECK_BUILD) $@
lint: all
	@bash tests/lint/lint.sh
stats:
	@bash tests/lint/stats.sh
bench: all $(BENCH_BINS)
	@bash tests/bench/run.sh
profile: all $(BENCH_BINS)
	@bash tests/bench/profile.sh
fuzz: $(SETUP)
	@bash tests/fuzz/run.sh $${FUZZ_SECONDS:-60}
soak: check-build
	@bash tests/soak.sh build/san $${SOAK_MINUTES:-60}
demo: all
	@bash deploy/demo.sh

# --- installation ---------------------------------------------------------------------------------------------
install: all
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/lib/jobmill' '$(DESTDIR)$(PREFIX)/share/man/man1' \
	  '$(DESTDIR)$(PREFIX)/share/man/man5' '$(DESTDIR)$(PREFIX)/share/man/man8' \
	  '$(DESTDIR)$(PREFIX)/share/bash-completion/completions' '$(DESTDIR)$(PREFIX)/share/doc/jobmill/config'
	install -m 755 $(BIN_FILES) '$(DESTDIR)$(PREFIX)/bin/'
	install -m 755 deploy/local '$(DESTDIR)$(PREFIX)/bin/jobmill-local'
	install -m 644 $(UDF) sql/udf/install.sql sql/udf/uninstall.sql deploy/mariadb/README.md deploy/mariadb/jobmill.cnf '$(DESTDIR)$(PREFIX)/lib/jobmill/'
	install -m 755 deploy/mariadb/install-udf.sh '$(DESTDIR)$(PREFIX)/lib/jobmill/'
	for s in 1 5 8; do for f in deploy/man/*.$$s; do [ ! -e "$$f" ] || install -m 644 "$$f" '$(DESTDIR)$(PREFIX)'/share/man/man$$s/; done; done
	install -m 644 deploy/config/* '$(DESTDIR)$(PREFIX)/share/doc/jobmill/config/'
	install -m 644 deploy/packaging/jobmill.bash-completion '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/jobsubmit'
	ln -sf jobsubmit '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/jobctl'
uninstall:
	cd '$(DESTDIR)$(PREFIX)/bin' && rm -f $(BINS) jobmill-local
	rm -rf '$(DESTDIR)$(PREFIX)/lib/jobmill' '$(DESTDIR)$(PREFIX)/share/doc/jobmill'
	cd '$(DESTDIR)$(PREFIX)/share' && rm -f man/man[158]/job* $(addprefix bash-completion/completions/,jobsubmit jobctl jobworker jobcoordinator)
# Into the plugin folder of a server that exists: PLUGIN_DIR, else what mariadb_config says.
install-udf: $(UDF)
	bash deploy/mariadb/install-udf.sh $(UDF)

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null | sed 's/ /\\ /g')
