// The few functions of zstd that the codec calls, declared here because Node exports the symbols of
// its own copy (deps/zstd, listed by `nm -D node`) but ships no headers for them. Signatures and
// values are the stable part of the public ABI, from zstd.h and zstd_errors.h of zstd 1.5.7; they
// have not changed since 1.3.0.
#pragma once

#include <cstddef>

extern "C" {

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

ZSTD_CCtx_s* ZSTD_createCCtx();
size_t ZSTD_freeCCtx(ZSTD_CCtx_s* context);
size_t ZSTD_compressCCtx(ZSTD_CCtx_s* context, void* target, size_t capacity, const void* source,
                         size_t bytes, int level);

ZSTD_DCtx_s* ZSTD_createDCtx();
size_t ZSTD_freeDCtx(ZSTD_DCtx_s* context);
// Fails, and writes nothing beyond `capacity`, when the frame holds more.
size_t ZSTD_decompressDCtx(ZSTD_DCtx_s* context, void* target, size_t capacity, const void* source,
                           size_t bytes);

unsigned ZSTD_isError(size_t result);
// ZSTD_ErrorCode of a result; see kZstdTargetTooSmall.
int ZSTD_getErrorCode(size_t result);

}  // extern "C"

namespace cloudvol {

// ZSTD_error_dstSize_tooSmall in zstd_errors.h.
inline constexpr int kZstdTargetTooSmall = 70;

}  // namespace cloudvol
