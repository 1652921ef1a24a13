/* configuration_files.h - the small files beside the weights that say what they mean. */
#ifndef LLMFP_CONFIGURATION_FILES_H
#define LLMFP_CONFIGURATION_FILES_H

#include "llmfp/checkpoint.h"
#include "llmfp/error.h"

/* Read those that `folder` holds (llmfp/checkpoint.h lists them) into
 * checkpoint->configuration; none of them must be there.                      Local.
 * Errors: LLMFP_CHECKPOINT names the file: too long, not readable, a link that leaves the
 * folder.                                                                            */
enum llmfp_status llmfp_configuration_files_read(const char *folder,
                                                 struct llmfp_checkpoint *checkpoint,
                                                 struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
