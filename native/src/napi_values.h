// Reading and making JavaScript values. Every getter throws a TypeError that names the value and returns false.
//
// Hazard: Node-API calls fail while their thread is being ended, also in the middle of one of our functions. Every value
// that such a call is to fill in starts as null.
#pragma once
#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace headrace {

bool throwType(napi_env env, const char* name, const char* wanted);
napi_value throwError(napi_env env, const char* code, const std::string& message);

bool getNumber(napi_env env, napi_value value, const char* name, double& out);
// A whole number from 0 to max.
bool getSize(napi_env env, napi_value value, const char* name, size_t& out, size_t max = (size_t{1} << 53) - 1);
bool getBool(napi_env env, napi_value value, const char* name, bool& out);
bool getString(napi_env env, napi_value value, const char* name, std::string& out);
bool getBytes(napi_env env, napi_value value, const char* name, std::span<uint8_t>& out);
bool getFloat64s(napi_env env, napi_value value, const char* name, std::span<const double>& out);
bool getUint16s(napi_env env, napi_value value, const char* name, std::span<const uint16_t>& out);
bool getUint32s(napi_env env, napi_value value, const char* name, std::span<const uint32_t>& out);
napi_value property(napi_env env, napi_value object, const char* name);
std::vector<napi_value> arrayItems(napi_env env, napi_value array);

napi_value numberValue(napi_env env, double value);
napi_value boolValue(napi_env env, bool value);
napi_value stringValue(napi_env env, const std::string& value);
napi_value undefinedValue(napi_env env);

// Objects that hold a shared native thing, recognised by a type tag so that no other object is taken for one.
template <typename T>
napi_value wrapShared(napi_env env, std::shared_ptr<T> thing, const napi_type_tag& tag) {
  napi_value object = nullptr;
  napi_create_object(env, &object);
  auto* held = new std::shared_ptr<T>(std::move(thing));
  const napi_status status = napi_wrap(
      env, object, held, [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<T>*>(data); }, nullptr, nullptr);
  if (status != napi_ok) {
    delete held;
    return nullptr;
  }
  napi_type_tag_object(env, object, &tag);
  return object;
}

template <typename T>
std::shared_ptr<T>* unwrapShared(napi_env env, napi_value object, const napi_type_tag& tag) {
  napi_valuetype type;
  bool tagged = false;
  if (napi_typeof(env, object, &type) != napi_ok || type != napi_object) return nullptr;
  if (napi_check_object_type_tag(env, object, &tag, &tagged) != napi_ok || !tagged) return nullptr;
  void* data = nullptr;
  return napi_unwrap(env, object, &data) == napi_ok ? static_cast<std::shared_ptr<T>*>(data) : nullptr;
}

}  // namespace headrace
