/* timings.h - the table of --timings: least, mean and most seconds over ranks, by phase. */
#ifndef LLMFP_TIMINGS_H
#define LLMFP_TIMINGS_H

#include <stdio.h>

#include "llmfp/communicator.h"
#include "llmfp/scan.h"

/* Collective; rank 0 prints.
 *   write_s  seconds for the results file and summary
 *   total_s  seconds since the scan began                                            */
void timings_print(const struct llmfp_communicator *communicator,
                   const struct llmfp_scan_timings *timings, double write_s, double total_s,
                   FILE *out);

#endif
