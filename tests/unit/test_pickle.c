/* The pickle interpreter: values of every protocol, tensors as descriptions, bounds, and
 * refusals that name what a pickle asks for.                                       */
#include <string.h>

#include "cunit_main.h"
#include "pickle.h"
#include "scratch.h"

#define STORAGE                                                                                    \
    "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"                                             \
    "7X\3\0\0\0cpuK\x08tQ"

struct read {
    struct llmfp_pickle pickle;
    struct llmfp_pickle_value value;
    struct llmfp_error error;
    enum llmfp_status status;
};

static void read_bytes(struct read *read, const char *bytes, size_t n_bytes)
{
    memset(read, 0, sizeof *read);
    read->pickle.path = "file.pt";
    read->pickle.bytes = (const unsigned char *)bytes;
    read->pickle.n_bytes = n_bytes;
    read->pickle.error = &read->error;
    read->status = llmfp_pickle_run(&read->pickle, &read->value);
}

/* The text has NUL bytes: its length is that of the literal. */
#define READ(read, text) read_bytes(&(read), text, sizeof(text) - 1)

static void expect_integer(const char *bytes, size_t n_bytes, int64_t expected)
{
    struct read read;
    read_bytes(&read, bytes, n_bytes);
    CU_ASSERT_EQUAL(read.status, LLMFP_OK);
    CU_ASSERT_EQUAL(read.value.kind, LLMFP_PICKLE_INTEGER);
    CU_ASSERT_EQUAL(read.value.as.integer, expected);
    CU_ASSERT_EQUAL(read.pickle.offset, n_bytes);
    llmfp_pickle_clear(&read.pickle);
}

#define INTEGER(text, expected) expect_integer(text, sizeof(text) - 1, expected)

static void reads_integers(void)
{
    INTEGER("K\xff.", 255);
    INTEGER("M\xff\xff.", 65535);
    INTEGER("J\xff\xff\xff\xff.", -1);
    INTEGER("J\0\0\0\x80.", INT32_MIN);
    INTEGER("\x8a\0.", 0);
    INTEGER("\x8a\1\x80.", -128);
    INTEGER("\x8a\2\x80\0.", 128);
    INTEGER("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.", INT64_MAX);
    INTEGER("\x8b\1\0\0\0\7.", 7);
    INTEGER("I-12\n.", -12);
    INTEGER("L34L\n.", 34);
    INTEGER("\x80\4\x95\3\0\0\0\0\0\0\0K\5.", 5);
}

static void reads_long_integers_as_bytes(void)
{
    struct read read;
    READ(read, "\x8a\x09"
               "123456789.");
    CU_ASSERT_EQUAL(read.value.kind, LLMFP_PICKLE_LONG);
    CU_ASSERT_EQUAL(read.value.n_bytes, 9);
    CU_ASSERT_NSTRING_EQUAL(read.value.as.text, "123456789", 9);
    llmfp_pickle_clear(&read.pickle);
    READ(read, "L99999999999999999999L\n.");
    CU_ASSERT_EQUAL(read.value.kind, LLMFP_PICKLE_OPAQUE);
    llmfp_pickle_clear(&read.pickle);
}

static void reads_texts(void)
{
    static const struct {
        const char *bytes;
        size_t n_bytes;
    } cases[] = {
        {"X\3\0\0\0abc.", 9}, {"\x8c\3abc.", 6},    {"\x8d\3\0\0\0\0\0\0\0abc.", 13},
        {"U\3abc.", 6},       {"T\3\0\0\0abc.", 9}, {"S'abc'\n.", 8},
        {"S\"abc\"\n.", 8},   {"Vabc\n.", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct read read;
        read_bytes(&read, cases[i].bytes, cases[i].n_bytes);
        CU_ASSERT_EQUAL(read.status, LLMFP_OK);
        CU_ASSERT_TRUE(llmfp_pickle_is(&read.value, "abc"));
        CU_ASSERT_FALSE(llmfp_pickle_is(&read.value, "ab"));
        llmfp_pickle_clear(&read.pickle);
    }
}

/* [value, ...] of a kind, all of them integers. */
static void expect_items(const char *bytes, size_t n_bytes, enum llmfp_pickle_kind kind,
                         uint32_t n_items)
{
    struct read read;
    read_bytes(&read, bytes, n_bytes);
    CU_ASSERT_EQUAL_FATAL(read.status, LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(read.value.kind, kind);
    CU_ASSERT_EQUAL_FATAL(read.value.as.items->n_items, n_items);
    for (uint32_t i = 0; i < n_items; i++) {
        CU_ASSERT_EQUAL(read.value.as.items->items[i].as.integer, i + 1);
    }
    llmfp_pickle_clear(&read.pickle);
}

#define ITEMS(text, kind, n) expect_items(text, sizeof(text) - 1, kind, n)

static void reads_containers(void)
{
    ITEMS(").", LLMFP_PICKLE_TUPLE, 0);
    ITEMS("K\1\x85.", LLMFP_PICKLE_TUPLE, 1);
    ITEMS("K\1K\2\x86.", LLMFP_PICKLE_TUPLE, 2);
    ITEMS("K\1K\2K\3\x87.", LLMFP_PICKLE_TUPLE, 3);
    ITEMS("(K\1K\2K\3K\4t.", LLMFP_PICKLE_TUPLE, 4);
    ITEMS("(t.", LLMFP_PICKLE_TUPLE, 0);
    ITEMS("(K\1K\2l.", LLMFP_PICKLE_LIST, 2);
    ITEMS("]K\1aK\2a(K\3K\4e.", LLMFP_PICKLE_LIST, 4);
    ITEMS("(K\1K\2d.", LLMFP_PICKLE_DICT, 2);
    ITEMS("}K\1K\2s(K\3K\4K\5K\6u.", LLMFP_PICKLE_DICT, 6);
    ITEMS("ccollections\nOrderedDict\n)RK\1K\2s}b.", LLMFP_PICKLE_DICT, 2);
    ITEMS("ccollections\nOrderedDict\n]K\1K\2\x86"
          "a\x85R.",
          LLMFP_PICKLE_DICT, 2);
    ITEMS("ccollections\ndefaultdict\nc__builtin__\nlist\n\x85RK\1K\2s.", LLMFP_PICKLE_DICT, 2);
    ITEMS("ctorch\nSize\n(K\1K\2t\x85R.", LLMFP_PICKLE_TUPLE, 2);
    /* the same list by DUP, by the memo and by POP of what stands on it */
    ITEMS("]2K\1a0.", LLMFP_PICKLE_LIST, 1);
    ITEMS("]q\0h\0K\1a0.", LLMFP_PICKLE_LIST, 1);
    ITEMS("]\x94j\0\0\0\0K\1a0.", LLMFP_PICKLE_LIST, 1);
    ITEMS("]p10\ng10\nK\1a0.", LLMFP_PICKLE_LIST, 1);
    ITEMS("](NN1K\1a.", LLMFP_PICKLE_LIST, 1);
}

static void keeps_harmless_objects_opaque(void)
{
    static const char *const cases[] = {
        "cargparse\nNamespace\n)\x81}b.",
        "(cargparse\nNamespace\no}b.",
        "(iargparse\nNamespace\n}b.",
        "cpathlib\nPosixPath\n(Vtmp\nt\x85R.",
        "\x8f(K\1K\2\x90.",
        "(K\1\x91.",
        "cargparse\nNamespace\n)}\x92.",
        "comegaconf.dictconfig\nDictConfig\n)\x81}b.",
        "c_codecs\nencode\n(Vabc\nVlatin1\ntR.",
        "F3.5\n.",
        "\x8c\5numpy\x8c\5dtype\x93)R]a.",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct read read;
        read_bytes(&read, cases[i], strlen(cases[i]));
        CU_ASSERT_EQUAL(read.status, LLMFP_OK);
        CU_ASSERT_EQUAL(read.value.kind, LLMFP_PICKLE_OPAQUE);
        llmfp_pickle_clear(&read.pickle);
    }
}

static void expect_tensor(const char *bytes, size_t n_bytes, enum llmfp_encoding_id encoding)
{
    struct read read;
    read_bytes(&read, bytes, n_bytes);
    CU_ASSERT_EQUAL_FATAL(read.status, LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(read.value.kind, LLMFP_PICKLE_TENSOR);
    const struct llmfp_torch_tensor *tensor = read.value.as.tensor;
    CU_ASSERT_EQUAL(tensor->first_element, 3);
    CU_ASSERT_EQUAL_FATAL(tensor->sizes->n_items, 2);
    CU_ASSERT_EQUAL(tensor->sizes->items[1].as.integer, 2);
    CU_ASSERT_EQUAL(tensor->strides->items[0].as.integer, 2);
    CU_ASSERT_EQUAL(tensor->type->encoding, encoding);
    CU_ASSERT_EQUAL(tensor->storage->n_elements, 8);
    CU_ASSERT_NSTRING_EQUAL(tensor->storage->key, "7", 1);
    CU_ASSERT_PTR_NULL(tensor->refusal);
    CU_ASSERT_PTR_EQUAL(read.pickle.storages, tensor->storage);
    llmfp_pickle_clear(&read.pickle);
}

#define TENSOR(text, encoding) expect_tensor(text, sizeof(text) - 1, encoding)
#define PLACE                  STORAGE "K\3K\1K\2\x86K\2K\1\x86"

static void describes_tensors(void)
{
    TENSOR("ctorch._utils\n_rebuild_tensor\n(" PLACE "tR.", LLMFP_F32);
    TENSOR("ctorch._utils\n_rebuild_tensor_v2\n(" PLACE "\x89NtR.", LLMFP_F32);
    TENSOR("ctorch._utils\n_rebuild_tensor_v2\n(" PLACE "\x89N}tR.", LLMFP_F32);
    TENSOR("ctorch._utils\n_rebuild_tensor_v3\n(" PLACE "\x89Nctorch\nfloat8_e5m2\ntR.",
           LLMFP_F8_E5M2);
    TENSOR("ctorch._utils\n_rebuild_parameter\n(ctorch._utils\n_rebuild_tensor_v2\n(" PLACE
           "\x89NtR\x88NtR.",
           LLMFP_F32);
    TENSOR("ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\n"
           "ctorch.nn.parameter\nParameter\n(" PLACE "\x89Nt}tR.",
           LLMFP_F32);
    TENSOR("ctorch.nn.parameter\nParameter\n(ctorch._utils\n_rebuild_tensor_v2\n(" PLACE
           "\x89NtR\x88t\x81.",
           LLMFP_F32);
}

static void runs_pickles_one_after_another(void)
{
    struct read read;
    READ(read, "\x80\2K\1q\5.\x80\2K\2."
               "h\5.");
    CU_ASSERT_EQUAL(read.value.as.integer, 1);
    CU_ASSERT_EQUAL(llmfp_pickle_run(&read.pickle, &read.value), LLMFP_OK);
    CU_ASSERT_EQUAL(read.value.as.integer, 2);
    /* The memo does not live on. */
    const enum llmfp_status status = llmfp_pickle_run(&read.pickle, &read.value);
    expect_error(status, &read.error, LLMFP_CHECKPOINT, "file.pt", "place 5 of its memo", NULL);
    llmfp_pickle_clear(&read.pickle);
}

static void says_when_it_is_cut_short(void)
{
    static const char whole[] = "\x80\2}X\1\0\0\0aK\1s\x8a\2\1\2"
                                "0Vab\n0J\1\2\3\4"
                                "0G123456780.";
    struct read read;
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        /* In memory of its own, so that a read past the end is seen by sanitizers. */
        char *part = malloc(n + 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(part);
        memcpy(part, whole, n);
        read_bytes(&read, part, n);
        CU_ASSERT_EQUAL(read.status, LLMFP_CHECKPOINT);
        CU_ASSERT_TRUE(read.pickle.cut_short);
        llmfp_pickle_clear(&read.pickle);
        free(part);
    }
    READ(read, "\x80\2}X\1\0\0\0aK\1s\x8a\2\1\2"
               "0Vab\n0J\1\2\3\4"
               "0G123456780.");
    CU_ASSERT_EQUAL(read.status, LLMFP_OK);
    llmfp_pickle_clear(&read.pickle);
}

static void refuses_by_name(void)
{
    static const struct {
        const char *bytes;
        const char *word;
    } cases[] = {
        {"cos\nsystem\nVid\n\x85R.", "os.system"},
        {"cposix\nsystem\n.", "posix.system"},
        {"c__builtin__\neval\nV1\n\x85R.", "__builtin__.eval"},
        {"\x8c\5torch\x8c\4load\x93.", "torch.load"},
        {"ctorch\nSiz\n.", "torch.Siz"},
        {"ctorch\nSizes\n.", "torch.Sizes"},
        {"comegaconfig\nX\n.", "omegaconfig.X"},
        {"(Vid\nios\nsystem\n.", "os.system"},
        {"cbuiltins\nset\n}b.", "builtins.set"},
        {"ctorch\nHalfStorage\n)R.", "torch.HalfStorage"},
        {"cx\x1b[2J\ny\n.", "x\\x1b[2J.y"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct read read;
        read_bytes(&read, cases[i].bytes, strlen(cases[i].bytes));
        expect_error(read.status, &read.error, LLMFP_CHECKPOINT, "file.pt", "byte", cases[i].word,
                     "nothing was run", NULL);
        CU_ASSERT_FALSE(read.pickle.cut_short);
        llmfp_pickle_clear(&read.pickle);
    }
}

static void finds_globals_by_their_whole_name(void)
{
    CU_ASSERT_PTR_NOT_NULL(llmfp_pickle_global_find("torch", 5, "Size", 4));
    CU_ASSERT_PTR_NOT_NULL(llmfp_pickle_global_find("torch.cuda", 10, "HalfStorage", 11));
    CU_ASSERT_PTR_NOT_NULL(llmfp_pickle_global_find("megatron.core", 13, "Any", 3));
    CU_ASSERT_PTR_NULL(llmfp_pickle_global_find("torch\0x", 7, "Size", 4));
    CU_ASSERT_PTR_NULL(llmfp_pickle_global_find("torch", 5, "Size\0", 5));
    CU_ASSERT_PTR_NULL(llmfp_pickle_global_find("torch", 0, "Size", 0));
    CU_ASSERT_PTR_NULL(llmfp_pickle_global_find("megatronx", 9, "Any", 3));
}

static void stays_within_its_memory(void)
{
    const size_t n = (size_t)LLMFP_PICKLE_MOST_BYTES;
    char *bytes = malloc(n);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    static const char fillers[] = {')', ']', '}', 'N', '('};
    for (size_t i = 0; i < sizeof fillers; i++) {
        struct read read;
        memset(bytes, fillers[i], n);
        read_bytes(&read, bytes, n);
        expect_error(read.status, &read.error, LLMFP_CHECKPOINT, "memory", NULL);
        const size_t used = read.pickle.arena.used_bytes + read.pickle.stack.capacity_bytes +
                            read.pickle.marks.capacity_bytes + read.pickle.memo.capacity_bytes;
        CU_ASSERT_TRUE(used <= LLMFP_PICKLE_MOST_MEMORY);
        llmfp_pickle_clear(&read.pickle);
    }
    free(bytes);
}

TEST_PROGRAM("pickle", TEST(reads_integers), TEST(reads_long_integers_as_bytes), TEST(reads_texts),
             TEST(reads_containers), TEST(keeps_harmless_objects_opaque), TEST(describes_tensors),
             TEST(runs_pickles_one_after_another), TEST(says_when_it_is_cut_short),
             TEST(refuses_by_name), TEST(finds_globals_by_their_whole_name),
             TEST(stays_within_its_memory))
