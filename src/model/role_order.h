/* role_order.h - the roles of the results file, in their order. */
#ifndef LLMFP_ROLE_ORDER_H
#define LLMFP_ROLE_ORDER_H

/* Order of two role names, as qsort wants it: the main stack in the order in which
 * the format of the results file lists roles, a bias directly behind its weight; then
 * cross attention, the encoder, next-token-prediction layers; `other:` last; equal
 * places by bytes. 0 only for equal names.                               Local. */
int llmfp_role_compare(const char *a, const char *b);

#endif
