// readDirect, writeDirect, beginDirect, alignedMemory, slabBytes, trimDirect, ioUring
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "bindings.h"
#include "block_transfer.h"
#include "io_ring.h"
#include "napi_values.h"
#include "open_file.h"
#include "promise_task.h"
#include "system_code.h"

namespace headrace {
namespace {

#if defined(O_DIRECT)
constexpr int kDirect = O_DIRECT;
#else
constexpr int kDirect = 0;  // macOS has none: every file refuses
#endif

constexpr size_t kMaxThreads = 256;
constexpr size_t kMaxBlock = size_t{1} << 30;
// Larger than any file; sums of two do not overflow.
constexpr size_t kMaxOffset = (size_t{1} << 53) - 1;

// Numbers that a read writes for JavaScript, in this order.
enum ReadNumber { kRegular, kInode, kSize, kModified, kLength, kRead, kRing, kReadNumbers };

struct HowToMove {
  size_t blockSize = 0, depth = 0, threads = 0, group = 0;
  Transfer::Engine engine = Transfer::Engine::automatic;
  const uint32_t* cancel = nullptr;  // kept by the promise
};

bool getHow(napi_env env, napi_value job, HowToMove& how) {
  std::string engine;
  std::span<const uint32_t> cancel;
  if (!getSize(env, property(env, job, "blockSize"), "blockSize", how.blockSize, kMaxBlock) ||
      !getSize(env, property(env, job, "depth"), "depth", how.depth, IoRing::kDepth) ||
      !getSize(env, property(env, job, "threads"), "threads", how.threads, kMaxThreads) ||
      !getSize(env, property(env, job, "group"), "group", how.group) ||
      !getString(env, property(env, job, "engine"), "engine", engine) ||
      !getUint32s(env, property(env, job, "cancel"), "cancel", cancel))
    return false;
  if (how.blockSize == 0 || how.depth == 0 || how.threads == 0) return throwType(env, "blockSize, depth and threads", "1 or more");
  if (engine == "threads") how.engine = Transfer::Engine::threads;
  else if (engine == "io_uring") how.engine = Transfer::Engine::ring;
  else if (engine != "auto") return throwType(env, "engine", "auto, threads or io_uring");
  if (cancel.size() != 1) return throwType(env, "cancel", "a Uint32Array of one");
  how.cancel = cancel.data();
  return true;
}

bool powerOfTwo(size_t value) { return value > 0 && (value & (value - 1)) == 0; }

Transfer transferOf(const HowToMove& how, const DirectAlignment& alignment) {
  Transfer transfer;
  const size_t unit = std::max(alignment.offset, alignment.memory);
  transfer.blockSize = std::max(unit, (how.blockSize + unit - 1) / unit * unit);
  transfer.offsetAlignment = alignment.offset;
  transfer.memoryAlignment = alignment.memory;
  transfer.depth = how.depth;
  transfer.engine = how.engine;
  transfer.cancel = how.cancel;
  return transfer;
}

class DirectTask : public PromiseTask {
 public:
  explicit DirectTask(const HowToMove& how) : PromiseTask(1, how.group, how.threads), how_(how) {}

 protected:
  const char* failure() const override { return error_ == 0 ? nullptr : message_.c_str(); }
  const char* failureCode() const override { return systemCode(error_); }
  void fail(const char* call, int error) {
    error_ = error;
    message_ = std::string(systemCode(error)) + ": " + std::strerror(error) + ", " + call;
  }

  const HowToMove how_;
  int error_ = 0;

 private:
  std::string message_;
};

class ReadTask final : public DirectTask {
 public:
  ReadTask(const HowToMove& how, std::string path, std::span<uint8_t> into, bool own, size_t offset, size_t length, size_t limit,
           double* numbers)
      : DirectTask(how), path_(std::move(path)), into_(into), own_(own), offset_(offset), wanted_(length), limit_(limit), numbers_(numbers) {}

  void run(size_t, Scratch&) override {
    if (kDirect == 0) return fail("open", EINVAL);
    const OpenFile file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | kDirect));
    if (file.fd() < 0) return fail("open", errno);
    FileNumbers found;
    if (const int error = directNumbersOf(file.fd(), found)) return fail("statx", error);
    numbers_[kRegular] = found.regular ? 1 : 0;
    numbers_[kInode] = static_cast<double>(found.inode);
    numbers_[kSize] = static_cast<double>(found.size);
    numbers_[kModified] = found.modified;
    if (!found.regular || offset_ > found.size) return;
    const size_t length = std::min<uint64_t>(wanted_, found.size - offset_);
    numbers_[kLength] = static_cast<double>(length);
    // What does not fit is not begun: the caller says so by the numbers.
    if (length == 0 || length > (own_ ? limit_ : into_.size())) return;
    if (!powerOfTwo(found.direct.offset) || !powerOfTwo(found.direct.memory)) return fail("statx", EINVAL);
    read(file.fd(), found, length);
  }

 protected:
  // The bytes, where the memory is ours.
  napi_value result(napi_env env) override {
    if (!own_) return undefinedValue(env);
    const size_t length = static_cast<size_t>(numbers_[kRead]);
    napi_value buffer = nullptr, bytes = nullptr;
    if (length == 0) {
      void* none = nullptr;
      napi_create_arraybuffer(env, 0, &none, &buffer);
    } else {
      auto* held = new Slab(std::move(slab_));
      const auto drop = [](napi_env, void*, void* hint) { delete static_cast<Slab*>(hint); };
      if (napi_create_external_arraybuffer(env, held->data() + lead_, length, drop, held, &buffer) != napi_ok) {
        delete held;
        return undefinedValue(env);
      }
    }
    if (napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &bytes) != napi_ok) return undefinedValue(env);
    return bytes;
  }

 private:
  void read(int fd, const FileNumbers& found, size_t length) {
    Transfer transfer = transferOf(how_, found.direct);
    transfer.fd = fd;
    transfer.offset = offset_;
    transfer.length = length;
    if (own_) {
      // Laid out like the file, so that everything is read in place.
      const size_t unit = transfer.offsetAlignment;
      lead_ = offset_ % unit;
      const size_t room = (lead_ + length + unit - 1) / unit * unit;
      slab_ = Slab::take(room);
      if (slab_.data() == nullptr) return fail("mmap", ENOMEM);
      transfer.memory = slab_.data() + lead_;
      transfer.before = lead_;
      transfer.after = room - lead_ - length;
    } else {
      transfer.memory = into_.data();
    }
    const Moved moved = move(transfer, Pool::io(), how_.group, how_.threads);
    if (moved.error != 0) return fail("read", moved.error);
    numbers_[kRead] = static_cast<double>(moved.bytes);
    numbers_[kRing] = moved.ring ? 1 : 0;
  }

  const std::string path_;
  const std::span<uint8_t> into_;  // kept by the promise
  const bool own_;
  const size_t offset_, wanted_, limit_;
  double* const numbers_;  // kept by the promise
  Slab slab_;
  size_t lead_ = 0;
};

// { path, into, offset, length, limit, numbers, ... }
napi_value readDirect(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value job = nullptr;
  napi_get_cb_info(env, info, &count, &job, nullptr, nullptr);
  HowToMove how;
  std::string path;
  std::span<uint8_t> into;
  std::span<const double> numbers;
  size_t offset = 0, length = 0, limit = 0;
  if (!getHow(env, job, how) || !getString(env, property(env, job, "path"), "path", path) ||
      !getSize(env, property(env, job, "offset"), "offset", offset) || !getSize(env, property(env, job, "length"), "length", length) ||
      !getSize(env, property(env, job, "limit"), "limit", limit) ||
      !getFloat64s(env, property(env, job, "numbers"), "numbers", numbers))
    return nullptr;
  if (numbers.size() != kReadNumbers) return throwType(env, "numbers", "a Float64Array of 7"), nullptr;
  if (path.find('\0') != std::string::npos) return throwType(env, "path", "a path without NUL"), nullptr;
  const napi_value memory = property(env, job, "into");
  napi_valuetype type = napi_undefined;
  napi_typeof(env, memory, &type);
  const bool own = type == napi_undefined;
  if (!own && !getBytes(env, memory, "into", into)) return nullptr;
  auto* out = const_cast<double*>(numbers.data());
  std::fill(out, out + kReadNumbers, 0.0);
  return PromiseTask::start(env, std::make_shared<ReadTask>(how, std::move(path), into, own, offset, length, limit, out), job, Pool::io());
}

// The aligned part of the bytes by O_DIRECT; what is left over at the end through the page cache, since it is no whole
// block of the device: the flag is taken off the descriptor for that.
class WriteTask final : public DirectTask {
 public:
  WriteTask(const HowToMove& how, int fd, std::span<const uint8_t> bytes, size_t offset, DirectAlignment alignment, size_t reserve)
      : DirectTask(how), fd_(fd), bytes_(bytes), offset_(offset), alignment_(alignment), reserve_(reserve) {}

  void run(size_t, Scratch&) override {
#if defined(__linux__)
    // So that its blocks lie together, and writing does not have to make the file longer each time.
    if (reserve_ > 0 && ::fallocate(fd_, 0, 0, static_cast<off_t>(reserve_)) != 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
      return fail("fallocate", errno);
#endif
    Transfer transfer = transferOf(how_, alignment_);
    transfer.fd = fd_;
    transfer.write = true;
    transfer.memory = const_cast<uint8_t*>(bytes_.data());
    transfer.offset = offset_;
    transfer.length = bytes_.size() / alignment_.offset * alignment_.offset;
    const Moved moved = move(transfer, Pool::io(), how_.group, how_.threads);
    ring_ = moved.ring;
    if (moved.error != 0) return fail("write", moved.error);
    writeTail(transfer.length);
  }

 protected:
  napi_value result(napi_env env) override { return boolValue(env, ring_); }

 private:
  void writeTail(size_t from) {
    if (from == bytes_.size()) return;
    const int flags = ::fcntl(fd_, F_GETFL);
    if (flags < 0 || ::fcntl(fd_, F_SETFL, flags & ~kDirect) != 0) return fail("fcntl", errno);
    while (from < bytes_.size()) {
      const ssize_t count = ::pwrite(fd_, bytes_.data() + from, bytes_.size() - from, static_cast<off_t>(offset_ + from));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return fail("write", count < 0 ? errno : EIO);
      from += static_cast<size_t>(count);
    }
  }

  const int fd_;
  const std::span<const uint8_t> bytes_;  // kept by the promise
  const size_t offset_;
  const DirectAlignment alignment_;
  const size_t reserve_;
  bool ring_ = false;
};

// { fd, bytes, offset, offsetAlignment, memoryAlignment, reserve, ... }
napi_value writeDirect(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value job = nullptr;
  napi_get_cb_info(env, info, &count, &job, nullptr, nullptr);
  HowToMove how;
  std::span<uint8_t> bytes;
  DirectAlignment alignment;
  size_t fd = 0, offset = 0, reserve = 0;
  if (!getHow(env, job, how) || !getSize(env, property(env, job, "fd"), "fd", fd, INT32_MAX) ||
      !getBytes(env, property(env, job, "bytes"), "bytes", bytes) ||
      !getSize(env, property(env, job, "offset"), "offset", offset, kMaxOffset) ||
      !getSize(env, property(env, job, "offsetAlignment"), "offsetAlignment", alignment.offset, kMaxBlock) ||
      !getSize(env, property(env, job, "memoryAlignment"), "memoryAlignment", alignment.memory, kMaxBlock) ||
      !getSize(env, property(env, job, "reserve"), "reserve", reserve, kMaxOffset))
    return nullptr;
  if (!powerOfTwo(alignment.offset) || !powerOfTwo(alignment.memory)) return throwType(env, "alignments", "powers of two"), nullptr;
  if (offset % alignment.offset != 0) return throwType(env, "offset", "a multiple of offsetAlignment"), nullptr;
  return PromiseTask::start(env, std::make_shared<WriteTask>(how, static_cast<int>(fd), bytes, offset, alignment, reserve), job, Pool::io());
}

// Makes reads and writes of a descriptor direct, and says what they must be multiples of. EINVAL where the file system
// refuses. Not by a flag of open: that leaves a new file behind where it fails.
napi_value beginDirect(napi_env env, napi_callback_info info) {
  size_t count = 1, fd = 0;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  if (!getSize(env, argument, "fd", fd, INT32_MAX)) return nullptr;
  const int flags = ::fcntl(static_cast<int>(fd), F_GETFL);
  FileNumbers found;
  int error = flags < 0 ? errno : directNumbersOf(static_cast<int>(fd), found);
  if (error == 0 && (kDirect == 0 || !powerOfTwo(found.direct.offset) || !powerOfTwo(found.direct.memory))) error = EINVAL;
  if (error == 0 && ::fcntl(static_cast<int>(fd), F_SETFL, flags | kDirect) != 0) error = errno;
  if (error != 0) return throwError(env, systemCode(error), std::string(systemCode(error)) + ": " + std::strerror(error) + ", fcntl");
  napi_value result = nullptr;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "offsetAlignment", numberValue(env, static_cast<double>(found.direct.offset)));
  napi_set_named_property(env, result, "memoryAlignment", numberValue(env, static_cast<double>(found.direct.memory)));
  return result;
}

napi_value alignedMemory(napi_env env, napi_callback_info info) {
  size_t count = 1, bytes = 0;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  if (!getSize(env, argument, "bytes", bytes)) return nullptr;
  auto* held = new Slab(Slab::zeroed(bytes));
  napi_value buffer = nullptr;
  if (held->data() == nullptr) {
    delete held;
    return throwError(env, "ENOMEM", "no memory for " + std::to_string(bytes) + " bytes");
  }
  const auto drop = [](napi_env, void*, void* hint) { delete static_cast<Slab*>(hint); };
  if (napi_create_external_arraybuffer(env, held->data(), bytes, drop, held, &buffer) != napi_ok) {
    delete held;
    return throwError(env, "ENOTSUP", "this Node.js refuses ArrayBuffers over external memory");
  }
  return buffer;
}

napi_value slabBytes(napi_env env, napi_callback_info) { return numberValue(env, static_cast<double>(Slab::held())); }

napi_value trimDirect(napi_env env, napi_callback_info) {
  Slab::trim();
  IoRing::trim();
  return undefinedValue(env);
}

napi_value ioUring(napi_env env, napi_callback_info) { return boolValue(env, IoRing::offered()); }

}  // namespace

void bindDirect(napi_env env, napi_value exports) {
  bind(env, exports, "readDirect", readDirect);
  bind(env, exports, "writeDirect", writeDirect);
  bind(env, exports, "beginDirect", beginDirect);
  bind(env, exports, "alignedMemory", alignedMemory);
  bind(env, exports, "slabBytes", slabBytes);
  bind(env, exports, "trimDirect", trimDirect);
  bind(env, exports, "ioUring", ioUring);
}

}  // namespace headrace
