/* llmfp/slices.h - Meta's consolidated.00.pth, consolidated.01.pth, ...: one model, cut
 * for as many GPUs as there are files.                            core, no MPI
 *
 * Every file has all names. Matrices of attention, feed-forward part, embedding and head
 * are cut by rows or by columns, so that each file holds other elements of them; norms and
 * rotary frequencies are the same in all. Source: the publisher's loader (tensor parallel
 * layers), and public converters from these files.                              */
#ifndef LLMFP_SLICES_H
#define LLMFP_SLICES_H

#include "llmfp/catalog.h"
#include "llmfp/configuration.h"
#include "llmfp/error.h"

/* Join the slices of a catalog that has such files, and leave others as they are: what is cut
 * stays one tensor a file, all of the same name, and what is the same in all is kept
 * once, that of the first file. Before llmfp_catalog_finish.             Local.
 * Errors: LLMFP_CHECKPOINT when the sizes in `configuration` do not bear out that the
 * slices fit together (file, tensor and shape are named); LLMFP_FATAL (memory).  */
enum llmfp_status llmfp_slices_join(struct llmfp_catalog *catalog,
                                    const struct llmfp_configuration *configuration,
                                    struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
