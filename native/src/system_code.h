// The names of system errors, as Node's own errors carry them.
#pragma once

namespace headrace {

// "ENOSPC" for ENOSPC; "EIO" for what has no meaning of its own to a caller.
const char* systemCode(int error);

}  // namespace headrace
