/* architecture_types.h - the model type of an architecture's class, for a config.json that
 * names the class but not the type.                                            */
#ifndef LLMFP_ARCHITECTURE_TYPES_H
#define LLMFP_ARCHITECTURE_TYPES_H

/* "gpt2" of "GPT2LMHeadModel"; "" where the class does not settle it; static.  Local.
 * Source: the public modelling code of each family, which names both.          */
const char *llmfp_type_of_architecture(const char *architecture);

#endif
