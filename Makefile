# Two commands do everything: `make demo` and `make test`. What has not changed is not done again.

export ONNXRUNTIME_NODE_INSTALL := skip
MAKEFLAGS += --no-print-directory

npm_ci := npm ci --ignore-scripts --include=dev --no-audit --no-fund --loglevel=error
bin := node_modules/.bin
packages := node_modules/.headrace
example_packages := examples/node_modules/.headrace

# Folders are among the sources: their time changes when a file in them goes.
sources := $(shell find src) tsconfig.json tsconfig.build.json
example_sources := $(wildcard examples/*.ts) examples/tsconfig.json
bench_sources := $(shell find bench -not -path '*/node_modules*')

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-7s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: build build/examples/.done ## build, then run examples/demo: see it work
	@node build/examples/demo.js

.PHONY: test
test: build build/examples/.done $(example_packages) ## build, then every check, test and example; ends with the counts
	@node scripts/test.mjs

.PHONY: build
build: native dist/.done ## install packages, compile the addon and the TypeScript

.PHONY: check
check: build ## static checks, native tests, a short fuzz run, vitest with coverage
	@node scripts/check.mjs

.PHONY: bench
bench: build build/bench/.done ## run the benchmarks; ONLY=vision for those of one folder of bench/
	@node scripts/bench.mjs $(ONLY)

.PHONY: native
native: $(packages) ## compile the addon where its sources have changed
	@npm_config_build_from_source=true node scripts/install-native.mjs --install-packages

.PHONY: clean
clean: ## remove what was built; packages stay
	rm -rf build dist coverage docs/api

.PHONY: node
node:
	@sh scripts/need-node.sh

$(packages): package-lock.json | node
	$(npm_ci)
	@touch $@

$(example_packages): examples/package-lock.json | node
	$(npm_ci) --prefix examples
	@touch $@

dist/.done: $(sources) $(packages)
	@rm -rf dist
	$(bin)/tsc -p tsconfig.build.json
	@touch $@

# Types are checked by `make test`, which has the packages that the examples name.
build/examples/.done: $(example_sources) $(packages) | dist/.done
	$(bin)/tsc -p examples --noCheck
	@touch $@

build/bench/.done: $(bench_sources) dist/.done
	@rm -rf build/bench
	$(bin)/tsc -p bench
	@touch $@
