/* llmfp/split.h - one scan as several parts, each a job of its own.   core, no MPI
 *
 * Part K of N takes the K-th of N equal shares of all bytes of the manifest's checkpoints,
 * laid end to end in manifest order. Where a share begins or ends inside a checkpoint, two
 * or more parts scan a slice of it each, and their sums add up to those of the whole. Only
 * the sizes of the checkpoints' files count, so every part finds the same shares before it
 * has read a header.                                                             */
#ifndef LLMFP_SPLIT_H
#define LLMFP_SPLIT_H

#include <stddef.h>
#include <stdint.h>

enum { LLMFP_SPLIT_MOST = 65536 }; /* parts */

/* A part of a scan. Zeroed: all of it.                                           */
struct llmfp_split {
    uint32_t number; /* 1 .. n */
    uint32_t n;      /* 0: the scan is not split */
    uint64_t digest; /* of what all parts must have in common */
};

/* What of a checkpoint a part takes: [low, high) of `of` units. Zeroed: all of it.  */
struct llmfp_slice {
    uint64_t low;
    uint64_t high;
    uint64_t of;
};

/* All functions are Local and cannot fail.                                       */

/* The slices that part `number` of `n_parts` takes of checkpoints of these sizes, which add
 * up to less than 2^62.
 *   slices  [n] out; low == high: nothing                                         */
void llmfp_split_slices(const uint64_t *sizes, size_t n, uint32_t number, uint32_t n_parts,
                        struct llmfp_slice *slices);

/* Where a slice begins and ends in a stream. Slices that meet in units meet here.  */
uint64_t llmfp_slice_low(const struct llmfp_slice *slice, uint64_t stream_bytes);
uint64_t llmfp_slice_high(const struct llmfp_slice *slice, uint64_t stream_bytes);

#endif
