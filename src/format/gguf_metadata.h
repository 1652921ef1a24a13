/* gguf_metadata.h - the key/value pairs at the start of a GGUF file, of which a few are kept. */
#ifndef LLMFP_GGUF_METADATA_H
#define LLMFP_GGUF_METADATA_H

#include "gguf_stream.h"
#include "llmfp/buffer.h"

enum {
    /* Bounds of our own; files that people have stay far below. */
    GGUF_MOST_KEYS = 1 << 16,
    GGUF_MOST_TENSORS = 1 << 19,
    GGUF_MOST_KEY_BYTES = 65535, /* the format's own */
    GGUF_MOST_ALL_KEY_BYTES = 1 << 24,
    GGUF_MOST_STRINGS = 1 << 24, /* in arrays, in all */
    GGUF_MOST_LISTED = 1 << 12,  /* numbers in an array that is kept */
    GGUF_ARCHITECTURE_BYTES = 128
};

/* Sizes "ARCHITECTURE.name"; the names are in gguf_metadata.c.                      */
enum gguf_size {
    GGUF_BLOCK_COUNT,
    GGUF_DECODER_BLOCK_COUNT,
    GGUF_NEXTN_LAYERS,
    GGUF_EMBEDDING_LENGTH,
    GGUF_FEED_FORWARD_LENGTH,
    GGUF_EXPERT_FEED_FORWARD_LENGTH,
    GGUF_EXPERT_COUNT,
    GGUF_HEAD_COUNT,
    GGUF_HEAD_COUNT_KV,
    GGUF_KEY_LENGTH,
    GGUF_KEY_LENGTH_MLA,
    GGUF_KV_LORA_RANK,
    GGUF_ROPE_DIMENSION_COUNT,
    GGUF_N_SIZES
};

struct gguf_numbers {
    bool is_list;
    uint32_t n;             /* 0: not stated, or a list that is too long to be kept */
    const uint32_t *values; /* in the arena */
};

struct gguf_head {
    uint32_t version;
    uint64_t n_tensors;
    uint64_t n_keys;
};

struct gguf_metadata {
    struct gguf_head head;
    uint32_t alignment;
    char architecture[GGUF_ARCHITECTURE_BYTES]; /* valid UTF-8; "": not stated */
    uint32_t split_count;                       /* 0: not stated */
    uint32_t split_number;                      /* from 0 */
    bool has_split_tensors;
    uint64_t split_tensors; /* in all parts */
    struct gguf_numbers sizes[GGUF_N_SIZES];
    struct llmfp_arena arena;
};

/* All Local. Errors: LLMFP_CHECKPOINT, in stream->error; LLMFP_FATAL without memory. */

/* Magic, version and counts, with the bounds above. The stream is at the file's start. */
enum llmfp_status gguf_read_head(struct gguf_stream *stream,
                                 struct gguf_head *head) LLMFP_MUST_CHECK;

/* Head and all key/value pairs; the stream then stands before the tensors. `metadata`
 * may be uninitialised; clear it afterwards, on errors too.                         */
enum llmfp_status gguf_read_metadata(struct gguf_stream *stream,
                                     struct gguf_metadata *metadata) LLMFP_MUST_CHECK;
void gguf_metadata_clear(struct gguf_metadata *metadata);

/* What a config.json would say: the sizes under the names that llmfp_configuration_read
 * knows, model_type being the architecture. Appended to `text`, without NUL.        */
void gguf_write_configuration(const struct gguf_metadata *metadata, struct llmfp_buffer *text);

#endif
