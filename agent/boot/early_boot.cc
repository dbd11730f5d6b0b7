// SPDX-License-Identifier: Apache-2.0
#include "agent/boot/early_boot.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/file.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

struct MountPoint {
  const char* source;
  const char* target;
  const char* type;
  unsigned long flags;
  const char* options;
};

constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
constexpr std::array kMounts = {
    MountPoint{"proc", "/proc", "proc", kPlain, ""},
    MountPoint{"sysfs", "/sys", "sysfs", kPlain, ""},
    MountPoint{"devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755"},
    MountPoint{"devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=620,ptmxmode=666"},
    MountPoint{"tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
    MountPoint{"tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"},
    MountPoint{"tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
    MountPoint{"cgroup2", "/sys/fs/cgroup", "cgroup2", kPlain, "nsdelegate"},
};

struct Link {
  const char* path;
  const char* target;
};

constexpr std::array kLinks = {
    Link{"/dev/fd", "/proc/self/fd"},       Link{"/dev/stdin", "/proc/self/fd/0"},
    Link{"/dev/stdout", "/proc/self/fd/1"}, Link{"/dev/stderr", "/proc/self/fd/2"},
    Link{"/dev/ptmx", "pts/ptmx"},
};

// The initramfs root has no parent mount, and pivot_root refuses to work on such a root. Moved
// over itself by a bind mount, it has one.
Result<void> MakeRootPivotable() {
  constexpr const char* kNewRoot = "/.root";
  if (::mkdir(kNewRoot, 0755) != 0 && errno != EEXIST) return ErrnoError(errno, "mkdir /.root");
  if (::mount("/", kNewRoot, nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return ErrnoError(errno, "bind the root");
  }
  if (::chdir(kNewRoot) != 0) return ErrnoError(errno, "chdir to the new root");
  if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) return ErrnoError(errno, "move the root");
  if (::chroot(".") != 0) return ErrnoError(errno, "chroot");
  if (::chdir("/") != 0) return ErrnoError(errno, "chdir /");
  return {};
}

Result<void> MakeLinks() {
  for (const Link& link : kLinks) {
    if (::unlink(link.path) != 0 && errno != ENOENT) {
      return ErrnoError(errno, std::string("unlink ") + link.path);
    }
    if (::symlink(link.target, link.path) != 0) {
      return ErrnoError(errno, std::string("symlink ") + link.path);
    }
  }
  return {};
}

// Every controller that there is, for the groups of the containers.
Result<void> EnableControllers() {
  const std::string available =
      AsString(TRY_CONTEXT(ReadFile("/sys/fs/cgroup/cgroup.controllers", 4096), "cgroup v2"));
  std::string enable;
  std::size_t at = 0;
  while (true) {
    at = available.find_first_not_of(" \n", at);
    if (at == std::string::npos) break;
    const std::size_t end = available.find_first_of(" \n", at);
    if (!enable.empty()) enable += ' ';
    enable += '+' + available.substr(at, end - at);
    at = end;
  }
  if (enable.empty()) return Error(Code::kFailedPrecondition, "cgroup v2: no controllers");
  return WriteFile("/sys/fs/cgroup/cgroup.subtree_control", AsBytes(enable));
}

// Descriptors 0, 1 and 2 exist when the initramfs has a /dev/console; make sure of it.
void OpenStandardStreams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    UniqueFd console(::open("/dev/console", O_RDWR | O_NOCTTY));
    if (!console.valid()) console.Reset(::open("/dev/null", O_RDWR));
    if (console.get() == fd) {
      static_cast<void>(console.Release());  // Stays open for the process's life.
    } else if (console.valid()) {
      ::dup2(console.get(), fd);
    }
  }
}

}  // namespace

Result<void> MountFileSystems() {
  ::umask(022);
  ::clearenv();
  ::setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
  TRY(MakeRootPivotable());
  for (const MountPoint& mount : kMounts) {
    if (::mkdir(mount.target, 0755) != 0 && errno != EEXIST) {
      return ErrnoError(errno, std::string("mkdir ") + mount.target);
    }
    if (::mount(mount.source, mount.target, mount.type, mount.flags, mount.options) != 0) {
      return ErrnoError(errno, std::string("mount ") + mount.target);
    }
  }
  TRY(MakeLinks());
  OpenStandardStreams();
  return EnableControllers();
}

void MountConfigfs() {
  static_cast<void>(::mount("configfs", "/sys/kernel/config", "configfs", kPlain, ""));
}

Result<void> BringLoopbackUp() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoError(errno, "loopback: socket");
  ifreq request = {};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) {
    return ErrnoError(errno, "loopback: flags");
  }
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return ErrnoError(errno, "loopback: up");
  return {};
}

Result<void> SetHostname(std::string_view name) {
  if (::sethostname(name.data(), name.size()) != 0) return ErrnoError(errno, "sethostname");
  return {};
}

void PowerOff(std::string_view reason) {
  const std::string line = "kata-cc-agent: fatal: " + std::string(reason) + "\n";
  const UniqueFd console(::open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC));
  const int fd = console.valid() ? console.get() : STDERR_FILENO;
  if (::write(fd, line.data(), line.size()) > 0) ::tcdrain(fd);
  ::sync();
  ::reboot(RB_POWER_OFF);
  ::_exit(1);  // Only when the kernel refused: PID 1's end then stops the machine.
}

}  // namespace kata_cc::agent
