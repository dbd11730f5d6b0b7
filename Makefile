# SPDX-License-Identifier: Apache-2.0
# On Debian 12, as root. Every target installs the packages it needs and can be run again at once.
#   make demo    a confidential pod, from containerd to its container
#   make test    build, and run all tests
#   make bench   the figures
#   make sanitize  unit tests under the address, undefined-behaviour and thread sanitizers
#   make lint    include rules, licence lines, format, shell scripts
#   make image   kernel and initrd of the guest, in build/image
#   make image-debug  one with a root shell for whoever reaches it, in build/image-debug
PRESET ?= release
JOBS   ?= $(shell nproc)
BUILD  := build/$(PRESET)
AGENT  := $(BUILD)/agent/kata-cc-agent
SECRETS := $(BUILD)/agent/kata-cc-secrets
IMAGE  := build/image

.PHONY: all build image image-debug demo test bench sanitize lint clean
all: build

packages-%:
	@tests/setup/packages.sh $*

build: packages-build
	@cmake --preset $(PRESET) $(if $(wildcard $(BUILD)/build.ninja),>/dev/null)
	cmake --build --preset $(PRESET) --parallel $(JOBS)

# Built by `build`, which knows best when; here only so that the image follows it.
$(AGENT) $(SECRETS): build ;
$(IMAGE)/manifest.json: $(AGENT) $(SECRETS) $(wildcard guest-image/build/*) VERSION /var/lib/dpkg/status | packages-image
	guest-image/build/build.sh $(AGENT) $(SECRETS) $(IMAGE)
image: $(IMAGE)/manifest.json

image-debug: build packages-image
	guest-image/build/build.sh --debug $(AGENT) $(SECRETS) $(IMAGE)-debug

demo: build image packages-vm
	KATA_CC_BUILD=$(abspath $(BUILD)) KATA_CC_IMAGE=$(abspath $(IMAGE)) tests/e2e/demo.sh

# VM tests run one at a time, the others beside each other.
test: build image packages-vm packages-peers
	ctest --test-dir $(BUILD) --output-on-failure --no-tests=error --parallel $(JOBS)

bench: build image packages-vm packages-peers
	tests/bench/run.sh $(BUILD)

SANITIZERS ?= asan tsan
sanitize: packages-build
	@for preset in $(SANITIZERS); do \
	  cmake --preset $$preset >/dev/null && cmake --build --preset $$preset --target unit_tests --parallel $(JOBS) && \
	  ctest --preset $$preset --no-tests=error --parallel $(JOBS) || exit 1; \
	done

lint: packages-build packages-lint
	tests/lint/run.sh

clean:
	rm -rf build
