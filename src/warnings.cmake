# Compile options for our own targets only. Warnings are errors where
# CMAKE_COMPILE_WARNING_AS_ERROR is set (preset "ci").
add_library(llmfp_options INTERFACE)
target_compile_options(llmfp_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Wcast-qual -Wpointer-arith
  # Results are the same to the bit on every machine: no fused multiply-add that
  # the source does not ask for, and never fast-math.
  -ffp-contract=off -fno-fast-math)
target_compile_definitions(llmfp_options INTERFACE _POSIX_C_SOURCE=200809L _FILE_OFFSET_BITS=64)
if(LLMFP_SANITIZE)
  target_compile_options(llmfp_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(llmfp_options INTERFACE -fsanitize=address,undefined)
endif()
if(LLMFP_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "LLMFP_FUZZ needs clang: cmake --preset fuzz, or -DCMAKE_C_COMPILER=clang.")
  endif()
  # Coverage for libFuzzer in every object; only the fuzz targets link its main.
  target_compile_options(llmfp_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(llmfp_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
