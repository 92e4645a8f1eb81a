// readCached, closeCached, advise, dropFilePages
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include "bindings.h"
#include "napi_values.h"
#include "open_file.h"
#include "promise_task.h"
#include "slab.h"

namespace headrace {
namespace {

#if defined(__linux__) && defined(RWF_NOWAIT)
// By number: the C library's headers may be older than the kernel.
constexpr long kOpenat2 = 437;
constexpr uint64_t kResolveCached = 0x20;
struct OpenHow {
  uint64_t flags, mode, resolve;
};

// Fails rather than wait for a disk or a server. Linux 5.12.
int openWithoutWaiting(const char* path) {
  static std::atomic<bool> refused{false};
  if (refused.load(std::memory_order_relaxed)) return -1;
  const OpenHow how{O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0, kResolveCached};
  const int fd = static_cast<int>(::syscall(kOpenat2, AT_FDCWD, path, &how, sizeof how));
  if (fd < 0 && (errno == ENOSYS || errno == EINVAL || errno == EPERM)) refused.store(true, std::memory_order_relaxed);
  return fd;
}

ssize_t readWithoutWaiting(int fd, uint8_t* into, size_t length, size_t offset) {
  const iovec piece{into, length};
  return ::preadv2(fd, &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
}
#else
int openWithoutWaiting(const char*) { return -1; }
ssize_t readWithoutWaiting(int, uint8_t*, size_t, size_t) { return -1; }
#endif

constexpr size_t kLongestPath = 4096;  // PATH_MAX, with its NUL

// From here on memory that is new to the process would cost more than the read: 32 page faults for 128 KiB.
constexpr size_t kSlabFrom = 64 << 10;

// A file that stays open between reads. Looking its path up again tells whether it still is the one: while it is open, no
// other file of its device has its inode.
struct KeptFile {
  std::string path;
  std::unique_ptr<OpenFile> file;
  dev_t device = 0;
  ino_t inode = 0;
};
thread_local KeptFile kept;

bool numbersOfKept(const char* path, FileNumbers& out) {
  struct stat status {};
  if (::stat(path, &status) != 0 || status.st_dev != kept.device || status.st_ino != kept.inode) return false;
  fill(status, out);
  return true;
}

int openKept(const char* path, FileNumbers& out) {
  if (kept.file && kept.path == path && numbersOfKept(path, out)) return kept.file->fd();
  kept.file.reset();
  const int fd = openWithoutWaiting(path);
  if (fd < 0) return -1;
  auto file = std::make_unique<OpenFile>(fd);
  struct stat status {};
  if (::fstat(fd, &status) != 0) return -1;
  kept.file = std::move(file);
  kept.path = path;
  kept.device = status.st_dev;
  kept.inode = status.st_ino;
  fill(status, out);
  return fd;
}

// Numbers that a read writes for JavaScript, in this order.
enum CachedNumber { kInode, kSize, kModified, kCachedNumbers };

napi_value minusOne(napi_env env) { return numberValue(env, -1); }

// Memory of the addon's, not zeroed first.
napi_value newBytes(napi_env env, size_t length, uint8_t*& data) {
  napi_value array = nullptr, bytes = nullptr;
  size_t offset = 0;
  if (length >= kSlabFrom) {
    auto* held = new Slab(Slab::take(length));
    data = held->data();
    const auto drop = [](napi_env, void*, void* hint) { delete static_cast<Slab*>(hint); };
    if (data == nullptr || napi_create_external_arraybuffer(env, data, length, drop, held, &array) != napi_ok) {
      delete held;
      return nullptr;
    }
  } else {
    void* memory = nullptr;
    napi_value buffer = nullptr;
    if (napi_create_buffer(env, length, &memory, &buffer) != napi_ok) return nullptr;
    if (napi_get_typedarray_info(env, buffer, nullptr, nullptr, nullptr, &array, &offset) != napi_ok) return nullptr;
    data = static_cast<uint8_t*>(memory);
  }
  return napi_create_typedarray(env, napi_uint8_array, length, array, offset, &bytes) == napi_ok ? bytes : nullptr;
}

// (path, into | undefined, offset, length, limit, keep, numbers): on this thread, for nothing is waited for. `length` is cut at
// the end of the file. The count of bytes read, or the bytes; -1 where they are more than `limit`, or do not fit into the
// memory, or are not all in the page cache, or there is anything else to say: nothing is read then.
napi_value readCached(napi_env env, napi_callback_info info) {
  size_t count = 7;
  napi_value arguments[7] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  char path[kLongestPath];
  size_t pathLength = 0, offset = 0, wanted = 0, limit = 0;
  bool keep = false;
  std::span<uint8_t> into;
  std::span<const double> numbers;
  if (napi_get_value_string_utf8(env, arguments[0], path, sizeof path, &pathLength) != napi_ok)
    return throwType(env, "path", "a string"), nullptr;
  napi_valuetype type = napi_undefined;
  napi_typeof(env, arguments[1], &type);
  const bool own = type == napi_undefined;
  if ((!own && !getBytes(env, arguments[1], "into", into)) || !getSize(env, arguments[2], "offset", offset) ||
      !getSize(env, arguments[3], "length", wanted) || !getSize(env, arguments[4], "limit", limit) ||
      !getBool(env, arguments[5], "keep", keep) || !getFloat64s(env, arguments[6], "numbers", numbers))
    return nullptr;
  if (numbers.size() != kCachedNumbers) return throwType(env, "numbers", "a Float64Array of 3"), nullptr;
  // One that fills the memory may have been cut.
  if (pathLength + 1 >= sizeof path || std::memchr(path, 0, pathLength) != nullptr) return minusOne(env);

  FileNumbers found;
  const OpenFile once(keep ? -1 : openWithoutWaiting(path));
  const int fd = keep ? openKept(path, found) : once.fd();
  if (fd < 0 || (!keep && numbersOf(fd, found) != 0) || !found.regular || offset > found.size) return minusOne(env);
  const size_t length = std::min(wanted, static_cast<size_t>(found.size) - offset);
  if (length > limit || (!own && length > into.size())) return minusOne(env);
  uint8_t* data = into.data();
  napi_value result = own ? newBytes(env, length, data) : numberValue(env, static_cast<double>(length));
  if (result == nullptr) return minusOne(env);
  if (length > 0 && readWithoutWaiting(fd, data, length, offset) != static_cast<ssize_t>(length)) return minusOne(env);
  auto* out = const_cast<double*>(numbers.data());
  out[kInode] = static_cast<double>(found.inode);
  out[kSize] = static_cast<double>(found.size);
  out[kModified] = found.modified;
  return result;
}

// Closes what `keep` left open.
napi_value closeCached(napi_env env, napi_callback_info) {
  kept.file.reset();
  return undefinedValue(env);
}

// (fd, advice): how the file will be read through this descriptor.
napi_value advise(napi_env env, napi_callback_info info) {
  size_t count = 2, fd = 0;
  napi_value arguments[2] = {};
  std::string advice;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  if (!getSize(env, arguments[0], "fd", fd, INT32_MAX) || !getString(env, arguments[1], "advice", advice)) return nullptr;
  if (advice != "sequential" && advice != "random") return throwType(env, "advice", "sequential or random"), nullptr;
#if defined(POSIX_FADV_SEQUENTIAL)
  ::posix_fadvise(static_cast<int>(fd), 0, 0, advice == "random" ? POSIX_FADV_RANDOM : POSIX_FADV_SEQUENTIAL);
#endif
  return undefinedValue(env);
}

// Dropping walks all pages of the range, which is too long for the JavaScript thread where it is large.
class DropTask final : public PromiseTask {
 public:
  DropTask(int fd, size_t offset, size_t length, size_t group, size_t threads)
      : PromiseTask(1, group, threads), fd_(fd), offset_(offset), length_(length) {}

  void run(size_t, Scratch&) override {
#if defined(POSIX_FADV_DONTNEED)
    ::posix_fadvise(fd_, static_cast<off_t>(offset_), static_cast<off_t>(length_), POSIX_FADV_DONTNEED);
#endif
  }

 protected:
  napi_value result(napi_env env) override { return undefinedValue(env); }

 private:
  const int fd_;
  const size_t offset_, length_;
};

// (fd, offset, length): the clean pages that lie wholly in the range leave the page cache. Length 0: to the end.
napi_value dropFilePages(napi_env env, napi_callback_info info) {
  size_t count = 3, fd = 0, offset = 0, length = 0;
  napi_value arguments[3] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  if (!getSize(env, arguments[0], "fd", fd, INT32_MAX) || !getSize(env, arguments[1], "offset", offset) ||
      !getSize(env, arguments[2], "length", length))
    return nullptr;
  return PromiseTask::start(env, std::make_shared<DropTask>(static_cast<int>(fd), offset, length, 0, 4), nullptr, Pool::io());
}

}  // namespace

void bindPageCache(napi_env env, napi_value exports) {
  bind(env, exports, "readCached", readCached);
  bind(env, exports, "closeCached", closeCached);
  bind(env, exports, "advise", advise);
  bind(env, exports, "dropFilePages", dropFilePages);
}

}  // namespace headrace
