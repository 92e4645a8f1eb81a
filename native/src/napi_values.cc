#include "napi_values.h"

#include <cmath>

namespace headrace {

bool throwType(napi_env env, const char* name, const char* wanted) {
  napi_throw_type_error(env, nullptr, (std::string(name) + " must be " + wanted).c_str());
  return false;
}

napi_value throwError(napi_env env, const char* code, const std::string& message) {
  napi_throw_error(env, code, message.c_str());
  return nullptr;
}

bool getNumber(napi_env env, napi_value value, const char* name, double& out) {
  return napi_get_value_double(env, value, &out) == napi_ok || throwType(env, name, "a number");
}

bool getSize(napi_env env, napi_value value, const char* name, size_t& out, size_t max) {
  double number = 0;
  if (!getNumber(env, value, name, number)) return false;
  if (!(number >= 0) || number > static_cast<double>(max) || number != std::floor(number))
    return throwType(env, name, ("a whole number from 0 to " + std::to_string(max)).c_str());
  out = static_cast<size_t>(number);
  return true;
}

bool getBool(napi_env env, napi_value value, const char* name, bool& out) {
  return napi_get_value_bool(env, value, &out) == napi_ok || throwType(env, name, "true or false");
}

bool getString(napi_env env, napi_value value, const char* name, std::string& out) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return throwType(env, name, "a string");
  out.resize(length + 1);
  napi_get_value_string_utf8(env, value, out.data(), out.size(), &length);
  out.resize(length);
  return true;
}

namespace {
bool getTyped(napi_env env, napi_value value, const char* name, napi_typedarray_type wanted, const char* kind, void*& data, size_t& length) {
  bool is = false;
  napi_typedarray_type type;
  if (napi_is_typedarray(env, value, &is) != napi_ok || !is) return throwType(env, name, kind);
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok || type != wanted)
    return throwType(env, name, kind);
  return true;
}
}  // namespace

bool getBytes(napi_env env, napi_value value, const char* name, std::span<uint8_t>& out) {
  void* data = nullptr;
  size_t length = 0;
  if (!getTyped(env, value, name, napi_uint8_array, "a Uint8Array", data, length)) return false;
  out = {static_cast<uint8_t*>(data), length};
  return true;
}

bool getFloat64s(napi_env env, napi_value value, const char* name, std::span<const double>& out) {
  void* data = nullptr;
  size_t length = 0;
  if (!getTyped(env, value, name, napi_float64_array, "a Float64Array", data, length)) return false;
  out = {static_cast<const double*>(data), length};
  return true;
}

bool getUint16s(napi_env env, napi_value value, const char* name, std::span<const uint16_t>& out) {
  void* data = nullptr;
  size_t length = 0;
  if (!getTyped(env, value, name, napi_uint16_array, "a Uint16Array", data, length)) return false;
  out = {static_cast<const uint16_t*>(data), length};
  return true;
}

bool getUint32s(napi_env env, napi_value value, const char* name, std::span<const uint32_t>& out) {
  void* data = nullptr;
  size_t length = 0;
  if (!getTyped(env, value, name, napi_uint32_array, "a Uint32Array", data, length)) return false;
  out = {static_cast<const uint32_t*>(data), length};
  return true;
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value = nullptr;
  if (napi_get_named_property(env, object, name, &value) != napi_ok) napi_get_undefined(env, &value);
  return value;
}

std::vector<napi_value> arrayItems(napi_env env, napi_value array) {
  uint32_t length = 0;
  if (napi_get_array_length(env, array, &length) != napi_ok) return {};
  std::vector<napi_value> items(length);
  for (uint32_t i = 0; i < length; i++) napi_get_element(env, array, i, &items[i]);
  return items;
}

napi_value numberValue(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value boolValue(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value stringValue(napi_env env, const std::string& value) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, value.c_str(), value.size(), &result);
  return result;
}

napi_value undefinedValue(napi_env env) {
  napi_value result = nullptr;
  napi_get_undefined(env, &result);
  return result;
}

}  // namespace headrace
