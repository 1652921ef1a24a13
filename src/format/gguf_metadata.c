/* gguf_metadata.c - reading key/value pairs. All are checked; values that are not needed
 * are stepped over, arrays of fixed size by arithmetic alone.
 *
 *   string       u64 length, bytes
 *   pair         string key, u32 type, value
 *   array        u32 type of its items, u64 number, items                          */
#include "gguf_metadata.h"

#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "hash_index.h"
#include "utf8.h"

enum { SHOWN_BYTES = 160 };

enum value_type {
    TYPE_U8,
    TYPE_I8,
    TYPE_U16,
    TYPE_I16,
    TYPE_U32,
    TYPE_I32,
    TYPE_F32,
    TYPE_BOOL,
    TYPE_STRING,
    TYPE_ARRAY,
    TYPE_U64,
    TYPE_I64,
    TYPE_F64,
    N_TYPES
};

static const struct {
    const char *name;
    uint8_t bytes; /* 0: not fixed */
    bool integer;
    bool is_signed;
} types[N_TYPES] = {
    [TYPE_U8] = {"u8", 1, true, false},          [TYPE_I8] = {"i8", 1, true, true},
    [TYPE_U16] = {"u16", 2, true, false},        [TYPE_I16] = {"i16", 2, true, true},
    [TYPE_U32] = {"u32", 4, true, false},        [TYPE_I32] = {"i32", 4, true, true},
    [TYPE_F32] = {"f32", 4, false, false},       [TYPE_BOOL] = {"bool", 1, false, false},
    [TYPE_STRING] = {"string", 0, false, false}, [TYPE_ARRAY] = {"array", 0, false, false},
    [TYPE_U64] = {"u64", 8, true, false},        [TYPE_I64] = {"i64", 8, true, true},
    [TYPE_F64] = {"f64", 8, false, false},
};

/* Behind "ARCHITECTURE.". */
static const char *const size_names[GGUF_N_SIZES] = {
    [GGUF_BLOCK_COUNT] = "block_count",
    [GGUF_DECODER_BLOCK_COUNT] = "decoder_block_count",
    [GGUF_NEXTN_LAYERS] = "nextn_predict_layers",
    [GGUF_EMBEDDING_LENGTH] = "embedding_length",
    [GGUF_FEED_FORWARD_LENGTH] = "feed_forward_length",
    [GGUF_EXPERT_FEED_FORWARD_LENGTH] = "expert_feed_forward_length",
    [GGUF_EXPERT_COUNT] = "expert_count",
    [GGUF_HEAD_COUNT] = "attention.head_count",
    [GGUF_HEAD_COUNT_KV] = "attention.head_count_kv",
    [GGUF_KEY_LENGTH] = "attention.key_length",
    [GGUF_KEY_LENGTH_MLA] = "attention.key_length_mla",
    [GGUF_KV_LORA_RANK] = "attention.kv_lora_rank",
    [GGUF_ROPE_DIMENSION_COUNT] = "rope.dimension_count",
};

struct pairs {
    struct gguf_stream *stream;
    struct gguf_metadata *metadata;
    struct hash_index keys;
    char key[GGUF_MOST_KEY_BYTES + 1];
    size_t key_bytes;
    uint64_t n_strings; /* in arrays */
    bool only_architecture;
};

/* ---- the head ---- */

enum llmfp_status gguf_read_head(struct gguf_stream *stream, struct gguf_head *head)
{
    const unsigned char *magic = gguf_take(stream, 4, "the magic number");
    if (magic != NULL && memcmp(magic, "GGUF", 4) != 0) {
        return gguf_refuse(stream, "not a GGUF file: it does not begin with GGUF");
    }
    const uint32_t version = gguf_u32(stream, "the version");
    if (stream->status == LLMFP_OK && version != 0 && (version & 0xFFFF) == 0) {
        return gguf_refuse(stream, "a big-endian GGUF file, which is not supported; convert it to "
                                   "little-endian first");
    }
    if (stream->status == LLMFP_OK && version != 2 && version != 3) {
        return gguf_refuse(stream,
                           "a GGUF file of version %" PRIu32
                           ", but only versions 2 and 3 are supported; convert it first",
                           version);
    }
    *head = (struct gguf_head){version, gguf_u64(stream, "the number of tensors"),
                               gguf_u64(stream, "the number of keys")};
    if (head->n_tensors > GGUF_MOST_TENSORS) {
        return gguf_refuse(stream, "it should hold %" PRIu64 " tensors, and at most %d are allowed",
                           head->n_tensors, GGUF_MOST_TENSORS);
    }
    if (head->n_keys > GGUF_MOST_KEYS) {
        return gguf_refuse(stream, "it should hold %" PRIu64 " keys, and at most %d are allowed",
                           head->n_keys, GGUF_MOST_KEYS);
    }
    return stream->status;
}

/* ---- values ---- */

static enum llmfp_status refuse_value(struct pairs *pairs, const char *is, const char *wanted)
{
    char shown[SHOWN_BYTES];
    llmfp_escape(shown, sizeof shown, pairs->key, pairs->key_bytes);
    return gguf_refuse(pairs->stream, "\"%s\" is %s, but must be %s", shown, is, wanted);
}

static bool is_key(const struct pairs *pairs, const char *key)
{
    return strcmp(pairs->key, key) == 0 && strlen(key) == pairs->key_bytes;
}

/* An integer that has been taken; *negative where it is below 0. */
static uint64_t integer_of(const unsigned char *bytes, uint32_t type, bool *negative)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < types[type].bytes; i++) {
        value |= (uint64_t)bytes[i] << 8 * i;
    }
    *negative = types[type].is_signed && value >> (8 * types[type].bytes - 1) != 0;
    return value;
}

/* A size, or one of a list of sizes: 0 .. 2^31. */
static uint32_t read_size(struct pairs *pairs, uint32_t type)
{
    const unsigned char *bytes = gguf_take(pairs->stream, types[type].bytes, "a value");
    bool negative = false;
    const uint64_t value = bytes == NULL ? 0 : integer_of(bytes, type, &negative);
    if (negative || value > UINT64_C(1) << 31) {
        (void)refuse_value(pairs, negative ? "negative" : "above 2147483648",
                           "a whole number from 0 to 2147483648");
        return 0;
    }
    return (uint32_t)value;
}

static void read_numbers(struct pairs *pairs, uint32_t type, uint64_t n, bool is_list,
                         struct gguf_numbers *numbers)
{
    if (!types[type].integer) {
        (void)refuse_value(pairs, types[type].name, "an integer");
        return;
    }
    uint32_t *values = llmfp_arena_new(&pairs->metadata->arena, (size_t)n * sizeof *values + 1);
    if (values == NULL) {
        pairs->stream->status =
            llmfp_fail_memory(pairs->stream->error, (size_t)n * sizeof *values, "sizes");
        return;
    }
    for (uint64_t i = 0; i < n && pairs->stream->status == LLMFP_OK; i++) {
        values[i] = read_size(pairs, type);
    }
    *numbers = (struct gguf_numbers){is_list, (uint32_t)n, values};
}

/* n strings, without keeping them. */
static void skip_strings(struct pairs *pairs, uint64_t n)
{
    struct gguf_stream *stream = pairs->stream;
    pairs->n_strings += n;
    if (pairs->n_strings > GGUF_MOST_STRINGS) {
        (void)refuse_value(
            pairs, "an array that brings the strings in arrays to more than 16777216", "shorter");
    }
    for (uint64_t i = 0; i < n && stream->status == LLMFP_OK; i++) {
        const uint64_t length = gguf_u64(stream, "the length of a string in an array");
        if (length > UINT64_C(1) << 30) {
            (void)refuse_value(pairs, "an array with a string of more than 2^30 bytes", "shorter");
        }
        gguf_skip(stream, length, "a string in an array");
    }
}

static void skip_values(struct pairs *pairs, uint32_t type, uint64_t n)
{
    if (type == TYPE_STRING) {
        skip_strings(pairs, n);
    } else { /* n <= 2^30, so this does not wrap */
        gguf_skip(pairs->stream, n * types[type].bytes, "an array");
    }
}

/* Where a size goes, when the current key is that of one. */
static struct gguf_numbers *wanted_size(struct pairs *pairs)
{
    const char *architecture = pairs->metadata->architecture;
    const size_t length = strlen(architecture);
    if (pairs->only_architecture || length == 0 || pairs->key_bytes <= length ||
        memcmp(pairs->key, architecture, length) != 0 || pairs->key[length] != '.') {
        return NULL;
    }
    for (int i = 0; i < GGUF_N_SIZES; i++) {
        if (strcmp(pairs->key + length + 1, size_names[i]) == 0) {
            return &pairs->metadata->sizes[i];
        }
    }
    return NULL;
}

static void read_array(struct pairs *pairs)
{
    struct gguf_stream *stream = pairs->stream;
    const uint32_t type = gguf_u32(stream, "the type of an array");
    const uint64_t n = gguf_u64(stream, "the length of an array");
    char shown[SHOWN_BYTES];
    llmfp_escape(shown, sizeof shown, pairs->key, pairs->key_bytes);
    if (type >= N_TYPES) {
        (void)gguf_refuse(stream, "\"%s\" is an array of the unknown type %" PRIu32, shown, type);
    } else if (type == TYPE_ARRAY) {
        (void)gguf_refuse(stream, "\"%s\" is an array of arrays, which is not allowed", shown);
    } else if (n > UINT64_C(1) << 30) {
        (void)gguf_refuse(stream,
                          "\"%s\" is an array of %" PRIu64 " values, and at most 2^30 are allowed",
                          shown, n);
    }
    struct gguf_numbers *numbers = wanted_size(pairs);
    if (stream->status != LLMFP_OK) {
        return;
    }
    if (numbers != NULL && n <= GGUF_MOST_LISTED) {
        read_numbers(pairs, type, n, true, numbers);
    } else {
        skip_values(pairs, type, n);
    }
}

static void read_architecture(struct pairs *pairs, uint32_t type)
{
    if (type != TYPE_STRING) {
        (void)refuse_value(pairs, types[type].name, "a string");
        return;
    }
    size_t n_bytes;
    const char *text =
        gguf_string(pairs->stream, GGUF_ARCHITECTURE_BYTES - 1, &n_bytes, "general.architecture");
    if (text == NULL) {
        return;
    }
    if (!llmfp_utf8_valid(text, n_bytes) || memchr(text, '\0', n_bytes) != NULL) {
        (void)refuse_value(pairs, "no text", "UTF-8 without NUL");
        return;
    }
    memcpy(pairs->metadata->architecture, text, n_bytes);
    pairs->metadata->architecture[n_bytes] = '\0';
}

static void read_alignment(struct pairs *pairs, uint32_t type)
{
    if (type != TYPE_U32) {
        (void)refuse_value(pairs, types[type].name, "of type u32");
        return;
    }
    const uint32_t alignment = gguf_u32(pairs->stream, "general.alignment");
    if (pairs->stream->status == LLMFP_OK &&
        (alignment == 0 || (alignment & (alignment - 1)) != 0)) {
        (void)gguf_refuse(pairs->stream,
                          "\"general.alignment\" is %" PRIu32 ", but must be a power of two",
                          alignment);
    }
    pairs->metadata->alignment = alignment;
}

static void read_split(struct pairs *pairs, uint32_t type, uint32_t *value)
{
    struct gguf_numbers number = {false, 0, NULL};
    read_numbers(pairs, type, 1, false, &number);
    *value = number.n == 1 ? number.values[0] : 0;
}

static void read_scalar(struct pairs *pairs, uint32_t type)
{
    struct gguf_metadata *metadata = pairs->metadata;
    struct gguf_numbers *numbers = wanted_size(pairs);
    uint32_t tensors = 0;
    if (is_key(pairs, "general.alignment")) {
        read_alignment(pairs, type);
    } else if (is_key(pairs, "split.no")) {
        read_split(pairs, type, &metadata->split_number);
    } else if (is_key(pairs, "split.count")) {
        read_split(pairs, type, &metadata->split_count);
    } else if (is_key(pairs, "split.tensors.count")) {
        read_split(pairs, type, &tensors);
        metadata->split_tensors = tensors;
        metadata->has_split_tensors = true;
    } else if (numbers != NULL) {
        read_numbers(pairs, type, 1, false, numbers);
    } else if (type == TYPE_STRING) {
        const uint64_t length = gguf_u64(pairs->stream, "the length of a string");
        if (length > UINT64_C(1) << 30) {
            (void)refuse_value(pairs, "a string of more than 2^30 bytes", "shorter");
        }
        gguf_skip(pairs->stream, length, "a string");
    } else {
        gguf_skip(pairs->stream, types[type].bytes, "a value");
    }
}

/* ---- keys ---- */

static void read_key(struct pairs *pairs)
{
    struct gguf_stream *stream = pairs->stream;
    const char *text = gguf_string(stream, GGUF_MOST_KEY_BYTES, &pairs->key_bytes, "a key");
    if (text == NULL) {
        return;
    }
    memcpy(pairs->key, text, pairs->key_bytes);
    pairs->key[pairs->key_bytes] = '\0';
    if (pairs->key_bytes == 0) {
        (void)gguf_refuse(stream, "the key before byte %" PRIu64 " is empty", stream->offset);
        return;
    }
    if (pairs->keys.arena.used_bytes + pairs->key_bytes > GGUF_MOST_ALL_KEY_BYTES) {
        (void)gguf_refuse(stream, "its keys have more than %d bytes in all",
                          GGUF_MOST_ALL_KEY_BYTES);
        return;
    }
    bool added;
    if (hash_index_add(&pairs->keys, pairs->key, pairs->key_bytes, &added) == HASH_INDEX_NONE) {
        stream->status = llmfp_fail_memory(stream->error, pairs->key_bytes, "keys");
    } else if (!added) {
        char shown[SHOWN_BYTES];
        llmfp_escape(shown, sizeof shown, pairs->key, pairs->key_bytes);
        (void)gguf_refuse(stream, "the key \"%s\" occurs twice", shown);
    }
}

static void read_pair(struct pairs *pairs)
{
    read_key(pairs);
    const uint32_t type = gguf_u32(pairs->stream, "the type of a value");
    if (pairs->stream->status != LLMFP_OK) {
        return;
    }
    if (type >= N_TYPES) {
        char shown[SHOWN_BYTES];
        llmfp_escape(shown, sizeof shown, pairs->key, pairs->key_bytes);
        (void)gguf_refuse(pairs->stream, "\"%s\" has the unknown type %" PRIu32, shown, type);
    } else if (is_key(pairs, "general.architecture")) {
        read_architecture(pairs, type);
    } else if (type == TYPE_ARRAY) {
        read_array(pairs);
    } else {
        read_scalar(pairs, type);
    }
}

static enum llmfp_status read_pairs(struct gguf_stream *stream, struct gguf_metadata *metadata,
                                    bool only_architecture)
{
    struct pairs pairs = {
        .stream = stream, .metadata = metadata, .only_architecture = only_architecture};
    enum llmfp_status status = gguf_read_head(stream, &metadata->head);
    for (uint64_t i = 0; i < metadata->head.n_keys && status == LLMFP_OK; i++) {
        if (only_architecture && metadata->architecture[0] != '\0') {
            break;
        }
        read_pair(&pairs);
        status = stream->status;
    }
    hash_index_clear(&pairs.keys);
    return status;
}

enum llmfp_status gguf_read_metadata(struct gguf_stream *stream, struct gguf_metadata *metadata)
{
    enum { DEFAULT_ALIGNMENT = 32 };
    *metadata = (struct gguf_metadata){.alignment = DEFAULT_ALIGNMENT};
    /* The architecture is the start of the keys that matter: it is needed before them. It
     * mostly comes first. */
    const enum llmfp_status status = read_pairs(stream, metadata, true);
    if (status != LLMFP_OK) {
        return status;
    }
    gguf_stream_begin(stream, stream->file, stream->error);
    return read_pairs(stream, metadata, false);
}

void gguf_metadata_clear(struct gguf_metadata *metadata)
{
    llmfp_arena_clear(&metadata->arena);
}
