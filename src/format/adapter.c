/* adapter.c - telling LoRA adapters by the names of their tensors.
 *
 * `lora_A`, `lora_B`, `lora_embedding_A`, ... (PEFT, Mistral; GGUF: lora_a) are components
 * of the name. PEFT puts `base_model.model.` before every name, also of modules that it
 * saves whole; a model with the adapter in it has `base_layer` in its names, too. */
#include "adapter.h"

#include <stdbool.h>
#include <string.h>

static bool is_lora(const char *name)
{
    static const char *const beginnings[] = {"lora_A", "lora_B",          "lora_a",
                                             "lora_b", "lora_embedding_", "lora_magnitude_vector"};
    for (; name != NULL; name = strchr(name, '.')) {
        name += *name == '.' ? 1 : 0;
        for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
            if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0) {
                return true;
            }
        }
    }
    return false;
}

enum llmfp_status llmfp_adapter_refuse(const struct llmfp_catalog *catalog,
                                       struct llmfp_error *error)
{
    static const char peft[] = "base_model.model.";
    const struct llmfp_tensor *found = NULL;
    for (size_t i = 0; i < catalog->n_tensors; i++) {
        const struct llmfp_tensor *tensor = &catalog->tensors[i];
        const bool lora = is_lora(tensor->name);
        const bool of_adapter = lora || (strncmp(tensor->name, peft, sizeof peft - 1) == 0 &&
                                         strstr(tensor->name, ".base_layer.") == NULL);
        if (!of_adapter) {
            return LLMFP_OK;
        }
        if (lora && (found == NULL || strcmp(tensor->name, found->name) < 0)) {
            found = tensor;
        }
    }
    if (found == NULL) {
        return LLMFP_OK;
    }
    char name[256];
    llmfp_escape(name, sizeof name, found->name, strlen(found->name));
    return llmfp_fail(
        error, LLMFP_CHECKPOINT,
        "%s holds an adapter (LoRA or the like; tensor \"%s\"), not a model: merge it "
        "into its base model first, and give the merged checkpoint",
        catalog->files[found->data.file].path, name);
}
