// Why a picture has no pixels. Codes are the names that JavaScript sees.
#pragma once
#include <cstdio>

namespace headrace {

enum class FaultCode { none, corrupt, unsupported, limit };

struct Fault {
  FaultCode code = FaultCode::none;
  bool lasting = false;  // whatever is made of the picture; otherwise another crop may miss it
  char reason[200] = "";
  explicit operator bool() const { return code != FaultCode::none; }

  Fault always() const {
    Fault fault = *this;
    fault.lasting = true;
    return fault;
  }

  template <typename... Values>
  static Fault of(FaultCode code, const char* format, Values... values) {
    Fault fault;
    fault.code = code;
    std::snprintf(fault.reason, sizeof fault.reason, format, values...);
    return fault;
  }
};

inline const char* nameOf(FaultCode code) {
  switch (code) {
    case FaultCode::unsupported: return "E_UNSUPPORTED";
    case FaultCode::limit: return "E_LIMIT";
    default: return "E_CORRUPT";
  }
}

}  // namespace headrace
