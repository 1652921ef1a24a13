/* pickle_globals.c - the classes and functions that a pickle may name.
 *
 * What is not here is refused. A row says what a call stands for (pickle.h); no row
 * makes anything run. Those that are opaque are harmless companions of weights in
 * files of training programs: options, counters, states of random numbers.
 * Sources: torch/_weights_only_unpickler.py, torch/_utils.py, torch/storage.py.    */
#include <string.h>

#include "pickle.h"

#define QUANTISED                                                                                  \
    "is quantised by PyTorch (a Q*Storage), which is not supported; save it dequantised"
#define SPARSE "is sparse, which is not supported; save it with .to_dense()"
#define NO_SUCH_TYPE                                                                               \
    "has elements of a type that is not supported; save it in one of the usual types"
#define NO_STORAGE "has no data of its own in this file (a meta or foreign tensor)"

#define OPAQUE(module_text, name_text)                                                             \
    {                                                                                              \
        .module = (module_text), .name = (name_text), .use = LLMFP_USE_OPAQUE                      \
    }
#define MEANS(module_text, name_text, use_id)                                                      \
    {                                                                                              \
        .module = (module_text), .name = (name_text), .use = (use_id)                              \
    }
#define STORAGE(name_text, encoding_id, n_bytes)                                                   \
    {                                                                                              \
        .module = "torch", .name = (name_text), .use = LLMFP_USE_STORAGE,                          \
        .encoding = (encoding_id), .element_bytes = (n_bytes)                                      \
    }
#define STORAGE_REFUSED(name_text, n_bytes, why)                                                   \
    {                                                                                              \
        .module = "torch", .name = (name_text), .use = LLMFP_USE_STORAGE,                          \
        .element_bytes = (n_bytes), .refusal = (why)                                               \
    }
#define TYPE(name_text, encoding_id, n_bytes)                                                      \
    {                                                                                              \
        .module = "torch", .name = (name_text), .use = LLMFP_USE_TYPE, .encoding = (encoding_id),  \
        .element_bytes = (n_bytes)                                                                 \
    }
#define TYPE_REFUSED(name_text, why)                                                               \
    {                                                                                              \
        .module = "torch", .name = (name_text), .use = LLMFP_USE_TYPE, .element_bytes = 1,         \
        .refusal = (why)                                                                           \
    }
#define UNREADABLE(module_text, name_text, why)                                                    \
    {                                                                                              \
        .module = (module_text), .name = (name_text), .use = LLMFP_USE_UNREADABLE_TENSOR,          \
        .refusal = (why)                                                                           \
    }

static const struct llmfp_pickle_global table[] = {
    /* what a state_dict is made of */
    MEANS("collections", "OrderedDict", LLMFP_USE_DICT),
    MEANS("torch._utils", "_rebuild_tensor", LLMFP_USE_TENSOR),
    MEANS("torch._utils", "_rebuild_tensor_v2", LLMFP_USE_TENSOR),
    MEANS("torch._utils", "_rebuild_tensor_v3", LLMFP_USE_TENSOR_V3),
    MEANS("torch._utils", "_rebuild_parameter", LLMFP_USE_PARAMETER),
    MEANS("torch._utils", "_rebuild_parameter_with_state", LLMFP_USE_PARAMETER),
    MEANS("torch._tensor", "_rebuild_from_type_v2", LLMFP_USE_FROM_TYPE),
    MEANS("torch.nn.parameter", "Parameter", LLMFP_USE_PARAMETER),
    MEANS("torch.nn.parameter", "Buffer", LLMFP_USE_PARAMETER),
    MEANS("torch", "Size", LLMFP_USE_TUPLE),
    STORAGE("DoubleStorage", LLMFP_F64, 8),
    STORAGE("FloatStorage", LLMFP_F32, 4),
    STORAGE("HalfStorage", LLMFP_F16, 2),
    STORAGE("BFloat16Storage", LLMFP_BF16, 2),
    STORAGE("LongStorage", LLMFP_I64, 8),
    STORAGE("IntStorage", LLMFP_I32, 4),
    STORAGE("ShortStorage", LLMFP_I16, 2),
    STORAGE("CharStorage", LLMFP_I8, 1),
    STORAGE("ByteStorage", LLMFP_U8, 1),
    STORAGE("BoolStorage", LLMFP_BOOL, 1),
    STORAGE("ComplexFloatStorage", LLMFP_C64, 8),
    STORAGE_REFUSED("ComplexDoubleStorage", 16, NO_SUCH_TYPE),
    STORAGE_REFUSED("QInt8Storage", 1, QUANTISED),
    STORAGE_REFUSED("QUInt8Storage", 1, QUANTISED),
    STORAGE_REFUSED("QInt32Storage", 4, QUANTISED),
    STORAGE_REFUSED("QUInt4x2Storage", 1, QUANTISED),
    STORAGE_REFUSED("QUInt2x4Storage", 1, QUANTISED),
    MEANS("torch", "UntypedStorage", LLMFP_USE_UNTYPED_STORAGE),
    MEANS("torch.storage", "UntypedStorage", LLMFP_USE_UNTYPED_STORAGE),
    MEANS("torch.storage", "_UntypedStorage", LLMFP_USE_UNTYPED_STORAGE),
    OPAQUE("torch.storage", "TypedStorage"),
    TYPE("float64", LLMFP_F64, 8),
    TYPE("double", LLMFP_F64, 8),
    TYPE("float32", LLMFP_F32, 4),
    TYPE("float", LLMFP_F32, 4),
    TYPE("float16", LLMFP_F16, 2),
    TYPE("half", LLMFP_F16, 2),
    TYPE("bfloat16", LLMFP_BF16, 2),
    TYPE("float8_e4m3fn", LLMFP_F8_E4M3, 1),
    TYPE("float8_e5m2", LLMFP_F8_E5M2, 1),
    TYPE("float8_e4m3fnuz", LLMFP_F8_E4M3FNUZ, 1),
    TYPE("float8_e5m2fnuz", LLMFP_F8_E5M2FNUZ, 1),
    TYPE("float8_e8m0fnu", LLMFP_F8_E8M0, 1),
    TYPE("int64", LLMFP_I64, 8),
    TYPE("long", LLMFP_I64, 8),
    TYPE("int32", LLMFP_I32, 4),
    TYPE("int", LLMFP_I32, 4),
    TYPE("int16", LLMFP_I16, 2),
    TYPE("short", LLMFP_I16, 2),
    TYPE("int8", LLMFP_I8, 1),
    TYPE("uint64", LLMFP_U64, 8),
    TYPE("uint32", LLMFP_U32, 4),
    TYPE("uint16", LLMFP_U16, 2),
    TYPE("uint8", LLMFP_U8, 1),
    TYPE("bool", LLMFP_BOOL, 1),
    TYPE("complex64", LLMFP_C64, 8),
    TYPE("cfloat", LLMFP_C64, 8),
    TYPE_REFUSED("complex32", NO_SUCH_TYPE),
    TYPE_REFUSED("chalf", NO_SUCH_TYPE),
    TYPE_REFUSED("complex128", NO_SUCH_TYPE),
    TYPE_REFUSED("cdouble", NO_SUCH_TYPE),
    TYPE_REFUSED("float4_e2m1fn_x2", NO_SUCH_TYPE),
    TYPE_REFUSED("bits8", NO_SUCH_TYPE),
    TYPE_REFUSED("bits16", NO_SUCH_TYPE),
    TYPE_REFUSED("bits1x8", NO_SUCH_TYPE),
    TYPE_REFUSED("bits2x4", NO_SUCH_TYPE),
    TYPE_REFUSED("bits4x2", NO_SUCH_TYPE),
    TYPE_REFUSED("qint8", QUANTISED),
    TYPE_REFUSED("quint8", QUANTISED),
    TYPE_REFUSED("qint32", QUANTISED),
    TYPE_REFUSED("quint4x2", QUANTISED),
    TYPE_REFUSED("quint2x4", QUANTISED),
    UNREADABLE("torch._utils", "_rebuild_qtensor", QUANTISED),
    UNREADABLE("torch._utils", "_rebuild_sparse_tensor", SPARSE),
    UNREADABLE("torch._utils", "_rebuild_sparse_csr_tensor", SPARSE),
    UNREADABLE("torch._utils", "_rebuild_nested_tensor",
               "is a nested tensor, which is not supported"),
    UNREADABLE("torch._utils", "_rebuild_meta_tensor_no_storage", NO_STORAGE),
    UNREADABLE("torch._utils", "_rebuild_device_tensor_from_numpy", NO_STORAGE),
    UNREADABLE("torch._utils", "_rebuild_device_tensor_from_cpu_tensor", NO_STORAGE),
    UNREADABLE("torch._utils", "_rebuild_xla_tensor", NO_STORAGE),
    /* PyTorch's own companions */
    OPAQUE("torch", "device"),
    OPAQUE("torch", "Tensor"),
    OPAQUE("torch", "Generator"),
    OPAQUE("torch", "per_tensor_affine"),
    OPAQUE("torch", "per_channel_affine"),
    OPAQUE("torch", "strided"),
    OPAQUE("torch", "sparse_coo"),
    OPAQUE("torch", "sparse_csr"),
    OPAQUE("torch", "contiguous_format"),
    OPAQUE("torch", "channels_last"),
    OPAQUE("torch", "preserve_format"),
    OPAQUE("torch.serialization", "_get_layout"),
    OPAQUE("torch._C", "_get_privateuse1_backend_name"),
    /* Python's own */
    MEANS("collections", "defaultdict", LLMFP_USE_DICT),
    MEANS("collections", "Counter", LLMFP_USE_DICT),
    OPAQUE("collections", "deque"),
    MEANS("builtins", "dict", LLMFP_USE_DICT),
    MEANS("builtins", "list", LLMFP_USE_LIST),
    MEANS("builtins", "tuple", LLMFP_USE_TUPLE),
    OPAQUE("builtins", "set"),
    OPAQUE("builtins", "frozenset"),
    OPAQUE("builtins", "bytearray"),
    OPAQUE("builtins", "bytes"),
    OPAQUE("builtins", "complex"),
    OPAQUE("builtins", "int"),
    OPAQUE("builtins", "float"),
    OPAQUE("builtins", "bool"),
    OPAQUE("builtins", "str"),
    OPAQUE("builtins", "slice"),
    OPAQUE("builtins", "range"),
    OPAQUE("builtins", "object"),
    OPAQUE("copyreg", "_reconstructor"),
    OPAQUE("_codecs", "encode"),
    OPAQUE("argparse", "Namespace"),
    OPAQUE("types", "SimpleNamespace"),
    OPAQUE("datetime", "datetime"),
    OPAQUE("datetime", "date"),
    OPAQUE("datetime", "time"),
    OPAQUE("datetime", "timedelta"),
    OPAQUE("datetime", "timezone"),
    OPAQUE("decimal", "Decimal"),
    OPAQUE("fractions", "Fraction"),
    OPAQUE("uuid", "UUID"),
    OPAQUE("io", "BytesIO"),
    OPAQUE("_io", "BytesIO"),
    OPAQUE("pathlib", "Path"),
    OPAQUE("pathlib", "PosixPath"),
    OPAQUE("pathlib", "PurePath"),
    OPAQUE("pathlib", "PurePosixPath"),
    OPAQUE("pathlib", "WindowsPath"),
    OPAQUE("pathlib", "PureWindowsPath"),
    OPAQUE("pathlib._local", "PosixPath"),
    OPAQUE("pathlib._local", "PurePosixPath"),
    /* numpy's scalars and arrays */
    OPAQUE("numpy", "dtype"),
    OPAQUE("numpy", "ndarray"),
    OPAQUE("numpy", "float32"),
    OPAQUE("numpy", "float64"),
    OPAQUE("numpy", "int32"),
    OPAQUE("numpy", "int64"),
    OPAQUE("numpy", "bool_"),
    OPAQUE("numpy.dtypes", NULL),
    OPAQUE("numpy.core.multiarray", "scalar"),
    OPAQUE("numpy.core.multiarray", "_reconstruct"),
    OPAQUE("numpy._core.multiarray", "scalar"),
    OPAQUE("numpy._core.multiarray", "_reconstruct"),
    OPAQUE("numpy.core.numeric", "_frombuffer"),
    OPAQUE("numpy._core.numeric", "_frombuffer"),
    /* options as training programs keep them */
    OPAQUE("omegaconf", NULL),
    OPAQUE("pytorch_lightning", NULL),
    OPAQUE("lightning", NULL),
    OPAQUE("lightning_fabric", NULL),
    OPAQUE("megatron", NULL),
    OPAQUE("fairseq", NULL),
    OPAQUE("typing", "Any"),
};
enum { N_GLOBALS = sizeof table / sizeof table[0] };

static bool is_text(const char *text, const char *bytes, size_t n_bytes)
{
    return strlen(text) == n_bytes && memcmp(text, bytes, n_bytes) == 0;
}

/* Whether a row without a name covers the module: itself, or one below it. */
static bool covers(const char *package, const char *module, size_t module_bytes)
{
    const size_t n = strlen(package);
    return module_bytes >= n && memcmp(package, module, n) == 0 &&
           (module_bytes == n || module[n] == '.');
}

const struct llmfp_pickle_global *llmfp_pickle_global_find(const char *module, size_t module_bytes,
                                                           const char *name, size_t name_bytes)
{
    /* Python 2's names of modules, and PyTorch's storages in the memory of GPUs. */
    static const struct {
        const char *old;
        const char *now;
    } renamed[] = {{"__builtin__", "builtins"}, {"copy_reg", "copyreg"}, {"torch.cuda", "torch"}};
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++) {
        if (is_text(renamed[i].old, module, module_bytes)) {
            module = renamed[i].now;
            module_bytes = strlen(module);
        }
    }
    for (size_t i = 0; i < N_GLOBALS; i++) {
        const struct llmfp_pickle_global *row = &table[i];
        if (row->name == NULL ? covers(row->module, module, module_bytes)
                              : is_text(row->name, name, name_bytes) &&
                                    is_text(row->module, module, module_bytes)) {
            return row;
        }
    }
    return NULL;
}
