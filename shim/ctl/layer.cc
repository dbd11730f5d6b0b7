// SPDX-License-Identifier: Apache-2.0
// kata-ccctl-layer, which `kata-ccctl layer` runs: root hashes of image layers, as policies name
// them.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "proto/verity/image_source.h"
#include "proto/verity/layer_image.h"
#include "shim/ctl/commands.h"

namespace kata_cc::ctl {
namespace {

struct LayerArguments {
  std::string image;
  std::string output;
  bool json = false;
};

// One line on a terminal that grows with the bytes read; silent elsewhere.
class Progress {
 public:
  Progress(std::size_t number, std::size_t count, uint64_t total)
      : number_(number), count_(count), total_(total), shown_(isatty(STDERR_FILENO) == 1) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
  }

  void Add(uint64_t bytes) {
    done_ += bytes;
    const auto now = std::chrono::steady_clock::now();
    if (!shown_ || now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    drawn_ = true;
    constexpr double kMiB = 1 << 20;
    const double mib = static_cast<double>(done_) / kMiB;
    if (total_ == 0) {
      std::fprintf(stderr, "\rlayer %zu of %zu: %.0f MiB", number_, count_, mib);
      return;
    }
    constexpr int kWidth = 30;
    const int filled = static_cast<int>(std::min<uint64_t>(kWidth, kWidth * done_ / total_));
    std::fprintf(stderr, "\rlayer %zu of %zu [%s%s] %.0f of %.0f MiB", number_, count_,
                 std::string(static_cast<std::size_t>(filled), '#').c_str(),
                 std::string(static_cast<std::size_t>(kWidth - filled), ' ').c_str(), mib,
                 static_cast<double>(total_) / kMiB);
  }

 private:
  std::size_t number_;
  std::size_t count_;
  uint64_t total_;
  uint64_t done_ = 0;
  bool shown_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_;
};

Result<verity::LayerImage> HashOne(const verity::ImageSource& source, std::size_t index,
                                   const LayerArguments& arguments) {
  const verity::LayerSource& layer = source.layers()[index];
  Progress progress(index + 1, source.layers().size(), layer.bytes);
  verity::LayerOptions options;
  if (!layer.diff_id.empty()) options.expected_diff_id = layer.diff_id;
  verity::LayerImage image;
  const auto convert = [&](const verity::ReadBytes& read) -> Result<void> {
    const auto counted = [&](std::span<std::byte> buffer) -> Result<std::size_t> {
      const std::size_t count = TRY(read(buffer));
      progress.Add(count);
      return count;
    };
    const std::string path = arguments.output + "/" + std::to_string(index) + ".layer";
    auto converted = arguments.output.empty() ? verity::HashLayer(counted, options)
                                              : verity::WriteLayerImage(counted, path, options);
    image = TRY(std::move(converted));
    return {};
  };
  TRY(source.ReadLayer(layer, convert));
  return image;
}

Result<void> HashLayers(const LayerArguments& arguments) {
  const verity::ImageSource source = TRY(verity::ImageSource::Open(arguments.image));
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t i = 0; i < source.layers().size(); ++i) {
    const verity::LayerImage image =
        TRY_CONTEXT(HashOne(source, i, arguments), source.layers()[i].name);
    const std::string root = verity::ToHex(image.root_hash);
    if (arguments.json) {
      list.push_back({{"diff_id", "sha256:" + image.diff_id},
                      {"image_bytes", image.geometry.TotalBytes()},
                      {"data_blocks", image.geometry.data_blocks},
                      {"root_hash", root}});
      continue;
    }
    if (i == 0) std::printf("%-71s  %12s  %s\n", "DIFF ID", "IMAGE BYTES", "ROOT HASH");
    std::printf("sha256:%s  %12llu  %s\n", image.diff_id.c_str(),
                static_cast<unsigned long long>(image.geometry.TotalBytes()), root.c_str());
    std::fflush(stdout);
  }
  if (arguments.json) std::printf("%s\n", list.dump(2).c_str());
  return {};
}

int Main(int argc, char** argv) {
  int exit_code = 0;
  CLI::App app("image layers and their root hashes", "kata-ccctl layer");
  app.require_subcommand(1);
  CLI::App* const hash =
      app.add_subcommand("hash", "print diff id, image size and root hash of each layer");
  auto arguments = std::make_shared<LayerArguments>();
  hash->add_option("image", arguments->image,
                   "a layer's tar (plain, gzip, zstd), an OCI layout, or a docker archive")
      ->required();
  hash->add_option("--output", arguments->output, "also write the images, into this directory");
  hash->add_flag("--json", arguments->json, "print JSON");
  hash->callback([arguments, &exit_code] {
    const auto result = HashLayers(*arguments);
    if (result) return;
    std::fprintf(stderr, "kata-ccctl: %s\n", result.error().message().c_str());
    exit_code = kExitUsage;
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  return exit_code;
}

}  // namespace
}  // namespace kata_cc::ctl

int main(int argc, char** argv) {
  return kata_cc::ctl::Main(argc, argv);
}
