# SPDX-License-Identifier: Apache-2.0
# Every target installs the packages it needs and can be run again at once.
PRESET ?= release
JOBS   ?= $(shell nproc)
BUILD  := build/$(PRESET)

.PHONY: all build test lint clean

all: build

build/.packages-%: tests/setup/packages.sh
	tests/setup/packages.sh $*
	@mkdir -p build && touch $@

build: build/.packages-build
	cmake --preset $(PRESET)
	cmake --build --preset $(PRESET) --parallel $(JOBS)

test: build build/.packages-image build/.packages-vm build/.packages-peers
	ctest --test-dir $(BUILD) --output-on-failure --no-tests=error --parallel $(JOBS)

lint: build/.packages-build build/.packages-lint
	tests/lint/run.sh

clean:
	rm -rf build
