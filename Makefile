# Two commands do everything: `make demo` and `make test`. What has not changed is not done again.

export ONNXRUNTIME_NODE_INSTALL := skip
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:

npm_ci := npm ci --ignore-scripts --include=dev --no-audit --no-fund --loglevel=error
bin := node_modules/.bin
packages := node_modules/.headrace
example_packages := examples/node_modules/.headrace

# Folders are among the sources: their time changes when a file in them goes.
sources := $(shell find src) tsconfig.json tsconfig.build.json
example_sources := $(wildcard examples/*.ts) examples/tsconfig.json

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: build build/examples/demo.js ## build, then run examples/demo: see it work
	@node build/examples/demo.js

.PHONY: test
test: build build/examples/demo.js $(example_packages) ## build, then every check, test and example; ends with the counts
	@node scripts/test.mjs

.PHONY: build
build: native dist/index.js ## install packages, compile the addon and the TypeScript

.PHONY: check
check: build ## static checks, native tests, a short fuzz run, vitest with coverage
	@node scripts/check.mjs

.PHONY: soak
soak: build ## five minutes of a mixed load on S3 with faults: memory, sockets and files must stay flat
	@node scripts/soak.mjs

.PHONY: test-servers
test-servers: build ## install real object servers where they are missing, and run the tests of storage against all of them
	@sh scripts/servers/install.sh
	@node scripts/test-servers.mjs

.PHONY: test-interop
test-interop: build ## install NumPy, h5py, TensorFlow and so on in build/interop-venv (2 GB), and test that they read our files and we theirs
	@node scripts/test-interop.mjs

.PHONY: test-frameworks
test-frameworks: build ## install PyTorch, TensorFlow and JAX outside the tree (3 GB), and test the Python package with all of them
	@node scripts/test-frameworks.mjs

.PHONY: bench
bench: build ## run the benchmarks; ONLY=vision for those of one folder of bench/
	@node scripts/bench.mjs $(ONLY)

.PHONY: bench-exact
bench-exact: | node ## packed coefficients against libjpeg: 1,000 generated JPEGs and all that are here, by every instruction set
	@$(MAKE) -C native/exact all

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
	cd examples && $(npm_ci)
	@touch $@

dist/index.js: $(sources) $(packages)
	@rm -rf dist
	$(bin)/tsc -p tsconfig.build.json --noEmitOnError
	@touch $@

# Types are checked by `make test`, which has the packages that the examples name.
build/examples/demo.js: $(example_sources) $(packages) | dist/index.js
	$(bin)/tsc -p examples --noCheck
	@touch $@
