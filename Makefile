# In front of meson and the scripts. `make help` lists what there is.

PREFIX  ?= /usr/local
DESTDIR ?=
# For `make run`: make run ARGS="--port 9000"
ARGS    ?=
export FUZZ_SECONDS ?= 10

SOURCES := $(wildcard src tests fuzz bench)

.DEFAULT_GOAL := build

.PHONY: help
help: ## this list
	@echo "make [TARGET] [VARIABLE=VALUE]..."
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

.PHONY: build
build: ## build/aragora (the default)
	@scripts/install-deps build
	@scripts/build run

.PHONY: run
run: build ## build it and serve on port 8080, no key needed (ARGS="--port 9000")
	./build/aragora server $(ARGS)

.PHONY: test
test: ## all tests; the last line counts them (about 15 minutes on two cores)
	@scripts/install-deps build test
	@scripts/test

.PHONY: unit
unit: ## only the unit and simulation tests, without sanitizers
	@scripts/install-deps build test
	@scripts/test plain

.PHONY: check
check: ## layers, format, shellcheck, cppcheck and clang-tidy
	@scripts/install-deps build test
	@scripts/lint

.PHONY: lint
lint: ## shellcheck, cppcheck and clang-tidy
	@scripts/install-deps build test
	@scripts/lint shell cppcheck tidy

.PHONY: layers
layers: ## the includes of src/ against docs/internals/layers.md (every build does this)
	@scripts/check-layers

.PHONY: format
format: ## format all C files in place
	@scripts/install-deps build test
	find $(SOURCES) -name '*.[ch]' -not -path '*/node_modules/*' -exec clang-format -i {} +

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ_SECONDS (10) each
	@scripts/install-deps build test
	@scripts/fuzz

.PHONY: faults
faults: ## each fault of a provider against the four wire formats; writes docs/faults.md
	@scripts/install-deps build test
	@scripts/faults

.PHONY: coverage
coverage: ## line coverage of the unit and simulation tests, in build-coverage/html/
	@scripts/install-deps build test
	@scripts/coverage

.PHONY: bench
bench: build ## the benchmarks, as far as there are any
	@if [ -x bench/run ]; then bench/run; else echo "There is no bench/run yet." >&2; exit 1; fi

.PHONY: torture
torture: ## kills at every write and send of 10,000 simulated debates, and the server 100 times under load
	@scripts/install-deps build test
	@scripts/torture

.PHONY: soak
soak: ## SOAK_SEEDS (20000) simulated debates under the sanitizers, on all cores
	@scripts/install-deps build test
	@scripts/soak

.PHONY: soak-server
soak-server: build ## SOAK_SECONDS (60) of mixed requests, SOAK_RATE (40) a second; memory, descriptors and times as they go
	@scripts/install-deps build test
	@scripts/soak-server

SHARE           = $(DESTDIR)$(PREFIX)/share
MAN             = $(SHARE)/man/man1/aragora.1
BASH_COMPLETION = $(SHARE)/bash-completion/completions/aragora
ZSH_COMPLETION  = $(SHARE)/zsh/site-functions/_aragora
FISH_COMPLETION = $(SHARE)/fish/vendor_completions.d/aragora.fish

.PHONY: install
install: build ## into DESTDIR and PREFIX (/usr/local)
	install -D -m 0755 build/aragora $(DESTDIR)$(PREFIX)/bin/aragora
	install -d $(dir $(MAN) $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION))
	build/aragora man > $(MAN)
	build/aragora completion bash > $(BASH_COMPLETION)
	build/aragora completion zsh > $(ZSH_COMPLETION)
	build/aragora completion fish > $(FISH_COMPLETION)

.PHONY: uninstall
uninstall: ## removes what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/aragora $(MAN) $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION)

.PHONY: deb
deb: ## the Debian package, in the directory above (needs debhelper and devscripts' friends)
	dpkg-buildpackage -b -us -uc

.PHONY: clean
clean: ## removes everything that was built
	rm -rf build build-test build-asan build-tsan build-fuzz build-coverage build-npm build-logs build-*.log
