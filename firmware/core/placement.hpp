#pragma once

#include <stddef.h>

// The cross compilers for bare chips have no <new>; this is its placement form.
#if __has_include(<new>)
#include <new>
#else
inline void* operator new(size_t, void* where) noexcept {
    return where;
}
#endif
