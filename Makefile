# pgnudge: make [all|check|unit|bench-tools|model|asan|tiny|portable|oom|coverage|install|uninstall|dist|clean]
#   BUILD=dir  where to build (build)       CC=clang   another compiler
#   WERROR=1   warnings are errors          SAN=1      AddressSanitizer and UBSan

PREFIX  ?= /usr/local
DESTDIR ?=
MANDIR  ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
DOCDIR  ?= $(PREFIX)/share/doc/pgnudge
BUILD   ?= build
VERSION := 0.2.0

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wmissing-prototypes \
    -Wstrict-prototypes -Wformat=2 -Wundef -Wwrite-strings -Wvla $(if $(WERROR),-Werror)
PKGS := openssl libcjson

CFLAGS   ?= -O2 -g
CPPFLAGS += -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -DPGNUDGE_VERSION='"$(VERSION)"' -Isrc
LDLIBS   += $(shell pkg-config --libs $(PKGS))

# _FORTIFY_SOURCE needs an optimizing build and hides reads from the sanitizers.
ifdef SAN
HARDEN := $(if $(FUZZ),-fsanitize=fuzzer-no-link) \
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LINK   := -fsanitize=address,undefined
else
HARDEN := -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fPIE
LINK   := -pie -Wl,-z,relro,-z,now
endif

ALL_CFLAGS = -std=c11 $(WARN) $(HARDEN) $(CPPFLAGS) $(shell pkg-config --cflags $(PKGS)) $(CFLAGS) \
    -MMD -MP

SRC   := $(sort $(wildcard src/*/*.c))
OBJ   := $(SRC:src/%.c=$(BUILD)/%.o)
TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c))) \
    $(BUILD)/tests/test_hostile

all: $(BUILD)/pgnudge

$(BUILD)/pgnudge: $(BUILD)/main.o $(OBJ)
	$(CC) $(LINK) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/tests/%: tests/unit/%.c $(OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LINK) $(LDFLAGS) -o $@ $< $(OBJ) $(LDLIBS)

$(BUILD)/tests/test_allocations: LINK += \
    -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=hashmap_get,--wrap=hashmap_remove_at

# A whole feed over tests/fake/, in place of the kernel's sockets and clocks.
PEER  := $(BUILD)/fake/peer.o $(BUILD)/fake/wal_stream.o
FAKE  := $(BUILD)/fake/world.o $(PEER)
WORLD := $(filter-out %/net/transport.o %/base/clock.o,$(OBJ))

$(BUILD)/fake/%.o: tests/fake/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests -Itests/unit -c -o $@ $<

$(BUILD)/tests/test_hostile: $(BUILD)/fake/hostile.o $(FAKE) $(WORLD)
	@mkdir -p $(@D)
	$(CC) $(LINK) -Wl,--wrap=os_poll,--wrap=RAND_bytes,--wrap=line_out_new \
	    $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The same peer behind a real socket.
$(BUILD)/fake/server: $(BUILD)/fake/server.o $(PEER) $(OBJ)
	$(CC) $(LINK) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# For scripts/fuzz, which builds with clang and FUZZ=1.
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

$(BUILD)/fuzz/%.o: tests/fuzz/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests -c -o $@ $<

$(BUILD)/fuzz/fuzz_feed: $(BUILD)/fuzz/fuzz_feed.o $(FAKE) $(WORLD)
	$(CC) $(LINK) -fsanitize=fuzzer -Wl,--wrap=os_poll,--wrap=RAND_bytes,--wrap=line_out_new \
	    $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/fuzz_%.o $(OBJ)
	$(CC) $(LINK) -fsanitize=fuzzer $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

fuzz-targets: $(FUZZ_TARGETS)

# For scripts/bench. The one that talks to servers has libpq, to write and to compare; it takes
# nothing of ours.
MEASURE := $(patsubst tests/bench/%.c,$(BUILD)/bench/%.o,\
    $(filter-out tests/bench/decode.c tests/bench/turns.c,$(wildcard tests/bench/*.c)))

$(BUILD)/bench/%.o: tests/bench/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(shell pkg-config --cflags libpq) -c -o $@ $<

$(BUILD)/bench/measure: $(MEASURE)
	$(CC) $(LINK) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libpq)

$(BUILD)/bench/decode: $(patsubst %,$(BUILD)/bench/%.o,decode process tool) $(OBJ)
	$(CC) $(LINK) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/bench/turns: $(BUILD)/bench/turns.o $(BUILD)/main.o $(OBJ)
	$(CC) $(LINK) -Wl,--wrap=os_poll $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# For scripts/model: libpq to write, to look and to break things.
$(BUILD)/model/%.o: tests/model/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(shell pkg-config --cflags libpq) -c -o $@ $<

$(BUILD)/model/model: $(patsubst tests/model/%.c,$(BUILD)/model/%.o,$(wildcard tests/model/*.c))
	$(CC) $(LINK) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libpq)

model: $(BUILD)/model/model

# Reads WAL by itself, to compare with what the server says of it.
$(BUILD)/tests/walread: tests/wal/walread.c $(OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LINK) $(LDFLAGS) -o $@ $< $(OBJ) $(LDLIBS)

bench-tools: $(addprefix $(BUILD)/bench/,measure decode turns)

unit: $(TESTS) $(BUILD)/fake/server $(BUILD)/tests/walread

check: $(TESTS)
	@for test in $(TESTS); do "$$(realpath "$$test")" || exit 1; done

asan:
	$(MAKE) BUILD=build/asan SAN=1 CFLAGS='-O1 -g' all unit bench-tools

# So few xids above the last snapshot that tests can overflow what is known of visibility.
tiny:
	$(MAKE) BUILD=build/tiny CFLAGS='$(CFLAGS) -DUNSEEN_MAX=4096'

# What systems other than Linux run: the fallbacks of os.c.
portable:
	$(MAKE) BUILD=build/portable SAN=1 CFLAGS='-O1 -g -DOS_PORTABLE' all unit

# Its allocations can be made to fail: scripts/oom. All but the linking is asan's.
oom:
	$(MAKE) BUILD=build/asan SAN=1 CFLAGS='-O1 -g' build/oom/pgnudge

build/oom/pgnudge: build/oom/fail_alloc.o $(BUILD)/main.o $(OBJ)
	$(CC) $(LINK) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

build/oom/fail_alloc.o: tests/tools/fail_alloc.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

coverage:
	$(MAKE) BUILD=build/coverage CFLAGS='-O0 -g --coverage' HARDEN= all unit bench-tools

# $(call put,FILE,DIRECTORY,NAME)
put = install -D -m 644 $(1) $(DESTDIR)$(2)/$(3)

install: all
	install -D -m 755 $(BUILD)/pgnudge $(DESTDIR)$(PREFIX)/bin/pgnudge
	$(call put,man/pgnudge.1,$(MANDIR),man1/pgnudge.1)
	$(call put,man/pgnudge-setup.7,$(MANDIR),man7/pgnudge-setup.7)
	$(call put,man/pgnudge-errors.7,$(MANDIR),man7/pgnudge-errors.7)
	$(call put,man/pgnudge-bench.7,$(MANDIR),man7/pgnudge-bench.7)
	$(call put,scripts/dist/pgnudge.bash,$(BASHDIR),pgnudge)
	$(call put,scripts/dist/_pgnudge,$(ZSHDIR),_pgnudge)
	$(call put,scripts/dist/pgnudge.fish,$(FISHDIR),pgnudge.fish)
	install -d $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(UNITDIR)
	install -m 755 scripts/dist/examples/[a-z]* $(DESTDIR)$(DOCDIR)/examples
	install -m 644 scripts/dist/examples/README.md $(DESTDIR)$(DOCDIR)/examples
	sed 's|/usr/local/bin/pgnudge |$(PREFIX)/bin/pgnudge |' scripts/dist/pgnudge@.service \
	    >$(DESTDIR)$(UNITDIR)/pgnudge@.service
	chmod 644 $(DESTDIR)$(UNITDIR)/pgnudge@.service

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/pgnudge $(DESTDIR)$(UNITDIR)/pgnudge@.service
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/,man1/pgnudge.1 $(addprefix man7/pgnudge-,setup.7 errors.7 bench.7))
	rm -rf $(DESTDIR)$(DOCDIR)/examples
	rm -f $(DESTDIR)$(BASHDIR)/pgnudge $(DESTDIR)$(ZSHDIR)/_pgnudge $(DESTDIR)$(FISHDIR)/pgnudge.fish

# What git knows, as it is; the same bytes each time.
dist:
	@mkdir -p build
	git ls-files -z | LC_ALL=C sort -z | tar --null --files-from=- --transform='s|^|pgnudge-$(VERSION)/|' \
	    --mtime='@$(shell git log -1 --format=%ct)' --owner=0 --group=0 --numeric-owner --mode=u+rw,go=rX \
	    --sort=name -cf - | gzip -n >build/pgnudge-$(VERSION).tar.gz

clean:
	rm -rf $(BUILD)

.PHONY: all unit bench-tools model fuzz-targets check asan tiny portable oom coverage install uninstall dist clean
.SECONDARY:

-include $(OBJ:.o=.d) $(BUILD)/main.d $(TESTS:=.d) $(wildcard $(BUILD)/bench/*.d $(BUILD)/model/*.d $(BUILD)/fake/*.d $(BUILD)/fuzz/*.d)
