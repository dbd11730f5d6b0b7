// SPDX-License-Identifier: Apache-2.0
// PID 1 of the guests of libvirt_vm_test: answers lines on the agent's port.
//   echo TEXT     TEXT
//   disk SERIAL   the disk's first 8 bytes and "ro" or "rw", once it is there
//   gone SERIAL   "gone", once it is not
//   exit          the end of PID 1, which is the end of the machine
// With kata_test.hang on the kernel's command line it never opens the port.
#include <dirent.h>
#include <fcntl.h>
#include <linux/module.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The name of the entry of dir whose attribute has this value; empty if none.
std::string FindByAttribute(const std::string& dir, const std::string& attribute,
                            const std::string& value) {
  DIR* const entries = ::opendir(dir.c_str());
  std::string found;
  while (entries != nullptr && found.empty()) {
    const dirent* const entry = ::readdir(entries);
    if (entry == nullptr) break;
    if (FirstLine(dir + "/" + entry->d_name + "/" + attribute) == value) found = entry->d_name;
  }
  if (entries != nullptr) ::closedir(entries);
  return found;
}

std::string DescribeDisk(const std::string& serial) {
  std::string name;
  for (int i = 0; i < 2000 && name.empty(); ++i) {
    name = FindByAttribute("/sys/block", "serial", serial);
    if (name.empty()) ::usleep(10000);
  }
  if (name.empty()) return "no such disk";
  std::string bytes(8, '\0');
  const int fd = ::open(("/dev/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::read(fd, bytes.data(), bytes.size()) != 8) bytes = "unreadable";
  if (fd >= 0) ::close(fd);
  return bytes + (FirstLine("/sys/block/" + name + "/ro") == "1" ? " ro" : " rw");
}

std::string Answer(const std::string& line) {
  const std::string argument = line.substr(line.find(' ') + 1);
  if (line.starts_with("echo ")) return argument;
  if (line.starts_with("disk ")) return DescribeDisk(argument);
  if (line.starts_with("gone ")) {
    for (int i = 0; i < 1000; ++i) {
      if (FindByAttribute("/sys/block", "serial", argument).empty()) return "gone";
      ::usleep(10000);
    }
    return "still there";
  }
  if (line == "exit") ::_exit(0);
  return "unknown command";
}

void Serve(int port) {
  std::string line;
  for (char c = 0; ::read(port, &c, 1) == 1;) {
    if (c != '\n') {
      line += c;
      continue;
    }
    const std::string answer = Answer(line) + "\n";
    if (::write(port, answer.data(), answer.size()) < 0) return;
    line.clear();
  }
}

}  // namespace

int main() {
  ::mkdir("/proc", 0755);
  ::mkdir("/sys", 0755);
  ::mount("proc", "/proc", "proc", 0, "");
  ::mount("sysfs", "/sys", "sysfs", 0, "");
  ::mount("devtmpfs", "/dev", "devtmpfs", 0, "");
  std::puts("KATA-CC-BOOTED");
  std::fflush(stdout);
  if (FirstLine("/proc/cmdline").find("kata_test.hang") != std::string::npos)
    for (;;)
      ::pause();
  const int module = ::open("/virtio_blk.ko.xz", O_RDONLY | O_CLOEXEC);
  if (::syscall(SYS_finit_module, module, "", MODULE_INIT_COMPRESSED_FILE) != 0)
    std::perror("virtio_blk");
  const std::string port =
      FindByAttribute("/sys/class/virtio-ports", "name", "org.kata-cc.agent.0");
  const int fd = ::open(("/dev/" + port).c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) std::perror("agent port");
  for (;;) {
    Serve(fd);
    ::usleep(10000);  // The host has not connected, or has gone.
  }
}
