// createSlab, keepPages, destroySlab, carveSlot, slabOffset, sendSlab, peerUser
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bindings.h"
#include "napi_values.h"
#include "slot_binding.h"
#include "slot_slab.h"
#include "system_code.h"

namespace headrace {
namespace {

constexpr napi_type_tag kSlabTag = {0x6865616472616365, 0x736c61627368617c};

// What a handle holds until `destroySlab`; carved slots hold the slab after that.
struct SlabHandle {
  std::shared_ptr<SlotSlab> slab;
};

std::shared_ptr<SlotSlab> slabOf(napi_env env, napi_value handle) {
  auto* held = unwrapShared<SlabHandle>(env, handle, kSlabTag);
  if (held != nullptr && (*held)->slab) return (*held)->slab;
  throwType(env, "slab", "a slab that is not destroyed");
  return nullptr;
}

napi_value throwSystem(napi_env env, int error, const std::string& doing) {
  return throwError(env, systemCode(error), doing + ": " + std::strerror(error));
}

napi_value createSlab(napi_env env, napi_callback_info info) {
  size_t count = 1, bytes = 0;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  if (!getSize(env, argument, "bytes", bytes)) return nullptr;
  int error = 0;
  auto slab = SlotSlab::create(bytes, error);
  if (!slab) return throwSystem(env, error, "no shared memory of " + std::to_string(bytes) + " bytes");
  return wrapShared(env, std::make_shared<SlabHandle>(SlabHandle{std::move(slab)}), kSlabTag);
}

napi_value keepPages(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  const auto slab = slabOf(env, argument);
  if (!slab) return nullptr;
  slab->keepPages();
  return undefinedValue(env);
}

napi_value destroySlab(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  if (!slabOf(env, argument)) return nullptr;
  (*unwrapShared<SlabHandle>(env, argument, kSlabTag))->slab.reset();
  return undefinedValue(env);
}

napi_value carveSlot(napi_env env, napi_callback_info info) {
  size_t count = 2, bytes = 0;
  napi_value arguments[2] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  const auto slab = slabOf(env, arguments[0]);
  if (!slab || !getSize(env, arguments[1], "bytes", bytes)) return nullptr;
  auto memory = slab->carve(bytes);
  if (!memory) return undefinedValue(env);
  return wrapSlot(env, std::make_shared<Slot>(std::move(memory), slab));
}

napi_value slabOffset(napi_env env, napi_callback_info info) {
  size_t count = 2, length = 0;
  napi_value arguments[2] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  const auto slab = slabOf(env, arguments[0]);
  if (!slab) return nullptr;
  bool is = false;
  void* data = nullptr;
  if (napi_is_typedarray(env, arguments[1], &is) != napi_ok || !is) return throwType(env, "view", "a typed array"), nullptr;
  napi_get_typedarray_info(env, arguments[1], nullptr, &length, &data, nullptr, nullptr);
  const auto* at = static_cast<const uint8_t*>(data);
  if (length == 0) return numberValue(env, 0);
  if (at < slab->data() || at >= slab->data() + slab->size()) return throwType(env, "view", "one of the slab's memory"), nullptr;
  return numberValue(env, static_cast<double>(at - slab->data()));
}

napi_value sendSlab(napi_env env, napi_callback_info info) {
  size_t count = 3, socket = 0;
  napi_value arguments[3] = {};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  std::span<uint8_t> bytes;
  if (!getSize(env, arguments[0], "socket", socket, INT32_MAX)) return nullptr;
  const auto slab = slabOf(env, arguments[1]);
  if (!slab || !getBytes(env, arguments[2], "bytes", bytes)) return nullptr;
  iovec piece{bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = slab->fd();
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
#if defined(MSG_NOSIGNAL)
  constexpr int flags = MSG_NOSIGNAL;
#else
  constexpr int flags = 0;  // Node ignores SIGPIPE
#endif
  ssize_t sent;
  do sent = ::sendmsg(static_cast<int>(socket), &message, flags);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) return throwSystem(env, errno, "cannot hand over shared memory");
  return numberValue(env, static_cast<double>(sent));
}

napi_value peerUser(napi_env env, napi_callback_info info) {
  size_t count = 1, socket = 0;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  if (!getSize(env, argument, "socket", socket, INT32_MAX)) return nullptr;
#if defined(__linux__)
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(static_cast<int>(socket), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
    return throwSystem(env, errno, "cannot tell whose socket it is");
  return numberValue(env, peer.uid);
#else
  uid_t user = 0;
  gid_t group = 0;
  if (::getpeereid(static_cast<int>(socket), &user, &group) != 0) return throwSystem(env, errno, "cannot tell whose socket it is");
  return numberValue(env, user);
#endif
}

}  // namespace

void bindSlotSlab(napi_env env, napi_value exports) {
  bind(env, exports, "createSlab", createSlab);
  bind(env, exports, "keepPages", keepPages);
  bind(env, exports, "destroySlab", destroySlab);
  bind(env, exports, "carveSlot", carveSlot);
  bind(env, exports, "slabOffset", slabOffset);
  bind(env, exports, "sendSlab", sendSlab);
  bind(env, exports, "peerUser", peerUser);
}

}  // namespace headrace
