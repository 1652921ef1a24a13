/* window_pass.h - how the vector kernels go through a block, chunk by chunk; included once by
 * window_template.h and window64_template.h, which define
 *   CHUNK_BYTES, AHEAD_BYTES   of a chunk, and of what is fetched ahead
 *   struct lanes, N_LANES      accumulators, in an array of so many
 * and INLINE functions on these; is_wide is known when they are compiled:
 *   copy_lanes(to, from, is_wide)
 *   add_chunk(lanes, bytes, is_wide, is_masked, limits)   of a masked one, only what is inside
 *   is_outside(bytes, limits)  whether any is below the window, zeros among them, or above
 *   take_outside(...)          see window_portable.h                           */

INLINE void prefetch_ahead(const unsigned char *chunk)
{
    for (size_t line = 0; line < CHUNK_BYTES; line += 64) {
        __builtin_prefetch(chunk + AHEAD_BYTES + line);
    }
}

/* Where a pass through a block has come to. */
struct pass {
    const unsigned char *next;
    const unsigned char *end;
    unsigned char *outside; /* where the next one goes */
    struct limits limits;
};

/* Chunks up to the first one that has elements outside. The accumulators stay in registers:
 * that is why these two are functions of their own. */
INLINE void add_clean_chunks(struct pass *pass, struct lanes *lanes, bool is_wide)
{
    struct lanes own[N_LANES];
    copy_lanes(own, lanes, is_wide);
    const unsigned char *chunk = pass->next;
    while (chunk < pass->end && !is_outside(chunk, pass->limits)) {
        prefetch_ahead(chunk);
        add_chunk(own, chunk, is_wide, false, pass->limits);
        chunk += CHUNK_BYTES;
    }
    pass->next = chunk;
    copy_lanes(lanes, own, is_wide);
}

/* Chunks up to the first one that has none below the window, or is beyond: returns false. */
INLINE bool add_mixed_chunks(struct pass *pass, struct lanes *lanes, uint64_t *n_zeros,
                             bool is_wide)
{
    struct lanes own[N_LANES];
    copy_lanes(own, lanes, is_wide);
    patterns zeros = {0};
    bool is_mixed = true;
    while (is_mixed && pass->next < pass->end) {
        const struct chunk_kinds kinds = find_kinds(pass->next, pass->limits, &zeros);
        if (is_any(kinds.beyond)) {
            return false;
        }
        prefetch_ahead(pass->next);
        is_mixed = is_any(kinds.low);
        add_chunk(own, pass->next, is_wide, true, pass->limits);
        if (is_any(kinds.not_zero)) {
            pass->outside +=
                sizeof(magnitude) * take_outside(pass->next, pass->limits.first, pass->outside);
        }
        pass->next += CHUNK_BYTES;
    }
    for (int lane = 0; lane < (int)(sizeof zeros / sizeof zeros[0]); lane++) {
        *n_zeros += (uint64_t)-zeros[lane];
    }
    copy_lanes(lanes, own, is_wide);
    return true;
}

#define OF_ITS_OWN static __attribute__((noinline)) TARGET

OF_ITS_OWN void add_clean_narrow(struct pass *pass, struct lanes *lanes)
{
    add_clean_chunks(pass, lanes, false);
}
OF_ITS_OWN void add_clean_wide(struct pass *pass, struct lanes *lanes)
{
    add_clean_chunks(pass, lanes, true);
}
OF_ITS_OWN bool add_mixed_narrow(struct pass *pass, struct lanes *lanes, uint64_t *n_zeros)
{
    return add_mixed_chunks(pass, lanes, n_zeros, false);
}
OF_ITS_OWN bool add_mixed_wide(struct pass *pass, struct lanes *lanes, uint64_t *n_zeros)
{
    return add_mixed_chunks(pass, lanes, n_zeros, true);
}

/* The elements of a block; returns as window_kernels do. */
INLINE size_t pass_through(struct pass *pass, struct lanes *lanes, uint64_t *zeros, bool is_wide)
{
    const unsigned char *outside = pass->outside;
    while (pass->next < pass->end) {
        if (is_wide) {
            add_clean_wide(pass, lanes);
        } else {
            add_clean_narrow(pass, lanes);
        }
        if (!(is_wide ? add_mixed_wide(pass, lanes, zeros)
                      : add_mixed_narrow(pass, lanes, zeros))) {
            return BEYOND;
        }
    }
    return (size_t)(pass->outside - outside) / sizeof(magnitude);
}
